"""Faults of a head, by value on a small one."""

import numpy as np
import pytest

from conspect.core.spaces import AffineMap
from conspect.faults.planting.heads import (
    RAISE,
    head_mutators,
    mixed_labels,
    noise_row,
    quantise,
    raise_bias,
    rotate_row,
    shrink_row,
    swap_rows,
    zero_inputs,
)

HEAD = AffineMap(
    np.array([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0], [1.0, 2.0, 1.0, 1.0]]), np.array([1.0, 2.0, 3.0])
)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


PAIR = rng().permutation(3)[:2]


@pytest.mark.parametrize("mutate", [swap_rows, raise_bias, shrink_row, noise_row, rotate_row, zero_inputs, quantise])
def test_strength_zero_leaves_the_head_as_it_is(mutate) -> None:
    same = mutate(HEAD, 0.0, rng())
    np.testing.assert_allclose(same.weight, HEAD.weight, atol=1e-12)
    np.testing.assert_allclose(same.offset, HEAD.offset)


@pytest.mark.parametrize("mutate", [swap_rows, raise_bias, shrink_row, noise_row, rotate_row, zero_inputs, quantise])
def test_the_sound_head_is_not_touched(mutate) -> None:
    before = HEAD.weight.copy(), HEAD.offset.copy()
    mutate(HEAD, 1.0, rng())
    np.testing.assert_array_equal(HEAD.weight, before[0])
    np.testing.assert_array_equal(HEAD.offset, before[1])


def test_swapped_rows_are_exchanged_with_their_biases() -> None:
    swapped = swap_rows(HEAD, 1.0, rng())
    np.testing.assert_array_equal(swapped.weight[PAIR], HEAD.weight[PAIR[::-1]])
    np.testing.assert_array_equal(swapped.offset[PAIR], HEAD.offset[PAIR[::-1]])
    half = swap_rows(HEAD, 0.5, rng())
    moved = (half.weight[PAIR] != HEAD.weight[PAIR]).any(axis=0) | (HEAD.weight[PAIR[0]] == HEAD.weight[PAIR[1]])
    assert (half.weight[:, ~moved] == HEAD.weight[:, ~moved]).all()
    np.testing.assert_array_equal(np.sort(half.weight, axis=0), np.sort(HEAD.weight, axis=0))
    np.testing.assert_array_equal(half.offset, HEAD.offset)


def test_a_raised_bias_is_one_classs_and_so_many_row_norms() -> None:
    raised = raise_bias(HEAD, 0.5, rng())
    expected = HEAD.offset.copy()
    expected[PAIR[0]] += 0.5 * RAISE * np.linalg.norm(HEAD.weight[PAIR[0]])
    np.testing.assert_allclose(raised.offset, expected)
    np.testing.assert_array_equal(raised.weight, HEAD.weight)


def test_a_shrunk_row_is_shorter_and_the_others_are_not() -> None:
    shrunk = shrink_row(HEAD, 0.25, rng())
    np.testing.assert_allclose(shrunk.weight[PAIR[0]], 0.75 * HEAD.weight[PAIR[0]])
    others = np.arange(3) != PAIR[0]
    np.testing.assert_array_equal(shrunk.weight[others], HEAD.weight[others])


def test_noise_falls_on_one_row_and_grows_with_the_strength() -> None:
    weak, strong = (noise_row(HEAD, strength, rng()).weight - HEAD.weight for strength in (0.5, 1.0))
    assert set(np.flatnonzero(weak.any(axis=1))) == {PAIR[0]}
    np.testing.assert_allclose(strong, 2 * weak)


def test_a_rotated_row_keeps_its_length_and_ends_at_the_other() -> None:
    head = AffineMap(np.array([[2.0, 0.0], [0.0, 5.0]]), np.zeros(2))
    first, second = np.random.default_rng(3).permutation(2)
    half, whole = (rotate_row(head, strength, rng()).weight[first] for strength in (0.5, 1.0))
    length = np.linalg.norm(head.weight[first])
    np.testing.assert_allclose(half, length * np.array([1, 1]) / np.sqrt(2))
    np.testing.assert_allclose(whole, length * head.weight[second] / np.linalg.norm(head.weight[second]), atol=1e-12)


def test_inputs_are_zeroed_for_all_classes_at_once() -> None:
    zeroed = zero_inputs(HEAD, 0.5, rng())
    dead = ~zeroed.weight.any(axis=0)
    assert dead.sum() == 2
    np.testing.assert_array_equal(zeroed.weight[:, ~dead], HEAD.weight[:, ~dead])


def test_two_bits_have_four_values() -> None:
    head = AffineMap(np.array([[-2.0, -0.4, 0.6, 2.0], [-1.2, 0.2, 1.7, 0.0]]), np.zeros(2))
    rounded = quantise(head, 1.0, rng()).weight
    np.testing.assert_allclose(rounded, [[-2, 0, 1, 1], [-1, 0, 1, 0]])


def test_a_head_trained_with_two_classes_exchanged_calls_each_by_the_others_name() -> None:
    labels = np.repeat([0, 1, 2], 40)
    embeddings = 4 * np.eye(3)[labels] + 0.1 * np.random.default_rng(0).normal(size=(120, 3))
    mutate = mixed_labels(embeddings, labels)
    right = mutate(AffineMap(np.eye(3), np.zeros(3)), 0.0, rng())(embeddings).argmax(1)
    mixed = mutate(AffineMap(np.eye(3), np.zeros(3)), 1.0, rng())(embeddings).argmax(1)
    assert (right == labels).all()
    exchanged = np.arange(3)
    exchanged[PAIR] = PAIR[::-1]
    assert (mixed == exchanged[labels]).all()


def test_every_fault_of_the_head_has_its_own_name() -> None:
    mutators = head_mutators(np.eye(3), np.arange(3))
    assert len({mutator.name for mutator in mutators}) == len(mutators) == 8
