"""What a head's evidence says, on embeddings whose head is known."""

import numpy as np
import pytest

from conspect.analysis.diagnosis.exchange import Exchange, exchange
from conspect.analysis.diagnosis.head import balanced, head_evidence, misfit, same_rows
from conspect.core.spaces import Head

CLASSES, SIZE = 6, 12


def embeddings(images: int, seed: int, spread: float = 0.55) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images)
    return np.eye(SIZE)[labels] + spread * rng.normal(size=(images, SIZE)), labels


def sound_head() -> Head:
    return Head.linear(4 * np.eye(CLASSES, SIZE), np.zeros(CLASSES))


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (*embeddings(1500, 0), *embeddings(1200, 1))


def test_an_exchange_counts_what_is_fixed_and_broken() -> None:
    labels, before, after = np.array([0, 1, 2, 2]), np.array([0, 0, 0, 2]), np.array([1, 1, 2, 2])
    trade = exchange(labels, before, after)
    assert trade == Exchange(2, 1, 4)
    assert trade.net == 0.25
    assert trade.p_value == pytest.approx(0.5)
    assert Exchange(0, 0, 10).p_value == 1.0


def test_a_sound_head_gains_nothing_by_a_correction(data) -> None:
    evidence = head_evidence(sound_head(), *data)
    assert abs(evidence.corrected.net) < 0.02
    assert evidence.corrected.p_value > 0.01


def test_classes_with_one_row_of_the_head_between_them_are_found(data) -> None:
    weight, bias = 4 * np.eye(CLASSES, SIZE), np.zeros(CLASSES)
    weight[[1, 3]] = (weight[1] + weight[3]) / 2
    assert head_evidence(Head.linear(weight, bias), *data).same_rows == ((1, 3),)
    assert head_evidence(sound_head(), *data).same_rows == ()
    # Classes that no image is of may never have been trained; another bias puts the same one first for every input; -0 is 0.
    assert same_rows(Head.linear(weight, bias), np.array([0, 1, 2])) == ()
    assert same_rows(Head.linear(weight, bias + np.arange(CLASSES)), np.arange(CLASSES)) == ((1, 3),)
    zeros = Head.linear(np.array([[0.0], [-0.0], [1.0], [0.0]]), np.array([0.0, 0.0, 0.0, -0.0]))
    assert same_rows(zeros, np.arange(4)) == ((0, 1, 3),)


def test_a_raised_bias_is_mended_by_biases_and_shifts_one_class(data) -> None:
    head = Head.linear(sound_head().layers[0].weight, np.array([0, 0, 5.0, 0, 0, 0]))
    evidence = head_evidence(head, *data)
    assert evidence.biases.net == pytest.approx(evidence.corrected.net, abs=0.03)
    assert evidence.biases.p_value < 1e-6
    assert evidence.shift.argmax() == 2
    assert evidence.shift[2] > 3 * np.sort(evidence.shift)[-2]


def test_an_encoder_that_moved_shifts_many_classes(data) -> None:
    train, train_labels, test, test_labels = data
    moved = 0.8 * np.random.default_rng(2).normal(size=SIZE)
    evidence = head_evidence(sound_head(), train + moved, train_labels, test + moved, test_labels)
    assert np.sort(evidence.shift)[-3] > 0.25
    assert evidence.corrected.net > 0.05


@pytest.mark.parametrize("scale", [1e-3, 0.5, 40.0])
def test_a_scale_of_the_logits_changes_nothing(data, scale: float) -> None:
    layer = Head.linear(sound_head().layers[0].weight, np.array([0, 0, 3.0, 0, 0, 0])).layers[0]
    own, other = (
        head_evidence(Head.linear(factor * layer.weight, factor * layer.offset), *data) for factor in (1.0, scale)
    )
    assert other.shift == pytest.approx(own.shift, abs=1e-6)
    assert other.shape == pytest.approx(own.shape, abs=1e-6)
    assert (other.corrected, other.biases, other.refitted) == (own.corrected, own.biases, own.refitted)


def test_the_class_mix_of_training_images_does_not_count() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [3] * 10)
    rows = balanced(labels, seed=0)
    assert np.bincount(labels[rows]).tolist() == [10, 10, 0, 10]


def test_marks_of_rounding_and_pruning_are_read_off_the_weights(data) -> None:
    weight = np.random.default_rng(0).normal(size=(CLASSES, SIZE))
    weight[:, ::2] = 0
    evidence = head_evidence(Head.linear(np.round(weight), np.zeros(CLASSES)), *data)
    assert evidence.zeros >= 0.5
    assert evidence.distinct < 0.7


def test_one_class_that_is_nothing_leaves_the_others_as_they_are() -> None:
    other = np.random.default_rng(0).normal(size=(400, 5))
    given = 2 * other.copy()
    given[:, 1] = 0
    shape, shift = misfit(given, other)
    assert shape.argmax() == 1
    assert np.delete(shape, 1).max() < 0.5 * shape[1]
    assert shift.max() < 0.2


def test_a_scale_of_the_logits_is_no_misfit_and_a_shift_of_one_class_is() -> None:
    other = 0.1 * np.random.default_rng(3).normal(size=(400, 5))
    shape, shift = misfit(4 * other, other)
    assert shape == pytest.approx(0, abs=1e-9)
    assert shift == pytest.approx(0, abs=1e-9)
    raised = 4 * other + np.array([0.0, 0.0, 0.0, 0.0, -9.0])  # so far down that no median changes but by rank
    assert misfit(raised, other)[1].argmax() == 4
