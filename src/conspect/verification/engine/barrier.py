"""Thousands of small feasibility questions over a unit ball at once, by a barrier method on their few multipliers.

One question: is there |u| <= 1 with a_l'u + b_l > 0 for l = 1..L? By minimax duality

    max_u min_l (a_l'u + b_l) = min over the simplex of lambda'b + |A'lambda|*

with the dual norm (sum of magnitudes for the maximum norm, Euclidean for the Euclidean). The right side has L unknowns
however many dimensions u has. It is smoothed with the self-concordant barriers of both sides, and each Newton step
gives a u strictly inside the ball beside its multipliers, so whichever proves its point first ends the question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.regions import Norm
from conspect.core.spaces import Float64

OPEN, CLOSED, POINT = 0, 1, 2
FRACTIONS = (1.0, 0.5, 0.2, 0.07, 0.02)


@dataclass(frozen=True, eq=False)
class Bounds:
    """`status [question]` (OPEN, CLOSED or POINT), `multipliers [question, L]` >= 0 with sum 1, `points [question, D]`.

    `lower [question]` and `upper [question]` enclose max_u min_l, up to rounding. All are hints: what is claimed is
    checked exactly elsewhere.
    """

    status: NDArray[np.int8]
    multipliers: Float64
    points: Float64
    lower: Float64
    upper: Float64


def dual_norm(vectors: Float64, norm: Norm) -> Float64:
    """The largest value of v'u over |u| <= 1, along the last axis."""
    if norm == "max":
        return np.asarray(np.abs(vectors).sum(axis=-1))
    return np.asarray(np.sqrt(np.square(vectors).sum(axis=-1)))


