"""A permuted class order is recognised, and nothing else is taken for one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.analysis.class_order import class_order

NAMES = tuple("abcdefghij")


def images(classes: int, accuracy: float, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, number)
    right = rng.random(number) < accuracy
    return labels, np.where(right, labels, rng.integers(0, classes, number))


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(6)), st.integers(0, 1000), st.sampled_from([0.5, 0.7, 0.95]))
def test_any_permutation_of_a_fair_model_is_undone(order: list[int], seed: int, accuracy: float) -> None:
    labels, outputs = images(6, accuracy, 900, seed)
    undone = class_order(labels, np.asarray(order)[outputs], 6)
    assert dict(undone.moved) == {label: output for label, output in enumerate(order) if label != output}
    assert undone.assigned_accuracy == pytest.approx((labels == outputs).mean())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.3, 0.9])
def test_a_weak_model_is_not_called_misnamed(accuracy: float, seed: int) -> None:
    order = class_order(*images(10, accuracy, 1000, seed), 10)
    assert not order.looks_wrong
    assert order.sentence(NAMES) is None


def test_the_assignment_is_the_best_of_all_where_all_can_be_tried() -> None:
    labels, outputs = images(5, 0.8, 500, 3)
    outputs = np.asarray([2, 0, 1, 4, 3])[outputs]
    best = max(np.mean(np.asarray(order)[labels] == outputs) for order in itertools.permutations(range(5)))
    assert class_order(labels, outputs, 5).assigned_accuracy == pytest.approx(best)


def test_one_class_that_is_taken_for_another_is_a_confusion_and_no_wrong_name() -> None:
    labels, outputs = images(4, 0.95, 800, 0)
    assert not class_order(labels, np.where(labels == 1, 2, outputs), 4).looks_wrong


def test_two_swapped_names_are_told_with_both_accuracies() -> None:
    labels, outputs = images(4, 1.0, 400, 0)
    order = class_order(labels, np.asarray([0, 2, 1, 3])[outputs], 4)
    assert order.moved == ((1, 2), (2, 1))
    told = order.sentence(NAMES)
    assert told is not None
    assert "'b' is called 'c', 'c' is called 'b'" in told
    assert "would be 100.0 %" in told


def test_labels_off_by_one_are_told_as_that_also_where_the_model_knows_more_classes() -> None:
    labels, outputs = images(9, 0.9, 900, 1)
    order = class_order(labels, outputs + 1, 1000)
    assert order.shift == 1
    assert [label for label, _ in order.moved] == list(range(9))


def test_eight_images_a_class_show_together_what_none_shows_alone() -> None:
    labels, outputs = np.repeat(np.arange(6), 8), np.repeat(np.arange(6), 8)
    outputs[::3] = np.random.default_rng(0).integers(0, 6, 16)
    order = class_order(labels, outputs[::-1].copy(), 6)  # reversed rows: the class order turned round
    assert dict(order.moved) == {label: 5 - label for label in range(6)}


@pytest.mark.parametrize("seed", range(30))
def test_a_weak_model_of_few_images_is_not_called_misnamed(seed: int) -> None:
    for accuracy, number in ((0.0, 24), (0.2, 48), (0.4, 60)):
        assert not class_order(*images(6, accuracy, number, seed), 6).looks_wrong


def test_too_few_images_say_nothing() -> None:
    assert not class_order(np.array([0, 1]), np.array([1, 0]), 2).looks_wrong
    assert not class_order(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 3).looks_wrong
