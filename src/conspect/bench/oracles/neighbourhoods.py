"""Neighbourhoods decided independently: what denies a formula is a union of polyhedra, and of each the point nearest to the
image is looked for (least distance programming, Lawson and Hanson 1974).

The search is in floats, by non-negative least squares; the answer is exact. A point counts when all its literals are true
in fractions and it lies inside, and that there is none when weights of the literals show it in fractions. Nothing of the
verifier's queries, engine or arithmetic is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import isqrt
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from conspect.core.spaces import AffineMap, Float64, Floats
from conspect.language import expand
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger
from conspect.verification.queries.model import VerificationModel
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm

Vector = list[Fraction]
MOST_BRANCHES = 4096
SCALE = 10**60
# How far strict literals are moved inwards before the nearest point is looked for, in units of the radius.
INWARDS = (1e-12, 1e-9, 1e-6, 1e-4)


class Literal(NamedTuple):
    """slope'v + constant > 0, or >= 0; v are the readouts of an embedding."""

    slope: tuple[Fraction, ...]
    constant: Fraction
    strict: bool


@dataclass(frozen=True, eq=False)
class Polyhedra:
    """Decides formulas in ellipsoids {centre + factor w : |w| <= radius} of readouts of one model."""

    model: VerificationModel
    kinds: ReadoutKinds
    factor: Float64
    radius: Fraction

    def true_around(self, formula: Formula, centres: Float64) -> list[bool | None]:
        """Whether the formula is true for all readouts around each of the centres `[image, V]`; None where floats find neither
        a point nor weights that are right exactly."""
        branches = self.branches(expand(formula), wanted=False)
        if len(branches) > MOST_BRANCHES:
            return [None] * len(centres)
        factor = [[Fraction(entry) for entry in row] for row in self.factor.tolist()]
        across = {
            literal: [sum((s * row[k] for s, row in zip(literal.slope, factor, strict=True) if s), Fraction(0))
                      for k in range(len(factor))]
            for branch in branches for literal in branch
        }  # fmt: skip
        return [self._true(branches, across, [Fraction(c) for c in row]) for row in centres.tolist()]

    def _true(
        self, branches: Sequence[Sequence[Literal]], across: dict[Literal, Vector], centre: Vector
    ) -> bool | None:
        values = {
            literal: sum((s * c for s, c in zip(literal.slope, centre, strict=True) if s), literal.constant)
            for literal in across
        }
        decisions = [
            _empty([across[part] for part in branch], [values[part] for part in branch],
                   [part.strict for part in branch], self.radius)
            for branch in branches
        ]  # fmt: skip
        if False in decisions:
            return False
        return None if None in decisions else True

    def branches(self, formula: Formula, *, wanted: bool) -> list[tuple[Literal, ...]]:
        """The formula (or its denial) as a disjunction of conjunctions of literals."""
        match formula:
            case Predict() | Stronger() | HasConcept():
                literals = self._atom(formula)
                return [tuple(literals)] if wanted else [(_denied(literal),) for literal in literals]
            case Not(operand):
                return self.branches(operand, wanted=not wanted)
            case And(operands) | Or(operands):
                parts = [self.branches(part, wanted=wanted) for part in operands]
                together = isinstance(formula, And) == wanted
                return _both(parts) if together else [branch for part in parts for branch in part]
            case Implies(left, right):
                return self.branches(Or((Not(left), right)), wanted=wanted)
            case Iff(left, right):
                same = Or((And((left, right)), And((Not(left), Not(right)))))
                other = Or((And((left, Not(right))), And((Not(left), right))))
                return self.branches(same if wanted else other, wanted=True)
            case _:
                raise AssertionError(f"{type(formula).__name__} is no core node")

    def _atom(self, atom: Predict | Stronger | HasConcept) -> list[Literal]:
        concepts, classes = self.model.concept_names, self.model.class_names
        match atom:
            case Predict(name, lead):
                own = classes.index(name)
                return [
                    Literal(_minus(self._logit(own), self._logit(k)), -lead, lead == 0)
                    for k in range(len(classes))
                    if k != own
                ]
            case Stronger(left, right):
                a, b = (self._strength(concepts.index(name)) for name in (left, right))
                return [Literal(_minus(a, b), Fraction(0), strict=True)]
            case HasConcept(name):
                threshold = Fraction(self.model.thresholds[name])
                bar = tuple(threshold * entry for entry in self._unit(self._width - 1))
                return [Literal(_minus(self._strength(concepts.index(name)), bar), Fraction(0), strict=True)]

    @property
    def _width(self) -> int:
        return len(self.factor)

    @property
    def _logits(self) -> int:
        return 0 if self.kinds.class_index is None else len(self.model.class_names) - 1

    def _unit(self, place: int | None) -> tuple[Fraction, ...]:
        return tuple(Fraction(int(k == place)) for k in range(self._width))

    def _logit(self, index: int) -> tuple[Fraction, ...]:
        own = self.kinds.class_index
        assert own is not None
        return self._unit(None if index == own else index - (index > own))

    def _strength(self, index: int) -> tuple[Fraction, ...]:
        place = self.kinds.concepts.index(index)
        if self.kinds.form is StrengthForm.RELATIVE:
            return self._unit(self._logits + place - 1 if place else None)
        return self._unit(self._logits + place)


