"""Convex programs that make the least slack of some literals as large as it gets, over a polytope or an ellipsoid.

Their answers are hints in floats: what is said to make a formula false is checked exactly by whoever uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint, linprog, minimize

from conspect.core.spaces import Float64

# Bound of a linear program's variables; and the condition number beyond which an ellipsoid's axes are not told apart.
FARTHEST, WORST_CONDITION, STEPS = 1e9, 1e9, 200


@dataclass(frozen=True, eq=False)
class Slacks:
    """`gains [L, v] @ v + least [L]`: how far each of L literals is from being false."""

    gains: Float64
    least: Float64


@dataclass(frozen=True, eq=False)
class HalfSpaces:
    """`rows [H, v] @ v <= limits [H]`."""

    rows: Float64
    limits: Float64

    def and_also(self, row: Float64, limit: float) -> HalfSpaces:
        """With one more."""
        return HalfSpaces(np.vstack([self.rows, row]), np.append(self.limits, limit))


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """All v with `|middle [V] + axes [V, v] @ v| <= size`."""

    middle: Float64
    axes: Float64
    size: float


def in_polytope(slacks: Slacks, polytope: HalfSpaces) -> Float64 | None:
    """v in the polytope with the largest least slack; None where the program has no answer. A linear program."""
    count, width = slacks.gains.shape
    rows = np.vstack([np.hstack([-slacks.gains, np.ones((count, 1))]), np.pad(polytope.rows, ((0, 0), (0, 1)))])
    ends = np.concatenate([slacks.least, polytope.limits])
    cost = np.append(np.zeros(width), -1.0)
    solved = linprog(cost, rows, ends, bounds=(-FARTHEST, FARTHEST), method="highs")
    return None if solved.x is None else np.asarray(solved.x[:-1], dtype=np.float64)


def in_ellipsoid(slacks: Slacks, ellipsoid: Ellipsoid, cut: HalfSpaces) -> Float64 | None:
    """v in the ellipsoid and in the half-spaces of `cut` with the largest least slack; None where it is empty.

    In s = triangle v, where axes = basis triangle, the ellipsoid is a ball: |middle + axes v|^2 = |outside|^2 + |s - s0|^2.
    """
    basis, triangle = np.linalg.qr(ellipsoid.axes)
    inner = basis.T @ ellipsoid.middle
    outside = float(np.sum((ellipsoid.middle - basis @ inner) ** 2))
    square = ellipsoid.size**2 - outside
    if square <= 0 or np.linalg.cond(triangle) > WORST_CONDITION:
        return None
    back = np.linalg.inv(triangle)
    gains, rows = slacks.gains @ back, cut.rows @ back
    # p is s, then t, the least slack.
    above = LinearConstraint(np.hstack([gains, -np.ones((len(gains), 1))]), lb=-slacks.least)
    ball = NonlinearConstraint(
        lambda p: np.atleast_1d(np.sum((p[:-1] + inner) ** 2)),
        -np.inf,
        square,
        jac=lambda p: np.append(2 * (p[:-1] + inner), 0.0),
    )
    below = [LinearConstraint(np.pad(rows, ((0, 0), (0, 1))), ub=cut.limits)] if len(rows) else []
    slope = np.append(np.zeros(len(back)), -1.0)

    def objective(p: Float64) -> float:
        return -float(p[-1])

    def gradient(p: Float64) -> Float64:
        return slope

    first = np.append(-inner, float((slacks.least - gains @ inner).min(initial=0.0)))
    solved = minimize(
        objective, first, jac=gradient, constraints=[above, ball, *below], method="SLSQP", options={"maxiter": STEPS}
    )
    v = np.asarray(back @ solved.x[:-1], dtype=np.float64)
    return v if np.isfinite(v).all() else None