def answer(
    slopes: Float64, offsets: Float64, norm: Norm, *, steps: int = 100, tolerance: float = 1e-9, tight: bool = False
) -> Bounds:
    """Bounds for `slopes [question, L, D]` and `offsets [question, L]`.

    A question is CLOSED when the bound is below -tolerance times its scale, POINT when all values exceed it.
    With `tight` the iteration goes on after that, for multipliers whose bound is close to the best.
    """
    count, literals, dimension = slopes.shape
    scale = np.maximum(np.abs(offsets), dual_norm(slopes, norm)).max(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    result = Bounds(
        np.zeros(count, np.int8),
        np.full((count, literals), 1.0 / literals),
        np.zeros((count, dimension)),
        np.full(count, -np.inf),
        np.full(count, np.inf),
    )
    live = np.arange(count)
    A, b = slopes / scale[:, None, None], offsets / scale[:, None]
    weights = result.multipliers.copy()
    smoothing = np.full(count, 0.1)
    for _ in range(steps):
        if not len(live):
            break
        v = np.matmul(weights[:, None, :], A)[:, 0, :]
        root, u = _inner(v, smoothing, norm)
        values = b + np.matmul(A, u[:, :, None])[:, :, 0]
        worst = values.min(axis=1)
        bound = (weights * b).sum(axis=1) + dual_norm(v, norm)
        _record(result, live, (worst * scale[live], bound * scale[live]), u, weights)
        closed = result.upper[live] < -tolerance * scale[live]
        point = result.lower[live] > tolerance * scale[live]
        result.status[live[closed]] = CLOSED
        result.status[live[point]] = POINT
        gap = result.upper[live] - result.lower[live]
        finished = (np.zeros(len(live), dtype=bool) if tight else closed | point) | (gap <= tolerance * scale[live])
        relative, decrement = _newton(A, weights, values, (v, root, smoothing), norm)
        weights = _step(A, b, weights, relative, smoothing=smoothing, norm=norm)
        smoothing = np.where(decrement < 0.1, smoothing * 0.1, smoothing)
        stay = ~finished & (smoothing > (1e-6 if tight else 1e-9)) & np.isfinite(weights).all(axis=1)
        live, A, b, weights, smoothing = live[stay], A[stay], b[stay], weights[stay], smoothing[stay]
    return result


def _inner(v: Float64, smoothing: Float64, norm: Norm) -> tuple[Float64, Float64]:
    """The maximiser of v'u + smoothing * log-barrier(u): u = v / (smoothing + root)."""
    mu = smoothing[:, None]
    root = np.sqrt(mu**2 + (v**2 if norm == "max" else np.square(v).sum(axis=1, keepdims=True)))
    return root, v / (mu + root)


def _record(
    result: Bounds, live: NDArray[np.intp], values: tuple[Float64, Float64], u: Float64, weights: Float64
) -> None:
    worst, bound = values
    better = worst > result.lower[live]
    result.lower[live[better]] = worst[better]
    result.points[live[better]] = u[better]
    tighter = bound < result.upper[live]
    result.upper[live[tighter]] = bound[tighter]
    result.multipliers[live[tighter]] = weights[tighter]


def _newton(
    A: Float64, weights: Float64, values: Float64, inner: tuple[Float64, Float64, Float64], norm: Norm
) -> tuple[Float64, Float64]:
    """The Newton direction on the simplex and its decrement in units of the smoothing."""
    v, root, smoothing = inner
    mu = smoothing[:, None]
    gradient = values - mu / weights
    if norm == "max":
        hessian = np.matmul(A * (mu / (root * (mu + root)))[:, None, :], A.transpose(0, 2, 1))
    else:
        Av = np.matmul(A, v[:, :, None])
        hessian = np.matmul(A, A.transpose(0, 2, 1)) / (mu + root)[:, :, None]
        hessian -= np.matmul(Av, Av.transpose(0, 2, 1)) / (root * (mu + root) ** 2)[:, :, None]
    # In units of the weights the barrier's own part of the Hessian is the smoothing times the identity.
    scaled = hessian * weights[:, :, None] * weights[:, None, :] / mu[:, :, None]
    index = np.arange(weights.shape[1])
    # Rounding can make the rest slightly indefinite when v vanishes; the trace term outweighs it.
    scaled[:, index, index] += 1.0 + 1e-13 * np.trace(scaled, axis1=1, axis2=2)[:, None]
    sides = np.stack([gradient * weights / mu, weights], axis=2)
    solved = np.linalg.solve(scaled, sides)
    along = (weights[:, :, None] * solved).sum(axis=1)
    multiplier = along[:, 0] / np.maximum(along[:, 1], 1e-300)
    relative = -(solved[:, :, 0] - multiplier[:, None] * solved[:, :, 1])
    curvature = np.matmul(relative[:, None, :], np.matmul(scaled, relative[:, :, None]))[:, 0, 0]
    return relative, np.sqrt(np.maximum(curvature, 0.0))


def _step(A: Float64, b: Float64, weights: Float64, relative: Float64, *, smoothing: Float64, norm: Norm) -> Float64:
    """The best of a few fractions of the Newton step: self-concordance alone would allow only 1 / sqrt(D) of it."""
    longest = 0.95 / np.maximum(-relative.min(axis=1), 0.95)
    v = np.matmul(weights[:, None, :], A)[:, 0, :]
    change = np.matmul((weights * relative)[:, None, :], A)[:, 0, :]
    best, lowest = np.zeros(len(weights)), np.full(len(weights), np.inf)
    for fraction in FRACTIONS:
        length = fraction * longest
        moved = weights * (1.0 + length[:, None] * relative)
        value = (moved * b).sum(axis=1) - smoothing * np.log(moved).sum(axis=1)
        value += _smoothed_norm(v + length[:, None] * change, smoothing, norm)
        better = value < lowest
        best, lowest = np.where(better, length, best), np.where(better, value, lowest)
    moved = np.maximum(weights * (1.0 + best[:, None] * relative), 1e-14)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def _smoothed_norm(v: Float64, smoothing: Float64, norm: Norm) -> Float64:
    """max_u v'u + smoothing * log-barrier(u), per row; log(1 - u^2) = log(2 mu) - log(mu + root) at the maximiser."""
    root, u = _inner(v, smoothing, norm)
    mu = smoothing[:, None]
    barrier = mu * (np.log(2 * mu) - np.log(mu + root))
    return np.asarray((v * u).sum(axis=1) + barrier.sum(axis=1))
