"""How far a VLM may be trusted as a lens: zero-shot accuracy, and whether relevant concepts beat irrelevant ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def pair_agreement(strengths: Floats, labels: NDArray[np.int64], table: ClassAttributes) -> PairAgreement:
    """Over images of each class, how often a relevant concept's strength exceeds an irrelevant one's, strictly.

    `strengths [image, concept]` (any positive multiple per image will do), `labels [image]` index the table's classes.
    """
    by_class = np.full(len(table.class_names), np.nan)
    total, images = 0.0, 0
    for index in range(len(table.class_names)):
        rows = strengths[labels == index]
        relevant, irrelevant = rows[:, table.relevant[index]], rows[:, table.irrelevant[index]]
        if len(rows) and relevant.shape[1] and irrelevant.shape[1]:
            right = (relevant[:, :, None] > irrelevant[:, None, :]).mean(axis=(1, 2))
            by_class[index] = right.mean()
            total, images = total + float(right.sum()), images + len(rows)
    return PairAgreement(total / images if images else float("nan"), by_class, images)
