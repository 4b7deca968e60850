"""Multinomial logistic regression with an L2 penalty, by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from conspect.core.vectors import log_softmax, softmax


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """Scores = features @ weight + bias: `weight [feature, class]`, `bias [class]`."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """`[row, class]`, each row sums to 1."""
        return softmax(features @ self.weight + self.bias)


def fit_logistic(
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: int,
    *,
    penalty: float = 3e-2,
    iterations: int = 200,
    offset: NDArray[np.floating] | float = 0.0,
    tolerance: float | None = None,
) -> LogisticModel:
    """Minimises mean cross-entropy + penalty * ||weight||^2 / 2 over standardised `features [row, feature]`.

    The penalty is per row and on the standardised scale; constant features get weight 0. The bias is not penalised.
    With `offset [row, class]` the model is a correction: it is fitted to what has to be added to these scores.
    `tolerance`: stop only where no gradient is larger, so that the last digits do not depend on the machine.
    """
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, np.inf)
    x = np.asarray((features - mean) / scale, dtype=np.float64)
    rows, width = x.shape
    one_hot = np.zeros((rows, classes))
    one_hot[np.arange(rows), labels] = 1.0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(width + 1, classes)
        scores = offset + x @ parameters[:-1] + parameters[-1]
        log_probability = log_softmax(scores)
        residual = (np.exp(log_probability) - one_hot) / rows
        gradient = np.vstack([x.T @ residual + penalty * parameters[:-1], residual.sum(0, keepdims=True)])
        value = -float(np.sum(log_probability * one_hot)) / rows + penalty / 2 * float(np.square(parameters[:-1]).sum())
        return value, gradient.ravel()

    start = np.zeros((width + 1) * classes)
    if tolerance is None:
        optimum = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    else:
        until = {"maxiter": iterations, "gtol": tolerance, "ftol": 0.0}
        optimum = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=until)  # type: ignore[call-overload]
    parameters = np.asarray(optimum.x).reshape(width + 1, classes)
    weight = parameters[:-1] / scale[:, None]
    return LogisticModel(weight, parameters[-1] - mean @ weight)
