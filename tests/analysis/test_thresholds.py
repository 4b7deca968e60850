"""Thresholds of presence against every cut there is, tried one by one."""

from __future__ import annotations

import numpy as np
import pytest

from conspect.analysis.thresholds import calibrate
from conspect.core.concepts import ClassAttributes

# Of three classes: carried, not carried, and neither; the last concept is carried by no class.
TABLE = ClassAttributes(
    ("a", "b", "c"), ("one", "two", "none"), np.array([[0.9, 0.0, 0.0], [0.0, 1.0, 0.0], [0.3, 0.4, 0.0]])
)


@pytest.mark.parametrize("seed", range(6))
def test_the_cut_has_the_best_balanced_accuracy_of_all_and_lies_midway(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(30) % 3
    strengths = np.round(rng.normal(size=(30, 3)) + 1.2 * TABLE.shares[labels], 1)  # with ties
    thresholds = calibrate(strengths, labels, TABLE)
    for concept, (carrying, lacking) in enumerate([(0, 1), (1, 0)]):
        present, absent = strengths[labels == carrying, concept], strengths[labels == lacking, concept]

        def balanced(cut: float, present: np.ndarray = present, absent: np.ndarray = absent) -> float:
            return float((present > cut).mean() + (absent <= cut).mean()) / 2

        values = sorted({*present, *absent})
        best = max(map(balanced, values))
        first = next(place for place, value in enumerate(values) if balanced(value) == best)
        assert balanced(thresholds[concept]) == best
        assert thresholds[concept] == pytest.approx((values[first] + values[min(first + 1, len(values) - 1)]) / 2)
    assert thresholds[2] == np.median(strengths[:, 2])


def test_sides_that_are_apart_are_cut_in_the_middle() -> None:
    strengths = np.array([[5.0, 0.0, 1.0], [7.0, 1.0, 2.0], [1.0, 4.0, 3.0], [2.0, 8.0, 4.0]])
    assert calibrate(strengths, np.array([0, 0, 1, 1]), TABLE).tolist() == [3.5, 2.5, 2.5]


def test_where_all_that_carry_it_show_it_less_nothing_counts_as_present() -> None:
    strengths = np.array([[1.0, 9.0, 1.0], [2.0, 8.0, 2.0], [5.0, 3.0, 3.0], [7.0, 1.0, 4.0]])
    assert calibrate(strengths, np.array([0, 0, 1, 1]), TABLE)[:2].tolist() == [7.0, 9.0]


def test_without_a_table_or_a_side_it_is_the_median() -> None:
    strengths = np.array([[5.0, 0.0, 1.0], [7.0, 1.0, 2.0], [1.0, 4.0, 4.0]])
    assert calibrate(strengths, np.array([0, 1, 1]), None).tolist() == [5.0, 1.0, 2.0]
    assert calibrate(strengths, np.array([0, 0, 2]), TABLE).tolist() == [5.0, 1.0, 2.0]
