"""From counts to the shares of the record."""

from __future__ import annotations

from typing import SupportsFloat, SupportsInt

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import HeatmapCounts
from conspect.results.shares import CountInterval, Counts, Share
from conspect.statistics.intervals import wilson


def share(successes: SupportsInt, trials: SupportsInt, confidence: float) -> Share:
    """`successes` of `trials` with the Wilson interval at `confidence`."""
    hits, number = int(successes), int(trials)
    low, high = wilson(hits, number, confidence)
    return Share(value=hits / number if number else None, low=float(low), high=float(high), successes=hits, n=number)


def count_intervals(counts: HeatmapCounts, confidence: float) -> tuple[CountInterval, ...]:
    """Intervals of the counts of a heatmap, to six decimals; what they decide is told before they are rounded."""
    table = counts.counts_and_intervals(confidence)
    rows = zip(
        table.counts.tolist(),
        table.low.round(6).tolist(),
        table.high.round(6).tolist(),
        table.decided.tolist(),
        strict=True,
    )
    return tuple(CountInterval(*row) for row in rows)


def finite_or_none(value: SupportsFloat) -> float | None:
    """The value, or None for NaN and infinities, which JSON has not."""
    number = float(value)
    return number if np.isfinite(number) else None


def counts_matrix(values: NDArray[np.integer]) -> Counts:
    """`[row, column]` of integers as the record has it."""
    return tuple(tuple(row) for row in values.tolist())
