"""An independent exact decision of properties by Z3: nothing of the verifier's queries, engine or arithmetic is used.

The source formula goes to Z3 as it is, over rationals. Balls, which linear arithmetic does not know, are enclosed by
tangent planes that are added until the answer is exact: unsatisfiable over the enclosure, or a point truly inside.
"""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import permutations
from math import isqrt
from typing import Any, NamedTuple

import z3

from conspect.bench.oracles.neighbourhoods import Polyhedra
from conspect.core.regions import Region
from conspect.language import expand
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger
from conspect.verification.extents.search import Extent
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.premises import without_premise
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm

TANGENTS = 300


class Over(NamedTuple):
    """A region of readouts with what it is made of, and whether the conclusion of a formula alone is meant."""

    shape: str
    region: Region
    kinds: ReadoutKinds
    premise_dropped: bool


class Independent:
    """Decides formulas over one subject; `None` where Z3 gives up within the time."""

    def __init__(self, subject: VerificationModel, *, milliseconds: int = 2000) -> None:
        self.subject = subject
        self.milliseconds = milliseconds
        self.terms: dict[tuple[str, str], tuple[Region, list[Any], list[Any], dict[str, Any]]] = {}
        self.unknowns = [z3.Real(f"w{k}") for k in range(subject.dimension)]

    def holds(self, formula: Formula, region: Region) -> bool | None:
        """Whether the formula is true everywhere in the region."""
        key = region.arrays_digest, region.shape
        if key not in self.terms:
            point = self._point(region)
            mapped = affine(self.subject.lens.alignment.weight, self.subject.lens.alignment.offset, point)
            self.terms[key] = (region, self._network(point), mapped, {})
        _, self.logits, self.mapped, self.strengths = self.terms[key]
        started = time.monotonic()
        solver = z3.Solver()
        solver.set("timeout", self.milliseconds)
        bound = rational(region.size)
        solver.add(*[z3.And(w <= bound, -bound <= w) for w in self.unknowns])
        if region.cut is not None:
            solver.add(self.predicts(region.cut))
        solver.add(z3.Not(self.translate(expand(formula))))
        for _ in range(TANGENTS):
            answer = solver.check()
            if answer == z3.unsat:
                return True
            if answer != z3.sat or 1000 * (time.monotonic() - started) > self.milliseconds:
                return None
            if region.norm == "max":
                return False
            model = solver.model()
            values = [value_of(model.eval(w, model_completion=True)) for w in self.unknowns]
            if any(value is None for value in values):
                return None
            if sum(v * v for v in values if v is not None) <= region.size**2:
                return False
            solver.add(self._tangent([v for v in values if v is not None], region.size))
        return None

    def holds_over_readouts(self, formula: Formula, proved: Over) -> bool | None:
        """Whether the proved formula is true at every embedding whose readouts lie in a span or band.

        The embedding itself is the unknown. What is true of all readouts of a span, of embeddings or not, needs no Z3.
        """
        conclusion = without_premise(formula)
        chosen = conclusion if proved.premise_dropped and conclusion is not None else formula
        if proved.shape == "span":
            polyhedra = Polyhedra(self.subject, proved.kinds, proved.region.factor, proved.region.size)
            if polyhedra.true_around(chosen, proved.region.centre[None])[0]:
                return True
        z = self.unknowns
        identity = [[Fraction(int(i == k)) for i in range(len(z))] for k in range(len(z))]
        point: list[Any] = [(Fraction(0), row) for row in identity]
        self.logits = self._network(point)
        self.mapped = affine(self.subject.lens.alignment.weight, self.subject.lens.alignment.offset, point)
        self.strengths = {}
        solver = z3.Solver()
        solver.set("timeout", self.milliseconds)
        length, names = z3.Real("length"), self.subject.concept_names
        squared = z3.Sum([self.expression(form) * self.expression(form) for form in self.mapped])
        values = [self.strength(name) for name in names]
        if proved.kinds.form is StrengthForm.LENGTH:
            solver.add(length >= 0, length * length == squared)
        solver.add(z3.Not(self.translate(expand(chosen))))
        if proved.shape == "band":
            solver.add(*self._inside_band(proved, values, length))
            return self._answer(solver)
        own = proved.kinds.class_index
        read = [] if own is None else [v - self.logits[own] for k, v in enumerate(self.logits) if k != own]
        read += [values[k] for k in proved.kinds.concepts]
        read += [length] if proved.kinds.form is StrengthForm.LENGTH else []
        w = [z3.Real(f"v{k}") for k in range(len(read))]
        region = proved.region
        for place, (middle, row) in enumerate(zip(region.centre.tolist(), region.factor.tolist(), strict=True)):
            spread = z3.Sum([rational(Fraction(f)) * v for f, v in zip(row, w, strict=True)])
            solver.add(read[place] == rational(Fraction(middle)) + spread)
        bound = rational(region.size)
        solver.add(*[z3.And(v <= bound, -bound <= v) for v in w], z3.Sum([v * v for v in w]) <= bound * bound)
        return self._answer(solver)

    def holds_along(self, formula: Formula, extent: Extent) -> bool | None:
        """Whether a formula is true from end to end of an extent and false at the places just outside."""
        w = z3.Real("w")
        self.unknowns = [w]
        centre, factor = extent.segment.centre.tolist(), extent.segment.factor.tolist()
        point: list[Any] = [(Fraction(c), [Fraction(f)]) for c, (f,) in zip(centre, factor, strict=True)]
        self.logits = self._network(point)
        self.mapped = affine(self.subject.lens.alignment.weight, self.subject.lens.alignment.offset, point)
        self.strengths = {}
        solver = z3.Solver()
        solver.set("timeout", self.milliseconds)
        term = self.translate(expand(formula))
        inside = z3.And(rational(extent.low) <= w, w <= rational(extent.high), z3.Not(term))
        beyond = [z3.And(w == rational(p), term) for p in (extent.before, extent.after) if p is not None]
        solver.add(z3.Or(inside, *beyond))
        return self._answer(solver)

    @staticmethod
    def _answer(solver: Any) -> bool | None:
        answer = solver.check()
        return None if answer == z3.unknown else bool(answer == z3.unsat)

    def _inside_band(self, proved: Over, values: list[Any], length: Any) -> list[Any]:
        values = [values[k] for k in proved.kinds.concepts]
        groups = [values] if proved.kinds.class_index is None else [self.logits, values]
        gaps = [a - b for group in groups for a, b in permutations(group, 2)]
        if proved.kinds.form is StrengthForm.LENGTH:
            names = [self.subject.concept_names[k] for k in proved.kinds.concepts]
            bars = [rational(Fraction(self.subject.thresholds[name])) * length for name in names]
            over = [value - bar for value, bar in zip(values, bars, strict=True)]
            gaps += [*over, *(-gap for gap in over)]
        region = proved.region
        least = [
            rational(Fraction(middle) - region.size * Fraction(width))
            for middle, width in zip(region.centre.tolist(), region.factor.tolist(), strict=True)
        ]
        return [gap >= low for gap, low in zip(gaps, least, strict=True)]

    def _tangent(self, point: list[Fraction], size: Fraction) -> Any:
        """p'w <= size |p| for p along the point, rounded to few bits; the norm is rounded up."""
        largest = max(abs(v) for v in point)
        p = [round(v / largest * (1 << 20)) for v in point]
        norm = isqrt(sum(v * v for v in p) << 40) + 1
        terms = z3.Sum([v * w for v, w in zip(p, self.unknowns, strict=True)])
        return terms <= rational(size * Fraction(norm, 1 << 20))

    def _point(self, region: Region) -> list[Any]:
        """The embedding as expressions in w."""
        if region.factor.ndim == 1:
            rows = [[Fraction(f) if i == k else Fraction(0) for i in range(len(self.unknowns))]
                    for k, f in enumerate(region.factor.tolist())]  # fmt: skip
        else:
            rows = [[Fraction(f) for f in row] for row in region.factor.tolist()]
        return [(Fraction(c), row) for c, row in zip(region.centre.tolist(), rows, strict=True)]

    def _network(self, point: list[Any]) -> list[Any]:
        layers = self.subject.head.layers
        values = [self.expression(form) for form in affine(layers[0].weight, layers[0].offset, point)]
        for layer in layers[1:]:
            values = [z3.If(value > 0, value, rational(Fraction(0))) for value in values]
            values = [
                z3.Sum([rational(Fraction(a)) * v for a, v in zip(row, values, strict=True)]) + rational(Fraction(o))
                for row, o in zip(layer.weight.tolist(), layer.offset.tolist(), strict=True)
            ]
        return values

    def expression(self, form: tuple[Fraction, list[Fraction]]) -> Any:
        """A constant and coefficients of w as a Z3 term."""
        constant, row = form
        return z3.Sum([rational(a) * w for a, w in zip(row, self.unknowns, strict=True) if a] + [rational(constant)])

    def strength(self, name: str) -> Any:
        """q'y of a concept."""
        if name not in self.strengths:
            self.strengths[name] = self._strength(name)
        return self.strengths[name]

    def _strength(self, name: str) -> Any:
        direction = self.subject.lens.directions[self.subject.concept_names.index(name)].tolist()
        parts = [
            (Fraction(q) * c, [Fraction(q) * a for a in row])
            for q, (c, row) in zip(direction, self.mapped, strict=True)
        ]
        constant = sum((c for c, _ in parts), Fraction(0))
        row = [sum((r[k] for _, r in parts), Fraction(0)) for k in range(len(self.unknowns))]
        return self.expression((constant, row))

    def predicts(self, index: int, lead: Fraction = Fraction(0)) -> Any:
        """The class has the strictly largest logit; with a lead, one that is at least that much larger."""
        others = [other for k, other in enumerate(self.logits) if k != index]
        if lead:
            return z3.And(*[self.logits[index] - other >= rational(lead) for other in others])
        return z3.And(*[self.logits[index] > other for other in others])

    def translate(self, formula: Formula) -> Any:  # noqa: PLR0911 (one for each kind of node)
        """A core formula as a Z3 term."""
        match formula:
            case Predict(name, lead):
                return self.predicts(self.subject.class_names.index(name), lead)
            case Stronger(left, right):
                return self.strength(left) > self.strength(right)
            case HasConcept(name):
                return self._has(name)
            case Not(operand):
                return z3.Not(self.translate(operand))
            case And(operands):
                return z3.And(*[self.translate(o) for o in operands])
            case Or(operands):
                return z3.Or(*[self.translate(o) for o in operands])
            case Implies(left, right):
                return z3.Implies(self.translate(left), self.translate(right))
            case Iff(left, right):
                return self.translate(left) == self.translate(right)
            case _:
                raise AssertionError(f"{type(formula).__name__} is no core node")

    def _has(self, name: str) -> Any:
        t = Fraction(self.subject.thresholds[name])
        numerator = self.strength(name)
        if t == 0:
            return numerator > 0
        mapped = [self.expression(form) for form in self.mapped]
        squared = rational(t * t) * z3.Sum([y * y for y in mapped])
        if t > 0:
            return z3.And(numerator > 0, numerator * numerator > squared)
        return z3.Or(numerator > 0, numerator * numerator < squared)


def affine(weight: Any, offset: Any, point: list[Any]) -> list[tuple[Fraction, list[Fraction]]]:
    """An affine map after an affine point, in fractions."""
    forms = []
    for row, start in zip(weight.tolist(), offset.tolist(), strict=True):
        exact = [Fraction(a) for a in row]
        constant = Fraction(start) + sum((a * c for a, (c, _) in zip(exact, point, strict=True)), Fraction(0))
        width = len(point[0][1])
        slope = [sum((a * r[k] for a, (_, r) in zip(exact, point, strict=True)), Fraction(0)) for k in range(width)]
        forms.append((constant, slope))
    return forms


def rational(value: Fraction) -> Any:
    """A Z3 rational."""
    return z3.Q(value.numerator, value.denominator)


def value_of(value: Any) -> Fraction | None:
    """A Z3 rational as a fraction; None for an algebraic number."""
    return Fraction(value.numerator_as_long(), value.denominator_as_long()) if z3.is_rational_value(value) else None
