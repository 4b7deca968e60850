"""How far a VLM may be trusted as a lens: zero-shot accuracy, and whether relevant concepts beat irrelevant ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import HeatmapCounts
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Floats


def zero_shot(embeddings: Floats, class_directions: Floats) -> NDArray[np.int64]:
    """Predicted class `[image]`: the class whose direction has the largest cosine with the embedding."""
    return np.asarray((embeddings @ class_directions.T).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class PairAgreement:
    """Share of (image, relevant concept, irrelevant concept) triples in the right order; higher = better.

    `mean` weighs images equally; `by_class` is NaN for a class without images or without pairs.
    """

    mean: float
    by_class: NDArray[np.float64]
    images: int


def pair_agreement(counts: Sequence[HeatmapCounts], table: ClassAttributes) -> PairAgreement:
    """Over images of each class, how often a relevant concept's strength exceeds an irrelevant one's, strictly.

    `counts`: of each class of the table, over its images.
    """
    by_class = np.full(len(table.class_names), np.nan)
    total, images = 0.0, 0
    for index, heatmap in enumerate(counts):
        greater = heatmap.greater[np.ix_(table.relevant[index], table.irrelevant[index])]
        if heatmap.images and greater.size:
            by_class[index] = greater.sum() / (greater.size * heatmap.images)
            total, images = total + float(greater.sum()) / greater.size, images + heatmap.images
    return PairAgreement(total / images if images else float("nan"), by_class, images)
