"""A change of the input is named when it helps significantly, by two points, and beyond guessing."""

import numpy as np

from conspect.analysis.diagnosis.mendings import judge_mendings


def outputs(labels: np.ndarray, wrong: int) -> np.ndarray:
    changed = labels.copy()
    changed[:wrong] = (labels[:wrong] + 1) % 10
    return changed


def test_the_change_that_helps_is_named_with_what_it_does() -> None:
    labels = np.arange(400) % 10
    changes = {("BGR", "feed RGB"): outputs(labels, 34), ("grey", "feed grey"): outputs(labels, 90)}
    best, other = judge_mendings(labels, outputs(labels, 73), changes, chance=0.1)
    assert best.is_named
    assert not other.is_named
    assert best.sentence == "feed RGB: 81.8 % becomes 91.5 %"


def test_a_gain_below_two_points_or_by_chance_is_not_named() -> None:
    labels = np.arange(1000) % 10
    (small,) = judge_mendings(labels, outputs(labels, 100), {("a", "b"): outputs(labels, 85)})
    assert small.p_value < 0.01
    assert not small.is_named
    labels = labels[:60]
    (few,) = judge_mendings(labels, outputs(labels, 5), {("a", "b"): outputs(labels, 2)})
    assert few.exchange.net >= 0.02
    assert not few.is_named


def test_what_is_right_by_guessing_alone_mends_nothing() -> None:
    labels = np.arange(400) % 10
    (mending,) = judge_mendings(labels, (labels + 1) % 10, {("a", "b"): np.zeros_like(labels)}, chance=0.1)
    assert mending.p_value < 0.01
    assert not mending.is_named
