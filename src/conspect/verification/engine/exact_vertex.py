"""The exact solution at the vertex where a floating-point solver stopped: decides ties and near ties.

The solver names the constraints that are tight; their equations, solved in rationals, give the exact point and the exact
multipliers. Whether they prove anything is for the exact check to say, so a wrong vertex costs a verdict, never makes
one. Source: the idea of Dhiflaoui et al. (SODA 2003) and QSopt_ex.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np

from conspect.verification.engine.exact import ExactRegion, Multipliers
from conspect.verification.engine.integers import RationalVector, rational_vector
from conspect.verification.engine.solvers import highs
from conspect.verification.queries.negation import LinearLiteral

Closed = tuple[str, Multipliers]
Found = tuple[str, RationalVector]


def decide(
    region: ExactRegion, literals: tuple[LinearLiteral, ...], size: Fraction, seconds: float
) -> Multipliers | RationalVector | str:
    """Multipliers that close the literals, coordinates that satisfy them, or the reason for neither. Boxes only."""
    everything = np.ones(len(literals), dtype=bool)
    strict = np.array([literal[2] for literal in literals])
    phases = [everything] if strict.all() or not strict.any() else [everything, strict]
    reason = "no solver decided a conjunct"
    for counted in phases:
        candidate = _vertex(region, literals, size, counted, seconds)
        if isinstance(candidate, str):
            reason = candidate
            continue
        coordinates, multipliers = candidate
        if multipliers and region.closes(literals, multipliers, size):
            return multipliers
        if coordinates is not None and region.has_coordinates(coordinates, size):
            values = [
                region.forms.value(first, coordinates) - region.forms.value(second, coordinates)
                for first, second, _ in literals
            ]
            if all(v > 0 or (v == 0 and not literal[2]) for v, literal in zip(values, literals, strict=True)):
                return coordinates
    return reason


def _vertex(
    region: ExactRegion, literals: tuple[LinearLiteral, ...], size: Fraction, counted: np.ndarray, seconds: float
) -> tuple[RationalVector | None, Multipliers] | str:
    """Exact coordinates and multipliers at HiGHS's final basis."""
    rows, constants = region.forms.rows, region.forms.constants
    slopes = [[a - b for a, b in zip(rows[p], rows[q], strict=True)] for p, q, _ in literals]
    offsets = [constants[p] - constants[q] for p, q, _ in literals]
    biggest = max((abs(v) for row in [*slopes, offsets] for v in row), default=0) or 1
    numeric = np.array([[v / biggest for v in row] for row in slopes])
    limit = np.full(numeric.shape[1], float(size))
    vertex = highs.maximise_smallest(
        numeric, np.array([v / biggest for v in offsets]), counted, -limit, limit, seconds=seconds
    )
    if vertex.status != "optimal":
        return f"HiGHS stopped with status {vertex.status}"
    basic = [int(k) for k in np.flatnonzero(vertex.places == highs.BASIC)]
    active = [int(k) for k in np.flatnonzero(vertex.active)]
    if len(basic) != len(active):
        return "HiGHS gave no square basis"
    dimension = len(limit)
    column = [[-int(counted[r]) if k == dimension else slopes[r][k] for k in basic] for r in active]
    fixed = {
        k: (-size if vertex.places[k] == highs.LOWER else size)
        for k in range(dimension)
        if vertex.places[k] != highs.BASIC
    }
    right = []
    for r in active:
        row = slopes[r]
        low = sum(row[k] for k, at in fixed.items() if at < 0)
        high = sum(row[k] for k, at in fixed.items() if at >= 0)
        right.append(-(offsets[r] + size * (high - low)))
    solved = solve(column, right)
    weights = solve(
        [[column[i][j] for i in range(len(active))] for j in range(len(basic))],
        [Fraction(-1 if k == dimension else 0) for k in basic],
    )
    coordinates = None
    if solved is not None:
        placed = dict(zip(basic, solved, strict=True)) | fixed
        coordinates = rational_vector([Fraction(placed[k]) for k in range(dimension)])
    multipliers: Multipliers = ()
    if weights is not None and all(w >= 0 for w in weights):
        scale = lcm(*(w.denominator for w in weights)) if weights else 1
        multipliers = tuple((r, int(w * scale)) for r, w in zip(active, weights, strict=True) if w)
    return coordinates, multipliers


def solve(matrix: list[list[int]], right: list[Fraction]) -> list[Fraction] | None:
    """The exact solution of a square system, or None when it is singular. Gauss with the first nonzero pivot."""
    work = [[*map(Fraction, row), value] for row, value in zip(matrix, right, strict=True)]
    size = len(work)
    for k in range(size):
        pivot = next((r for r in range(k, size) if work[r][k]), None)
        if pivot is None:
            return None
        work[k], work[pivot] = work[pivot], work[k]
        head = work[k]
        for r in range(size):
            if r != k and work[r][k]:
                ratio = work[r][k] / head[k]
                work[r] = [a - ratio * b for a, b in zip(work[r], head, strict=True)]
    return [work[k][size] / work[k][k] for k in range(size)]
