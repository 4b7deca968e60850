"""McNemar's test and Tango's interval against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar as reference

from conspect.statistics.paired import mcnemar, score, tango


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_test_of_statsmodels(fixed: int, broken: int) -> None:
    assert mcnemar(fixed, broken) == pytest.approx(reference([[5, fixed], [broken, 5]], exact=True).pvalue)
    if fixed + broken:
        assert mcnemar(fixed, broken) == pytest.approx(binomtest(fixed, fixed + broken).pvalue)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 60), st.floats(-0.9, 0.9))
def test_the_score_takes_the_likeliest_share_of_broken_images(fixed: int, broken: int, other: int, d: float) -> None:
    images = fixed + broken + other

    def unlikely(q: float) -> float:
        shares = np.array([q + d, q, 1 - 2 * q - d])
        counts = np.array([fixed, broken, other])
        return -float(np.sum(counts[counts > 0] * np.log(np.maximum(shares, 1e-300)[counts > 0])))

    low, high = max(0.0, -d), (1 - d) / 2
    best = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = images * (2 * best + d - d * d)
    expected = (fixed - broken - images * d) / math.sqrt(variance)
    assert score(fixed, broken, images, d) == pytest.approx(expected, rel=1e-3, abs=1e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 500))
def test_the_interval_holds_the_estimate_and_turns_over_with_the_sides(fixed: int, broken: int, other: int) -> None:
    images = fixed + broken + other
    low, high = tango(fixed, broken, images)
    assert -1 <= low <= (fixed - broken) / images <= high <= 1
    assert tango(broken, fixed, images) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("gain", "loss"), [(0.05, 0.05), (0.1, 0.02), (0.01, 0.0), (0.2, 0.4)])
def test_the_interval_covers_as_often_as_it_says(gain: float, loss: float) -> None:
    images, covered = 50, 0.0
    for fixed in range(images + 1):
        for broken in range(images + 1 - fixed):
            chance = multinomial.pmf([fixed, broken, images - fixed - broken], images, [gain, loss, 1 - gain - loss])
            if chance > 1e-9:
                low, high = tango(fixed, broken, images)
                covered += chance * (low <= gain - loss <= high)
    assert covered > 0.93


@pytest.mark.parametrize("images", [1, 2, 7, 40])
def test_where_all_images_go_one_way_the_interval_ends_at_the_end(images: int) -> None:
    (low, upper), (lower, high) = tango(0, images, images), tango(images, 0, images)
    assert (low, high) == (-1.0, 1.0)
    assert -1 < upper == pytest.approx(-lower)


def test_without_images_nothing_is_known() -> None:
    assert tango(0, 0, 0) == (-1, 1)
    assert mcnemar(0, 0) == 1