def _minus(left: Sequence[Fraction], right: Sequence[Fraction]) -> tuple[Fraction, ...]:
    return tuple(a - b for a, b in zip(left, right, strict=True))


def _denied(literal: Literal) -> Literal:
    return Literal(tuple(-s for s in literal.slope), -literal.constant, not literal.strict)


def _both(parts: Sequence[list[tuple[Literal, ...]]]) -> list[tuple[Literal, ...]]:
    """Conjunctions of one branch of each part; of too many, the first that are one too many."""
    conjunctions: list[tuple[Literal, ...]] = [()]
    for part in parts:
        conjunctions = [tuple(dict.fromkeys((*a, *b))) for a, b in product(conjunctions, part)][: MOST_BRANCHES + 1]
    return conjunctions


def _empty(rows: Sequence[Vector], values: Sequence[Fraction], strict: Sequence[bool], radius: Fraction) -> bool | None:
    """Whether no w with |w| <= radius has row'w + value > 0 (or >= 0) for every row, exactly; None if floats cannot tell."""
    if not rows:
        return False
    slopes = np.asarray([[float(entry) for entry in row] for row in rows])
    lengths = np.linalg.norm(slopes, axis=1)
    lengths[lengths == 0] = 1.0
    slopes /= lengths[:, None]
    least = -np.asarray([float(value) for value in values]) / lengths
    for inwards in INWARDS:
        moved = least + np.where(strict, inwards * max(float(radius), 1e-300), 0.0)
        weights, rest = _nearest(slopes, moved)
        for point in _points(rows, values, strict, (weights, rest, Fraction(inwards) * radius, lengths)):
            if sum((w * w for w in point), Fraction(0)) <= radius * radius and _satisfied(rows, values, strict, point):
                return False
        for multipliers in _multipliers(weights / lengths):
            if _excluded(rows, values, strict, radius, multipliers):
                return True
    return None


def _nearest(slopes: Float64, least: Float64) -> tuple[Float64, Float64]:
    """Weights of the rows of the least |w| with slopes w >= least, and the residual of their non-negative least squares."""
    system = np.vstack([slopes.T, least[None]])
    target = np.zeros(len(system))
    target[-1] = 1.0
    weights, _ = nnls(system, target, maxiter=30 * len(least) + 100)
    return weights, system @ weights - target


def _points(
    rows: Sequence[Vector],
    values: Sequence[Fraction],
    strict: Sequence[bool],
    nearest: tuple[Float64, Float64, Fraction, Float64],
) -> Iterator[Vector]:
    """The centre, the nearest point as floats have it, and the same with its tight rows solved in fractions."""
    weights, rest, inwards, lengths = nearest
    yield [Fraction(0)] * len(rows[0])
    if abs(rest[-1]) < 1e-14:
        return
    yield [Fraction(float(entry)) for entry in -rest[:-1] / rest[-1]]
    tight = list(map(int, np.flatnonzero(weights > 0)))
    gram = [[sum((a * b for a, b in zip(rows[i], rows[k], strict=True)), Fraction(0)) for k in tight] for i in tight]
    wanted = [(inwards * Fraction(float(lengths[k])) if strict[k] else Fraction(0)) - values[k] for k in tight]
    solved = _solved(gram, wanted)
    if solved is not None:
        yield [
            sum((s * rows[k][d] for s, k in zip(solved, tight, strict=True)), Fraction(0)) for d in range(len(rows[0]))
        ]


