"""Shifts of strengths as they are printed: short decimals that restore the label, of the two classes' own concepts first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conspect.analysis.explanation.counterfactual import (
    PrintedShift,
    counterfactual,
    printed_shift,
    shift_of_few,
    smallest_shift,
)
from conspect.core.spaces import Head

MOVES = np.eye(3)
NOWHERE = np.zeros(3)


def head_of(weights: list[float], needed: float = 1.0) -> Head:
    """Class 0 leads where `weights . z` is above `needed`."""
    return Head.linear(np.array([weights, [0.0, 0.0, 0.0]]), np.array([-needed, 0.0]))


def printed(head: Head, ways: list[float], at_most: int = 2, moves: Any = MOVES) -> PrintedShift | None:
    return printed_shift(moves, head, NOWHERE, 0, at_most=at_most, ways=np.array(ways))


def told(shift: PrintedShift | None) -> Any:
    return None if shift is None else (shift.shift.tolist(), shift.decimals, shift.of_the_two)


def test_the_least_shift_is_printed_with_two_decimals_where_they_restore_the_label() -> None:
    # (0.12, 0.16) is least; half a hundredth more of each makes it (0.1242, 0.1656).
    assert told(printed(head_of([3.0, 4.0, 0.0]), [1, 1, 0])) == ([0.12, 0.17, 0.0], 2, True)
    assert told(printed(head_of([-3.0, 4.0, 0.0]), [-1, 1, 0])) == ([-0.12, 0.17, 0.0], 2, True)
    # Of one concept 1/3 is least.
    assert told(printed(head_of([3.0, 0.0, 0.0]), [1, 0, 0], at_most=1)) == ([0.34, 0.0, 0.0], 2, True)


def test_concepts_of_the_two_classes_come_first_unless_they_need_twice_as_much() -> None:
    head = head_of([3.0, 4.0, 1.0])
    assert told(printed(head, [1, 0, 0], at_most=1)) == ([0.34, 0.0, 0.0], 2, True)
    # The second concept alone needs 1/4; the third 1, which is four times as much.
    assert told(printed(head, [0, 0, 1], at_most=1)) == ([0.0, 0.26, 0.0], 2, False)
    assert told(printed(head, [-1, 0, 0], at_most=1)) == ([0.0, 0.26, 0.0], 2, False)
    assert told(printed(head, [0, 0, 0], at_most=1)) == ([0.0, 0.26, 0.0], 2, False)
    just = head_of([2.01, 4.0, 0.0])
    assert told(printed(just, [1, 0, 0], at_most=1)) == ([0.5, 0.0, 0.0], 2, True)
    over = head_of([1.99, 4.0, 0.0])
    assert told(printed(over, [1, 0, 0], at_most=1)) == ([0.0, 0.26, 0.0], 2, False)


def test_as_many_decimals_are_printed_as_keep_the_shift_within_a_twentieth_of_the_least() -> None:
    for scale, decimals in ((3.0, 2), (10.0, 3), (300.0, 4), (3e4, 6), (3e9, 11), (3e10, 12)):
        shift = printed(head_of([scale, 0.0, 0.0]), [1, 0, 0], at_most=1)
        assert shift is not None
        assert shift.decimals == decimals, scale
        assert 1 < scale * shift.shift[0] <= 1.05
        assert shift.shift[0] == round(float(shift.shift[0]), decimals)
    assert printed(head_of([3e12, 0.0, 0.0]), [1, 0, 0], at_most=1) is None
    assert printed(head_of([0.0, 0.0, 0.0]), [1, 1, 1]) is None
    assert told(printed(head_of([3.0, 0.0, 0.0], needed=-1.0), [1, 0, 0])) == ([0.0, 0.0, 0.0], 2, True)


def test_few_concepts_are_those_that_the_least_shift_moves_most_and_twice_as_many_where_they_cannot() -> None:
    head = head_of([1.0, 2.0, 3.0])
    least = smallest_shift(MOVES, head, NOWHERE, 0, np.ones(3, dtype=bool))
    assert least is not None
    assert least == pytest.approx(np.array([1.0, 2.0, 3.0]) / 14, rel=1e-5)
    for at_most, expected in ((1, [0, 0, 1 / 3]), (2, [0, 2 / 13, 3 / 13]), (3, [1 / 14, 2 / 14, 3 / 14]), (9, least)):
        shift = shift_of_few(MOVES, head, NOWHERE, 0, at_most=at_most)
        assert shift == pytest.approx(np.array(expected), rel=1e-5)
    # Three classes: no single concept makes the first lead both others.
    both = Head.linear(np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0], [2.0, 0.0, 0.0]]), np.array([-1.0, 0.0, 0.0]))
    one = shift_of_few(MOVES, both, NOWHERE, 0, at_most=1)
    assert one is not None
    assert (one != 0).sum() == 2
    assert shift_of_few(MOVES, head, NOWHERE, 0, at_most=1, ways=np.array([-1.0, 0, 0])) is None
    assert shift_of_few(MOVES, head, NOWHERE, 0, at_most=1, ways=np.array([1.0, 0, 0])) == pytest.approx(
        np.array([1.0, 0, 0]), rel=1e-5
    )


def test_a_shift_is_needed_at_a_tie_and_keeps_its_lead() -> None:
    everything = np.ones(3, dtype=bool)
    tie = smallest_shift(MOVES, head_of([2.0, 0.0, 0.0], needed=0.0), NOWHERE, 0, everything, lead=0.5)
    assert tie == pytest.approx(np.array([0.25, 0, 0]))
    ahead = smallest_shift(MOVES, head_of([2.0, 0.0, 0.0], needed=-1e-9), NOWHERE, 0, everything, lead=0.5)
    assert ahead is not None
    assert ahead.tolist() == [0.0, 0.0, 0.0]


def test_the_nearest_of_real_embeddings_is_compared_with_what_they_have_to_each_other() -> None:
    others = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    moved = counterfactual(np.eye(2), np.array([2.0, 0.0]), np.array([1.0, 0.0]), others)
    assert moved.embedding.tolist() == [3.0, 0.0]
    assert moved.distance == pytest.approx(3.0)  # of 1, 1 and 2 the median is 1
    assert counterfactual(np.eye(2), np.zeros(2), np.zeros(2), others[:1]).distance == np.inf
    twins = np.zeros((2, 2))
    assert counterfactual(np.eye(2), np.ones(2), np.zeros(2), twins).distance == np.inf
    assert counterfactual(np.eye(2), np.ones(2), np.zeros(2), others[:0]).distance == np.inf
    pair = counterfactual(np.eye(2), np.array([0.0, 2.0]), np.zeros(2), others[:2])
    assert pair.distance == pytest.approx(1.0)
