"""Statistical validation: how often does each strength predicate hold on held-out images, seen both ways?

Paper A shows the shares twice before anything is proved: with the VLM's own image embedding, and with r_map(encoder(x)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.dominance import Counts
from conspect.analysis.heatmaps import HeatmapCounts
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64


def agreement(agreed: Counts, images: NDArray[np.integer]) -> Float64:
    """`[class]`: share of (image, unordered pair) on which VLM and lens order the pair alike; NaN without images or pairs.

    `agreed [class, concept, concept]` as `Tallies` has it, `images [class]`.
    """
    pairs = np.triu_indices(agreed.shape[1], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(agreed[:, pairs[0], pairs[1]].sum(1) / (np.asarray(images) * len(pairs[0])))


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
    pairs = [
        ExpectedPair(c, int(i), int(j), int(heatmap.greater[i, j]), heatmap.images)
        for c, heatmap in enumerate(counts)
        for i in np.flatnonzero(table.relevant[c])
        for j in np.flatnonzero(table.irrelevant[c])
    ]
    return sorted(pairs, key=lambda pair: pair.satisfied / pair.images if pair.images else 1.0)
