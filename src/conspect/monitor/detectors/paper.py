"""The paper's detector: is the heatmap of an input closer to correct or to incorrect behaviour of the output class?

Source: paper B, "runtime analysis". An input's single-input heatmap has a 1 where concept i is stronger than concept j.
It is compared with the stored heatmaps of the held-out inputs that the model rightly and wrongly assigned to the same
class. The paper does not name the similarity; Conspect has the cosine and a likelihood ratio with shrinkage.

Everything here takes strength numerators C z + b `[image, concept]`: a positive factor per image changes no cell, so
the norm that would turn them into cosines is never needed, and neither is the VLM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64, Floats
from conspect.core.vectors import unit
from conspect.statistics.detection import Score

# Weight of the class's overall heatmap in its two halves, in images: a cell seen in fewer says little by itself.
SHRINKAGE = 10.0
BLOCK = 1024


def cells(numerators: Floats) -> NDArray[np.float64]:
    """Single-input heatmaps, flattened: `[image, concept * concept]` of 0 and 1; a tie is 0 in both directions."""
    above = numerators[:, :, None] > numerators[:, None, :]
    return above.reshape(len(numerators), -1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class StoredHeatmaps:
    """Images in which i > j, of each class's correct and incorrect outputs: counts `[class, concept * concept]`.

    `correct_images`, `incorrect_images`: `[class]`.
    """

    correct: Float64
    incorrect: Float64
    correct_images: Float64
    incorrect_images: Float64

    @classmethod
    def count(
        cls, numerators: Floats, outputs: NDArray[np.integer], wrong: NDArray[np.bool_], classes: int
    ) -> StoredHeatmaps:
        """From held-out inputs: `outputs [image]` class indices, `wrong [image]` whether the output is not the label.

        Raises UserError MONITOR002 when no output is wrong or none is right.
        """
        if wrong.all() or not wrong.any():
            missing = "right" if wrong.all() else "wrong"
            fix = "fit on held-out inputs of which the model gets some wrong"
            raise user_error("MONITOR002", f"none of the {len(wrong)} outputs is {missing}", fix)
        width = numerators.shape[1] ** 2
        counts, images = np.zeros((2, classes, width)), np.zeros((2, classes))
        for start in range(0, len(numerators), BLOCK):
            rows = slice(start, start + BLOCK)
            np.add.at(counts, (wrong[rows].astype(np.intp), outputs[rows]), cells(numerators[rows]))
        np.add.at(images, (wrong.astype(np.intp), outputs), 1.0)
        return cls(counts[0], counts[1], images[0], images[1])


@dataclass(frozen=True, eq=False)
class CosineHeatmaps:
    """The stored heatmaps of a class at unit length: `correct`, `incorrect` `[class, concept * concept]`.

    A class that was never output wrongly is compared with the incorrect behaviour of all classes together, one that
    was never output rightly with the correct behaviour of all.
    """

    correct: Float64
    incorrect: Float64

    @classmethod
    def fit(cls, stored: StoredHeatmaps) -> CosineHeatmaps:
        """Normalises the heatmaps; scaling a heatmap does not change its cosine, so counts do as well as shares."""
        return cls(_directions(stored.correct), _directions(stored.incorrect))

    def score(self, numerators: Floats, outputs: NDArray[np.integer]) -> Score:
        """cos(heatmap, incorrect) - cos(heatmap, correct), -1..1: above 0 the input is closer to incorrect behaviour."""
        counts = cells(numerators)
        lengths = np.sqrt(counts.sum(1))
        gap = np.sum(counts * (self.incorrect - self.correct)[outputs], axis=1)
        return Score(gap / np.where(lengths > 0, lengths, 1.0), "suspect")


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """log P(heatmap | incorrect) - log P(heatmap | correct) as a sum over cells: `weight [class, cell]`, `offset [class]`.

    Cells count as independent (they are not; the ratio orders inputs, it is no probability).
    """

    weight: Float64
    offset: Float64

    @classmethod
    def fit(cls, stored: StoredHeatmaps, *, shrinkage: float = SHRINKAGE) -> LikelihoodRatio:
        """Each share is (count + a * overall) / (images + a), a = `shrinkage` and overall the class's share in all images.

        With no incorrect image of a class both halves are near its overall share and the ratio is near 0.
        """
        images = (stored.correct_images + stored.incorrect_images)[:, None]
        overall = (stored.correct + stored.incorrect + 0.5) / (images + 1.0)
        right = (stored.correct + shrinkage * overall) / (stored.correct_images[:, None] + shrinkage)
        wrong = (stored.incorrect + shrinkage * overall) / (stored.incorrect_images[:, None] + shrinkage)
        absent = np.log1p(-wrong) - np.log1p(-right)
        # A pair is two cells, i > j and j > i: halves, so that it counts once and a tie counts alike from both sides.
        return cls((np.log(wrong) - np.log(right) - absent) / 2, absent.sum(1) / 2)

    def score(self, numerators: Floats, outputs: NDArray[np.integer]) -> Score:
        """Log likelihood ratio in nats: above 0 the input is more likely under incorrect behaviour."""
        counts = cells(numerators)
        return Score(np.sum(counts * self.weight[outputs], axis=1) + self.offset[outputs], "suspect")


def flags(score: Score) -> NDArray[np.bool_]:
    """The paper's decision `[image]`: flag what is strictly closer to incorrect behaviour."""
    return np.asarray(score.suspicion > 0)


def _directions(counts: Float64) -> Float64:
    pooled = counts.sum(0)
    filled = np.where(counts.any(axis=1, keepdims=True), counts, pooled)
    return unit(filled)
