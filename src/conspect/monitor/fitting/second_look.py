"""Fits the second look: how much several looks at an image say beside the first tier's suspicion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Floats
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.parameters import FoldedReadings
from conspect.monitor.runtime.second_look import Looks, SecondLook, look_features
from conspect.monitor.runtime.suspicion import LARGEST_SQUARE
from conspect.statistics.corrected_logistic import choose_penalty, fit_corrected
from conspect.statistics.detection import Score

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, eq=False)
class FittedSecondLook:
    """The tier, and its suspicion `[image]` of the fit split, from the first tier's cross-fitted one."""

    second_look: SecondLook
    of_fit_split: Score


def fit_second_look(
    folded: FoldedReadings,
    first: Score,
    looked: Looks,
    wrong: NDArray[np.bool_],
    *,
    also_suspect: tuple[Floats, Looks] | None = None,
    further: tuple[Look, ...] = (),
    folds: int = 5,
    seed: int = 0,
) -> FittedSecondLook:
    """Corrects the mean log-odds over looks by a penalised logistic regression on LOOK_FEATURES and their squares.

    `first`: the first tier's cross-fitted suspicion of the fit split. `also_suspect`: first tier's suspicion `[image]` and
    looks of further inputs to flag. `further`: which looks they are, for whoever has to take them later. The penalty is
    chosen by cross-validated likelihood; a large one leaves the
    recalibrated log-odds. Raises UserError MONITOR002 when all outputs are of one kind.
    """
    if wrong.all() or not wrong.any():
        fix = "fit on held-out inputs of which the model gets some wrong"
        raise user_error("MONITOR002", f"all {len(wrong)} outputs are of one kind", fix)
    numerators = folded.readings(looked.embeddings[:, 0])[: folded.concepts]
    deviation = numerators.std(1)
    features, outputs = look_features(looked, first.suspicion, folded, deviation)
    suspect = np.asarray(wrong)
    if also_suspect is not None:
        more, more_outputs = look_features(also_suspect[1], also_suspect[0], folded, deviation)
        features, outputs = np.vstack([features, more]), np.concatenate([outputs, more_outputs])
        suspect = np.concatenate([suspect, np.ones(len(more), dtype=np.bool_)])
    mean, spread = features.mean(0), features.std(0)
    scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), 0.0)
    standard = (features - mean) * scale
    design = np.hstack([standard, np.minimum(np.square(standard), LARGEST_SQUARE), np.eye(folded.classes)[outputs]])
    given = np.column_stack([np.zeros(len(design)), -features[:, 0]])
    marks = suspect.astype(np.int64)
    fold = np.random.default_rng(seed).permutation(len(design)) % folds
    model = fit_corrected(design, given, marks, penalty=choose_penalty(design, given, marks, fold, PENALTIES))
    weight, bias = model.weight[:, 1] - model.weight[:, 0], model.bias[1] - model.bias[0]
    width = features.shape[1]
    weights = weight[: 2 * width].reshape(2, width).copy()
    # sharpness * -log-odds, written on the standardised feature that the run time has.
    weights[0, 0] -= model.sharpness * spread[0]
    offset = weight[2 * width :] + bias - model.sharpness * mean[0]
    arrays = [np.asarray(array, dtype=np.float32) for array in (deviation, mean, scale, weights, offset)]
    tier = SecondLook(looked.logits.shape[1], arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], further)
    own, _ = tier.suspicion(looked, first.suspicion, folded)
    return FittedSecondLook(tier, Score(own.astype(np.float64), "suspect"))
