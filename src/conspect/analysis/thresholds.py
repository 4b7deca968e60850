"""From which strength on a concept counts as present (`hasCon`): calibrated on labelled images, never on those judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64, Floats


def calibrate(strengths: Floats, labels: NDArray[np.int64], table: ClassAttributes | None) -> Float64:
    """Thresholds `[concept]` on `strengths [image, concept]` (cosines; present means strictly above).

    With a class-attribute table: the cut with the best balanced accuracy between images of classes the concept is relevant
    to and of classes it is irrelevant to (Youden's J, 1950), midway between the two neighbouring strengths. Without, or
    where one side is empty: the median strength.
    """
    thresholds = np.median(strengths, axis=0).astype(np.float64)
    if table is None:
        return thresholds
    for concept in range(strengths.shape[1]):
        present = table.relevant[labels, concept]
        absent = table.irrelevant[labels, concept]
        if present.any() and absent.any():
            thresholds[concept] = _best_cut(strengths[present, concept], strengths[absent, concept])
    return thresholds


def _best_cut(present: Floats, absent: Floats) -> float:
    values = np.unique(np.concatenate([present, absent]).astype(np.float64))
    above = 1.0 - np.searchsorted(np.sort(present), values, side="right") / len(present)
    below = np.searchsorted(np.sort(absent), values, side="right") / len(absent)
    best = int(np.argmax(above + below))
    upper = values[min(best + 1, len(values) - 1)]
    return float((values[best] + upper) / 2)
