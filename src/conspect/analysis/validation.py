"""Statistical validation: how often does each strength predicate hold on held-out images, seen both ways?

Paper A shows the shares twice before anything is proved: with the VLM's own image embedding, and with r_map(encoder(x)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import HeatmapCounts, by_group
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Floats


@dataclass(frozen=True, eq=False)
class Validation:
    """Counts per class with the VLM's own embedding and through the lens, and how often both agree on a predicate.

    `agreement [class]`: share of (image, unordered pair) on which the two single-input heatmaps say the same.
    """

    by_vlm: list[HeatmapCounts]
    by_lens: list[HeatmapCounts]
    agreement: NDArray[np.float64]


def validate(vlm_strengths: Floats, lens_strengths: Floats, labels: NDArray[np.int64], classes: int) -> Validation:
    """Both strengths `[image, concept]` of the same held-out images, grouped by true label."""
    agreement = np.full(classes, np.nan)
    pairs = np.triu_indices(vlm_strengths.shape[1], 1)
    for index in range(classes):
        rows = labels == index
        if rows.any() and len(pairs[0]):
            one, two = (np.sign(s[rows][:, pairs[0]] - s[rows][:, pairs[1]]) for s in (vlm_strengths, lens_strengths))
            agreement[index] = (one == two).mean()
    return Validation(by_group(vlm_strengths, labels, classes), by_group(lens_strengths, labels, classes), agreement)


@dataclass(frozen=True, slots=True)
class ExpectedPair:
    """A predicate that the class-attribute table expects: relevant over irrelevant, with the images that satisfy it."""

    class_index: int
    relevant: int
    irrelevant: int
    satisfied: int
    images: int


def expected_pairs(counts: list[HeatmapCounts], table: ClassAttributes) -> list[ExpectedPair]:
    """Every relevant-over-irrelevant pair of every class, weakest share first."""
    found = [
        ExpectedPair(c, int(i), int(j), int(heatmap.greater[i, j]), heatmap.images)
        for c, heatmap in enumerate(counts)
        for i in np.flatnonzero(table.relevant[c])
        for j in np.flatnonzero(table.irrelevant[c])
    ]
    return sorted(found, key=lambda pair: pair.satisfied / pair.images if pair.images else 1.0)