def _multipliers(weights: Float64) -> Iterator[list[Fraction]]:
    """The weights in fractions: short ones, which meet equalities exactly, and all their digits."""
    largest = float(weights.max(initial=0.0))
    if largest > 0:
        yield [Fraction(float(v) / largest).limit_denominator(1000) for v in weights]
        yield [Fraction(float(v) / largest) for v in weights]


def _satisfied(rows: Sequence[Vector], values: Sequence[Fraction], strict: Sequence[bool], point: Vector) -> bool:
    totals = [
        sum((a * w for a, w in zip(row, point, strict=True)), value) for row, value in zip(rows, values, strict=True)
    ]
    return all(total > 0 or (total == 0 and not bare) for total, bare in zip(totals, strict, strict=True))


def _excluded(
    rows: Sequence[Vector], values: Sequence[Fraction], strict: Sequence[bool], radius: Fraction, weights: Vector
) -> bool:
    """Whether the weighted sum of the literals is too small everywhere: value + radius |slope| < 0, or 0 if one is strict."""
    slope = [
        sum((u * row[k] for u, row in zip(weights, rows, strict=True) if u), Fraction(0)) for k in range(len(rows[0]))
    ]
    value = sum((u * v for u, v in zip(weights, values, strict=True)), Fraction(0))
    rise = radius * radius * sum((s * s for s in slope), Fraction(0))
    if value > 0 or rise > value * value:
        return False
    return rise < value * value or any(u > 0 and bare for u, bare in zip(weights, strict, strict=True))


def _solved(matrix: list[Vector], right: Vector) -> Vector | None:
    """x with matrix x = right, by elimination in fractions; free unknowns are 0. None if there is none."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    count, pivots, top = len(right), [], 0
    for column in range(count):
        best = next((k for k in range(top, count) if rows[k][column]), None)
        if best is None:
            continue
        rows[top], rows[best] = rows[best], rows[top]
        rows[top] = [entry / rows[top][column] for entry in rows[top]]
        for k in range(count):
            if k != top and rows[k][column]:
                rows[k] = [a - rows[k][column] * b for a, b in zip(rows[k], rows[top], strict=True)]
        pivots.append(column)
        top += 1
    if any(row[-1] for row in rows[top:]):
        return None
    solution = [Fraction(0)] * count
    for row, column in zip(rows, pivots, strict=False):
        solution[column] = row[-1]
    return solution


def readouts_of(model: VerificationModel, kinds: ReadoutKinds, embedding: Floats) -> Vector:
    """The readouts of an embedding `[D]`; a length is right to 50 digits."""
    z = [Fraction(entry) for entry in np.asarray(embedding, dtype=np.float64).tolist()]
    logits, mapped = z, _through(model.lens.alignment, z)
    for depth, layer in enumerate(model.head.layers):
        logits = _through(layer, [max(value, Fraction(0)) for value in logits] if depth else logits)
    strengths = [_product(map(Fraction, row), mapped) for row in model.lens.directions.tolist()]
    own = kinds.class_index
    read = [] if own is None else [logits[k] - logits[own] for k in range(len(logits)) if k != own]
    chosen = [strengths[k] for k in kinds.concepts]
    if kinds.form is StrengthForm.RELATIVE:
        return read + [strength - chosen[0] for strength in chosen[1:]]
    if kinds.form is StrengthForm.EACH:
        return read + chosen
    square = _product(mapped, mapped)
    return read + chosen + [Fraction(isqrt(int(square * SCALE * SCALE)), SCALE)]


def lies_inside(offset: Vector, factor: Float64, radius: Fraction) -> bool:
    """Whether factor w = offset for a w with |w| <= radius, give or take 40 digits."""
    w = _solved([[Fraction(entry) for entry in row] for row in factor.tolist()], offset)
    return w is not None and _product(w, w) <= radius * radius + Fraction(1, 10**40)


def _through(layer: AffineMap, point: Vector) -> Vector:
    return [
        _product(map(Fraction, row), point) + Fraction(start)
        for row, start in zip(layer.weight.tolist(), layer.offset.tolist(), strict=True)
    ]


def _product(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))
