"""How likely a broken part cost an image, from how near the image is to being right: weights and what they weigh.

Most failures of a model with a broken part are old ones: the sound model had them as well. What tells the new ones is that they
are easy: a corrected head is sure of their class, and the model itself nearly said it. That the VLM sees the class tells
nothing, for it sees that of four in five old failures too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.weighing import FIT_TOLERANCE, Suspect, WeightsTable
from conspect.core.spaces import Float64
from conspect.statistics.logistic import LogisticModel, fit_logistic

SIGNS = ("log-odds of the label, by a corrected head", "log-odds of the label, by the model itself")
# Log-odds beyond this say no more.
MOST_ODDS = 6.0
# A failure is put down to a part that is broken with at least the first probability, where it is as likely to be new as failures
# of broken models are on average.
LEAST_BROKEN, LEAST_NEW = 0.7, 0.25
BLAME_PENALTY, BLAME_ITERATIONS = 1e-3, 3000
# Whose weights a suspect has: what comes before the head costs images in the same way.
PARTS = (Suspect.HEAD, Suspect.ENCODER)


@dataclass(frozen=True, slots=True)
class BlameTable:
    """Weights as they ship: of which `signs`, `weight [part, sign]`, `bias [part]`, in the order of `PARTS`."""

    signs: tuple[str, ...]
    weight: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DiagnosisTable:
    """What diagnosis.json holds: weights of the evidence about a model, and about a failure."""

    model: WeightsTable
    failures: BlameTable


@dataclass(frozen=True, eq=False)
class BlameWeights:
    """A logistic model for each part, from `SIGNS` to whether the part's fault cost the image."""

    weight: Float64
    bias: Float64

    @classmethod
    def from_table(cls, table: BlameTable) -> BlameWeights:
        """From what `table` gave. Raises ValueError for weights of other signs."""
        if table.signs != SIGNS or len(table.weight) != len(PARTS):
            raise ValueError("these weights are of other evidence; run training/fit_diagnosis.py")
        return cls(np.array(table.weight, dtype=np.float64), np.array(table.bias, dtype=np.float64))

    def table(self) -> BlameTable:
        """As they are written down, rounded to five decimals."""
        return BlameTable(
            SIGNS, tuple(tuple(row) for row in self.weight.round(5).tolist()), tuple(self.bias.round(5).tolist())
        )

    def new(self, suspect: Suspect, signs: Float64) -> Float64:
        """Probability `[image]` that the fault of this part, if it is broken, cost each failure, from `signs [image, sign]`."""
        part = PARTS.index(Suspect.HEAD if suspect is Suspect.HEAD else Suspect.ENCODER)
        return np.asarray(1 / (1 + np.exp(-(signs @ self.weight[part] + self.bias[part]))))


def fit_blame(signs: tuple[Float64, Float64], new: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> BlameWeights:
    """For each of `PARTS`, from failures `signs [image, sign]` that are known to be `new [image]` or old."""
    fitted: list[LogisticModel] = [
        fit_logistic(
            x, truth.astype(np.int64), 2, penalty=BLAME_PENALTY, iterations=BLAME_ITERATIONS, tolerance=FIT_TOLERANCE
        )
        for x, truth in zip(signs, new, strict=True)
    ]
    weight = np.stack([model.weight[:, 1] - model.weight[:, 0] for model in fitted])
    return BlameWeights(weight, np.array([model.bias[1] - model.bias[0] for model in fitted]))


def log_odds(log_probability: Float64) -> Float64:
    """Of probabilities given by their logarithms, within `MOST_ODDS`."""
    probability = np.exp(np.minimum(log_probability, 0.0))
    with np.errstate(divide="ignore"):
        odds = np.log(probability) - np.log1p(-np.minimum(probability, 1 - 1e-12))
    return np.asarray(np.clip(odds, -MOST_ODDS, MOST_ODDS), dtype=np.float64)
