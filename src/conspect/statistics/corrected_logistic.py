"""Logistic regression that starts from scores somebody else has given, and learns only how to correct them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from conspect.core.vectors import log_softmax

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CorrectedModel:
    """Scores = sharpness * given + features @ weight + bias: `weight [feature, class]`, `bias [class]`."""

    sharpness: float
    weight: Float64
    bias: Float64

    def scores(self, features: NDArray[np.floating], given: NDArray[np.floating]) -> Float64:
        """`[row, class]`; their softmax is the model's probability."""
        return np.asarray(self.sharpness * given + features @ self.weight + self.bias, dtype=np.float64)


def fit_corrected(
    features: NDArray[np.floating],
    given: NDArray[np.floating],
    labels: NDArray[np.int64],
    *,
    penalty: float,
    iterations: int = 200,
) -> CorrectedModel:
    """Minimises mean cross-entropy + penalty * ||weight||^2 / 2 over standardised `features [row, feature]`.

    `given [row, class]`: the scores to correct. Sharpness and bias are not penalised, so that an infinite penalty leaves
    the given scores recalibrated (temperature and bias) and nothing else. Constant features get weight 0.
    """
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, np.inf)
    x = np.asarray((features - mean) / scale, dtype=np.float64)
    start_scores = np.asarray(given, dtype=np.float64)
    rows, width = x.shape
    classes = start_scores.shape[1]
    one_hot = np.zeros((rows, classes))
    one_hot[np.arange(rows), labels] = 1.0

    def loss(flat: Float64) -> tuple[float, Float64]:
        weight = flat[1 + classes :].reshape(width, classes)
        scores = flat[0] * start_scores + flat[1 : 1 + classes] + x @ weight
        # By hand: SciPy's log-sum-exp costs more than all the rest of a small fit.
        shifted = scores - scores.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        total = exponentials.sum(axis=1, keepdims=True)
        log_probability = shifted - np.log(total)
        residual = (exponentials / total - one_hot) / rows
        gradient = x.T @ residual + penalty * weight
        value = -float(np.sum(log_probability * one_hot)) / rows + penalty / 2 * float(np.square(weight).sum())
        return value, np.concatenate([[np.sum(residual * start_scores)], residual.sum(0), gradient.ravel()])

    start = np.zeros(1 + classes + width * classes)
    start[0] = 1.0
    optimum = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    solution = np.asarray(optimum.x, dtype=np.float64)
    weight = solution[1 + classes :].reshape(width, classes) / scale[:, None]
    return CorrectedModel(float(solution[0]), weight, solution[1 : 1 + classes] - mean @ weight)


def choose_penalty(
    features: NDArray[np.floating],
    given: NDArray[np.floating],
    labels: NDArray[np.int64],
    fold: NDArray[np.integer],
    penalties: Sequence[float],
) -> float:
    """The penalty with the least cross-validated cross-entropy; `fold [row]` names the part each row is left out with."""
    losses = []
    for penalty in penalties:
        total = 0.0
        for k in np.unique(fold):
            held = fold == k
            model = fit_corrected(features[~held], given[~held], labels[~held], penalty=penalty)
            scores = log_softmax(model.scores(features[held], given[held]))
            total -= float(scores[np.arange(int(held.sum())), labels[held]].sum())
        losses.append(total)
    return float(penalties[int(np.argmin(losses))])
