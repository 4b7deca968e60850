"""How well a score tells one group from another by rank: the area under the ROC curve with interval and p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from conspect.statistics.intervals import normal_quantile


@dataclass(frozen=True, slots=True)
class RankedArea:
    """Probability that a member scores above a non-member, ties half, in 0..1; 0.5 tells nothing. `p`: of 0.5."""

    area: float
    low: float
    high: float
    p: float


def ranked_area(members: NDArray[np.floating], others: NDArray[np.floating], confidence: float = 0.95) -> RankedArea:
    """The area of `members [image]` over `others [image]`, both not empty.

    Interval: Hanley and McNeil (1982), Radiology 143, eq. 1, cut to 0..1. p-value: Mann and Whitney's test, two-sided, with
    correction for ties. Raises ValueError where one side is empty.
    """
    m, n = len(members), len(others)
    if not m or not n:
        raise ValueError(f"{m} members against {n} others: both sides are needed")
    test = stats.mannwhitneyu(members, others, alternative="two-sided", method="asymptotic")
    area = float(test.statistic) / (m * n)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)) / (m * n)
    half = normal_quantile(confidence) * math.sqrt(max(variance, 0.0))
    p = float(test.pvalue)
    # All scores equal: the test has no answer, and the ranks tell nothing.
    return RankedArea(area, max(0.0, area - half), min(1.0, area + half), p if math.isfinite(p) else 1.0)
