"""Does the lens see the concept? How well a concept's strength tells the images that show it from those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.statistics.detection import Score, auroc, tally
from conspect.statistics.intervals import auroc_interval


@dataclass(frozen=True, slots=True)
class ConceptDetection:
    """AUROC of a concept's strength, 0..1, higher = better, 0.5 = chance, with its interval; None where a kind is missing.

    `within_classes`: over pairs of images of the same class only, so that a lens which merely knows the class gets 0.5.
    """

    shown: int
    not_shown: int
    value: float | None
    low: float
    high: float
    within_classes: float | None


def detect(
    strengths: Floats, presence: Float64, labels: NDArray[np.int64], *, confidence: float = 0.95
) -> list[ConceptDetection]:
    """One entry per concept: `strengths [image, concept]` (cosine) against `presence [image, concept]` 1, 0 or NaN.

    Images whose presence is not known are left out. `labels [image]`: classes, for `within_classes`.
    """
    return [_detect(strengths[:, k], presence[:, k], labels, confidence) for k in range(presence.shape[1])]


def _detect(strength: Floats, presence: Float64, labels: NDArray[np.int64], confidence: float) -> ConceptDetection:
    known = ~np.isnan(presence)
    score, shown, classes = np.asarray(strength[known], dtype=np.float64), presence[known] == 1, labels[known]
    positives, negatives = int(shown.sum()), int((~shown).sum())
    value = _auroc(score, shown)
    low, high = (0.0, 1.0) if value is None else auroc_interval(value, positives, negatives, confidence)
    wins = pairs = 0.0
    for label in np.unique(classes):
        rows = classes == label
        inside = _auroc(score[rows], shown[rows])
        if inside is not None:
            number = float(shown[rows].sum()) * float((~shown[rows]).sum())
            wins, pairs = wins + inside * number, pairs + number
    return ConceptDetection(positives, negatives, value, low, high, wins / pairs if pairs else None)


def _auroc(score: Float64, shown: NDArray[np.bool_]) -> float | None:
    if not shown.any() or shown.all():
        return None
    return float(auroc(tally(Score(score, "suspect"), shown)))
