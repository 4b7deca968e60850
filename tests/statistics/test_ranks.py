"""The area under the curve of ranks: its interval and p-value against the sources and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conspect.statistics.ranks import class_areas, ranked_area, ranked_areas


def test_the_interval_is_that_of_hanley_and_mcneil() -> None:
    """Their standard error written out with probabilities of pairs, for scores without ties."""
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.7, 1, 40), rng.normal(0, 1, 55)
    ranked = ranked_area(members, others, confidence=0.9)
    area = float(np.mean(members[:, None] > others[None, :]))
    two_members, two_others = area / (2 - area), 2 * area * area / (1 + area)
    squared = (area * (1 - area) + 39 * (two_members - area**2) + 54 * (two_others - area**2)) / (40 * 55)
    half = stats.norm.ppf(0.95) * math.sqrt(squared)
    assert ranked.area == pytest.approx(area, abs=1e-12)
    assert [ranked.low, ranked.high] == pytest.approx([area - half, area + half], abs=1e-12)
    assert ranked.high - ranked.low > 0.1
    assert ranked.p == pytest.approx(stats.mannwhitneyu(members, others, method="asymptotic").pvalue)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, inside = np.random.default_rng(1), 0
    truth = float(stats.norm.cdf(0.8 / math.sqrt(2)))
    for _ in range(400):
        ranked = ranked_area(rng.normal(0.8, 1, 60), rng.normal(0, 1, 60))
        inside += ranked.low <= truth <= ranked.high
    assert 0.92 <= inside / 400 <= 0.98


def test_sides_that_are_apart_or_alike() -> None:
    apart = ranked_area(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0]))
    assert (apart.area, apart.low, apart.high) == (1.0, 1.0, 1.0)
    alike = ranked_area(np.ones(4), np.ones(5))
    assert (alike.area, alike.p) == (0.5, 1.0)
    with pytest.raises(ValueError, match="0 members against 2 others"):
        ranked_area(np.array([]), np.ones(2))


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_areas_of_many_groups_are_those_of_scipys_test_of_each(seed: int, many: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.integers(0, 4, many).astype(float) if tied else rng.normal(size=many))
    groups = rng.integers(0, 3, many)
    areas = list(ranked_areas(scores, groups, 4))
    assert len(areas) == 4
    for number, ranked in enumerate(areas):
        members, others = scores[groups == number], scores[groups != number]
        if not len(members) or not len(others):
            assert ranked is None
            continue
        assert ranked is not None
        test = stats.mannwhitneyu(members, others, alternative="two-sided", method="asymptotic")
        assert ranked.area == pytest.approx(float(test.statistic) / (len(members) * len(others)))
        assert ranked.p == pytest.approx(float(test.pvalue) if np.isfinite(test.pvalue) else 1.0)


def test_areas_of_many_scores_are_those_of_each_score_alone() -> None:
    rng = np.random.default_rng(2)
    scores, groups = rng.integers(0, 6, (60, 4)).astype(float), rng.integers(0, 3, 60)
    areas = class_areas(scores, groups, 4)
    for group in range(3):
        expected = [ranked_area(column[groups == group], column[groups != group]).area for column in scores.T]
        np.testing.assert_allclose(areas[group], expected, rtol=1e-12)
    assert areas[3].tolist() == [0.5] * 4  # no image of this group
    assert class_areas(scores, np.zeros(60, dtype=int), 1).tolist() == [[0.5] * 4]  # no image of another
