"""The five kinds of semantic heatmap. Cell (i, j) speaks of "concept i is stronger than concept j".

Source: paper B, "semantic heatmap". Counts are integers and add up over shards of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.dominance import Counts, count
from conspect.core.spaces import Float64, Floats
from conspect.statistics.intervals import newcombe, wilson
from conspect.statistics.testing import fisher_two_sided, holm


@dataclass(frozen=True, eq=False)
class CountIntervals:
    """Wilson intervals `low`, `high` of the shares that `counts` are; `decided` where they leave out one half. All `[count]`."""

    counts: NDArray[np.int64]
    low: Float64
    high: Float64
    decided: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeatmapCounts:
    """`greater[i, j]`: images in which concept i is stronger than j, strictly; out of `images`. `a + b` merges shards."""

    greater: Counts
    images: int

    def __add__(self, other: HeatmapCounts) -> HeatmapCounts:
        return HeatmapCounts(self.greater + other.greater, self.images + other.images)

    @property
    def share(self) -> Float64:
        """`[concept, concept]` in 0..1, NaN without images. The diagonal is 0: nothing is stronger than itself."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.greater / self.images if self.images else np.full(self.greater.shape, np.nan))

    def interval(self, confidence: float = 0.95) -> tuple[Float64, Float64]:
        """Wilson interval of each cell's share, each `[concept, concept]`."""
        return wilson(self.greater, self.images, confidence)

    def counts_and_intervals(self, confidence: float = 0.95) -> CountIntervals:
        """Each count that stands in a cell once, ascending, with the interval of its share."""
        counts = np.unique(self.greater)
        low, high = wilson(counts, self.images, confidence)
        return CountIntervals(counts, low, high, (low >= 0.5) | (high <= 0.5))


def single_input(strengths: Floats) -> NDArray[np.bool_]:
    """The 0/1 heatmap of one image: `strengths [concept]` to `[concept, concept]`."""
    return np.asarray(strengths[:, None] > strengths[None, :])


def aggregate(strengths: Floats, *, threads: int = 1) -> HeatmapCounts:
    """Counts over images, `strengths [image, concept]`; numerators of strengths (a positive factor per image) do as well."""
    return HeatmapCounts(count(np.asarray(strengths), threads=threads), len(strengths))


def by_group(strengths: Floats, groups: NDArray[np.integer], number: int) -> list[HeatmapCounts]:
    """One aggregate per group 0..number-1. Groups = true labels: ground-truth heatmaps; = model outputs: output-label ones."""
    return [aggregate(strengths[groups == group]) for group in range(number)]


@dataclass(frozen=True, eq=False)
class DifferentialHeatmap:
    """Correct minus incorrect behaviour of a class: `difference` in -1..1 with its 95 % interval and corrected p-value.

    All arrays `[concept, concept]`. `p_value` is Holm-adjusted over the unordered concept pairs of this heatmap: pair
    (i, j) and (j, i) are one question (asked as i > j for i < j).
    """

    correct: HeatmapCounts
    incorrect: HeatmapCounts
    difference: Float64
    low: Float64
    high: Float64
    p_value: Float64

    def top_pairs(self, limit: int, alpha: float = 0.05) -> list[tuple[int, int]]:
        """Significant pairs (i, j) with i > j lost in incorrect behaviour, largest difference first."""
        order = np.argsort(-np.nan_to_num(self.difference), axis=None, kind="stable")
        pairs = [(int(k) // len(self.difference), int(k) % len(self.difference)) for k in order]
        return [(i, j) for i, j in pairs if self.difference[i, j] > 0 and self.p_value[i, j] < alpha][:limit]


def differential(correct: HeatmapCounts, incorrect: HeatmapCounts, *, confidence: float = 0.95) -> DifferentialHeatmap:
    """Correct minus incorrect, cell by cell: Newcombe intervals, exact tests, Holm's correction over pairs i < j."""
    counts = (correct.greater, correct.images, incorrect.greater, incorrect.images)
    low, high = newcombe(*counts, confidence)
    rows, columns = np.triu_indices(len(correct.greater), 1)
    raw = fisher_two_sided(
        correct.greater[rows, columns], correct.images, incorrect.greater[rows, columns], incorrect.images
    )
    adjusted = np.ones(correct.greater.shape)
    adjusted[rows, columns] = adjusted[columns, rows] = holm(raw)
    return DifferentialHeatmap(correct, incorrect, correct.share - incorrect.share, low, high, adjusted)


# Cells of a binarized heatmap.
BELOW, UNCLEAR, ABOVE = 0, -1, 1


def binarized(counts: HeatmapCounts, threshold: float, *, confidence: float = 0.95) -> NDArray[np.int8]:
    """The summary cut at `threshold`: ABOVE or BELOW where the whole interval lies there, UNCLEAR where it straddles.

    With `confidence=0` the interval is the share itself, which is paper B's plain cut.
    """
    low, high = counts.interval(confidence) if confidence > 0 else (counts.share, counts.share)
    cells = np.full(counts.greater.shape, UNCLEAR, dtype=np.int8)
    cells[low >= threshold] = ABOVE
    cells[high < threshold] = BELOW
    np.fill_diagonal(cells, BELOW)
    return cells
