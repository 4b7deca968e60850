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
    groups = np.concatenate([np.ones(m, dtype=np.int64), np.zeros(n, dtype=np.int64)])
    scores = np.concatenate([members, others])
    order = np.argsort(scores, kind="stable")
    area = ranked_areas(scores[order], groups[order], 2, confidence)[1]
    assert area is not None
    return area


def ranked_areas(
    ascending: NDArray[np.floating], groups: NDArray[np.integer], number: int, confidence: float = 0.95
) -> list[RankedArea | None]:
    """Of each of `number` groups the area over all others: `ranked_area` for all of them, of scores that are sorted already.

    `ascending [image]`: scores; `groups [image]` in 0..number-1, in the same order. None for a group that has no images, or
    all of them.
    """
    if not len(ascending):
        return [None] * number
    first = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    tied = np.diff(np.append(first, len(ascending)))
    ranks = np.repeat(first + (tied + 1) / 2, tied)  # equal scores share the mean of their ranks
    sizes = np.bincount(groups, minlength=number)
    sums = np.bincount(groups, weights=ranks, minlength=number)
    ties = float((tied.astype(np.float64) ** 3 - tied).sum())
    return [
        _area(float(total) - m * (m + 1) / 2, m, len(ranks) - m, ties, confidence) if 0 < m < len(ranks) else None
        for m, total in zip(map(int, sizes), sums, strict=True)
    ]


def class_areas(scores: NDArray[np.floating], groups: NDArray[np.integer], number: int) -> NDArray[np.float64]:
    """`[group, score]`: the area alone, of each of `number` groups over all others, for `scores [image, score]` of any order.

    `groups [image]` in 0..number-1. 0.5 for a group that has no images, or all of them. Each score is ranked once for all
    groups. Source: Mann and Whitney (1947), U over the product of the sample sizes.
    """
    # By rows of the transposed array, which lie together in memory.
    ranks = stats.rankdata(np.ascontiguousarray(np.asarray(scores, dtype=np.float64).T), axis=1).T
    sizes = np.bincount(groups, minlength=number).astype(np.float64)[:, None]
    sums = np.stack([ranks[groups == group].sum(axis=0) for group in range(number)])
    pairs = sizes * (len(groups) - sizes)
    return np.where(pairs > 0, (sums - sizes * (sizes + 1) / 2) / np.maximum(pairs, 1.0), 0.5)


def _area(statistic: float, m: int, n: int, ties: float, confidence: float) -> RankedArea:
    """From Mann and Whitney's statistic of `m` members against `n` others; `ties`: the sum of t^3 - t over tied groups."""
    area = statistic / (m * n)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)) / (m * n)
    half = normal_quantile(confidence) * math.sqrt(max(variance, 0.0))
    images = m + n
    deviation = math.sqrt(m * n / 12 * (images + 1 - ties / (images * (images - 1))))
    # All scores equal: the test has no answer, and the ranks tell nothing. Half a step is the correction for continuity.
    above = max(statistic, m * n - statistic) - m * n / 2 - 0.5
    p = min(1.0, 2 * float(stats.norm.sf(above / deviation))) if deviation > 0 else 1.0
    return RankedArea(area, max(0.0, area - half), min(1.0, area + half), p)
