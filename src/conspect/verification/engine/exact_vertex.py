"""The exact solution at the vertex where a floating-point solver stopped: decides ties and near ties.

The solver names the constraints that are tight; their equations, solved in rationals, give the exact point and the exact
multipliers. Whether they prove anything is for the exact check to say, so a wrong vertex costs a verdict, never makes
one. Source: the idea of Dhiflaoui et al. (SODA 2003) and QSopt_ex.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from conspect.verification.engine.exact import ExactRegion
from conspect.verification.engine.integers import RationalVector, rational_vector
from conspect.verification.engine.solvers import highs
from conspect.verification.engine.steps import Multipliers
from conspect.verification.queries.negation import LinearLiteral

OUT_OF_TIME = "more time needed than the budget has"


@dataclass(frozen=True, eq=False)
class _Program:
    """max t with slopes w + offsets >= t (rows that are `counted`) or >= 0 (the others), |w_k| <= size; all exact."""

    slopes: list[list[int]]
    offsets: list[int]
    size: Fraction
    counted: NDArray[np.bool_]

    @property
    def dimension(self) -> int:
        return len(self.slopes[0])

    def entry(self, row: int, column: int) -> int:
        """Coefficient of a variable; the one after the last w is t."""
        return -int(self.counted[row]) if column == self.dimension else self.slopes[row][column]


def decide(
    region: ExactRegion, literals: tuple[LinearLiteral, ...], size: Fraction, deadline: float
) -> Multipliers | RationalVector | str:
    """Multipliers that close the literals, coordinates that satisfy them, or the reason for neither. Boxes only.

    `deadline`: on the monotonic clock.
    """
    everything = np.ones(len(literals), dtype=bool)
    strict = np.array([literal.strict for literal in literals])
    # At an exact tie the smallest value over all literals is 0. Whether that is a point or a proof depends on the strict
    # ones alone: the second program asks how far those can be pushed while the others only stay at 0 or above.
    phases = [everything] if strict.all() or not strict.any() else [everything, strict]
    reason = "no solver decided a conjunct"
    for counted in phases:
        vertex = _vertex(_program(region, literals, size, counted), deadline)
        if isinstance(vertex, str):
            reason = vertex
            continue
        coordinates, multipliers = vertex
        if multipliers and region.closing(literals, multipliers, size) is not None:
            return multipliers
        if coordinates is not None and region.has_coordinates(coordinates, size):
            values = [
                region.forms.value(literal.first, coordinates) - region.forms.value(literal.second, coordinates)
                for literal in literals
            ]
            if all(v > 0 or (v == 0 and not x.strict) for v, x in zip(values, literals, strict=True)):
                return coordinates
    return reason


def _program(
    region: ExactRegion, literals: tuple[LinearLiteral, ...], size: Fraction, counted: NDArray[np.bool_]
) -> _Program:
    rows, constants = region.forms.rows, region.forms.constants
    slopes = [[a - b for a, b in zip(rows[x.first], rows[x.second], strict=True)] for x in literals]
    return _Program(slopes, [constants[x.first] - constants[x.second] for x in literals], size, counted)


def _vertex(program: _Program, deadline: float) -> tuple[RationalVector | None, Multipliers] | str:
    """Exact coordinates and multipliers at HiGHS's final basis."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        return OUT_OF_TIME
    # Scaled by the largest entry, so that integers of any length become floats between -1 and 1.
    biggest = max((abs(v) for row in [*program.slopes, program.offsets] for v in row), default=0) or 1
    numeric = np.array([[float(v / biggest) for v in row] for row in program.slopes])
    offsets = np.array([float(v / biggest) for v in program.offsets])
    limit = np.full(program.dimension, float(program.size))
    vertex = highs.maximise_smallest(numeric, offsets, program.counted, -limit, limit, seconds=seconds)
    if vertex.status != "optimal":
        return f"HiGHS stopped with status {vertex.status}"
    basic = [int(k) for k in np.flatnonzero(vertex.places == highs.BASIC)]
    active = [int(k) for k in np.flatnonzero(vertex.active)]
    if len(basic) != len(active):
        return "HiGHS gave no square basis"
    primal = _primal(program, vertex, basic, active, deadline)
    dual = _dual(program, basic, active, deadline)
    if isinstance(primal, str) or isinstance(dual, str):
        return OUT_OF_TIME
    return primal, dual


def _primal(
    program: _Program, vertex: highs.Vertex, basic: list[int], active: list[int], deadline: float
) -> RationalVector | str | None:
    """The point where all active rows are tight: nonbasic variables sit at their ends, the basic ones are solved for."""
    places = vertex.places
    ends = {
        k: (-program.size if places[k] == highs.LOWER else program.size)
        for k in range(program.dimension)
        if places[k] != highs.BASIC
    }
    right = []
    for r in active:
        row = program.slopes[r]
        # Integers are added up first and meet the fractional size once, which is what keeps long rows cheap.
        low = sum(row[k] for k, end in ends.items() if end < 0)
        high = sum(row[k] for k, end in ends.items() if end >= 0)
        right.append(-(program.offsets[r] + program.size * (high - low)))
    solved = solve([[program.entry(r, k) for k in basic] for r in active], right, deadline)
    if solved is None or isinstance(solved, str):
        return solved
    values = dict(zip(basic, solved, strict=True)) | ends
    return rational_vector([Fraction(values[k]) for k in range(program.dimension)])


def _dual(program: _Program, basic: list[int], active: list[int], deadline: float) -> Multipliers | str:
    """Weights of the active rows under which every basic variable has reduced cost 0; t itself costs 1.

    Weights that are all >= 0 bound t from above by the value at the vertex; made whole they are multipliers of a proof.
    """
    columns = [[program.entry(r, k) for r in active] for k in basic]
    weights = solve(columns, [Fraction(-1 if k == program.dimension else 0) for k in basic], deadline)
    if isinstance(weights, str):
        return weights
    if weights is None or any(w < 0 for w in weights):
        return ()
    scale = lcm(*(w.denominator for w in weights)) if weights else 1
    return tuple((r, int(w * scale)) for r, w in zip(active, weights, strict=True) if w)


def solve(matrix: list[list[int]], right: list[Fraction], deadline: float) -> list[Fraction] | str | None:
    """The exact solution of a square system; None when it is singular, a reason when time is up.

    Gauss with the first nonzero pivot: exact arithmetic needs no other, and numbers grow only as determinants do.
    """
    work = [[*map(Fraction, row), value] for row, value in zip(matrix, right, strict=True)]
    size = len(work)
    for k in range(size):
        if time.monotonic() >= deadline:
            return OUT_OF_TIME
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
