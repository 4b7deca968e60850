"""A subject and its regions in exact integers: what closes a conjunct, and what a witness makes of a formula.

Base rows are affine forms in the embedding z: logits `W z + a`, strength numerators `q_k'(M z + d)` with Q, M and d taken
as they are (not as a rounded product), and the zero form. Seen from a region z = centre + factor w they are affine in w.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from operator import le, mul
from typing import Any

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap, Lens
from conspect.language.meaning.exact import ExactReadouts, exceeds
from conspect.verification.engine.integers import RationalVector, combine, dot, scaled, scaled_rows
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.negation import LinearLiteral

Multipliers = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class ExactForms:
    """Affine forms `(rows[r] . x + constants[r]) / 2**shift` with integer coefficients."""

    rows: list[list[int]]
    constants: list[int]
    shift: int

    def value(self, index: int, point: RationalVector) -> int:
        """Value of one form at a point, times 2**shift and the point's denominator."""
        return dot(self.rows[index], point.integers) + self.constants[index] * point.denominator

    def seen_from(self, frame: Frame) -> ExactForms:
        """The forms in w, for embeddings centre + factor w."""
        constants = [
            dot(row, frame.centre) + (constant << frame.shift)
            for row, constant in zip(self.rows, self.constants, strict=True)
        ]
        if frame.columns is not None:
            rows = [[dot(row, column) for column in frame.columns] for row in self.rows]
        else:
            rows = [list(map(mul, row, frame.diagonal)) for row in self.rows]
        return ExactForms(rows, constants, self.shift + frame.shift)


@dataclass(frozen=True, eq=False)
class Frame:
    """A region's centre and factor as integers over 2**shift: a diagonal, or the columns of a full factor."""

    centre: list[int]
    diagonal: list[int]
    columns: list[list[int]] | None
    shift: int

    @classmethod
    def of(cls, region: Region) -> Frame:
        """From a region's arrays."""
        centre, factor = scaled(region.centre), scaled(region.factor)
        shift = max(centre.shift, factor.shift)
        flat, dimension = factor.at(shift), region.dimension
        if region.factor.ndim == 1:
            return cls(centre.at(shift), flat, None, shift)
        return cls(centre.at(shift), [], [flat[k::dimension] for k in range(dimension)], shift)

    def point(self, coordinates: RationalVector) -> RationalVector:
        """The exact embedding at coordinates w."""
        w, denominator = coordinates.integers, coordinates.denominator
        spread = list(map(mul, self.diagonal, w)) if self.columns is None else combine(w, self.columns)
        return RationalVector(
            [c * denominator + s for c, s in zip(self.centre, spread, strict=True)], denominator << self.shift
        )


def exact_map(affine: AffineMap) -> ExactForms:
    """An affine map as exact forms, one per output."""
    rows, row_shift = scaled_rows(affine.weight)
    constants = scaled(affine.offset)
    shift = max(row_shift, constants.shift)
    return ExactForms([[v << (shift - row_shift) for v in row] for row in rows], constants.at(shift), shift)


@dataclass(eq=False)
class ExactModel:
    """Exact forms of the logits (None for a head with ReLU layers) and of the strengths, over embeddings z."""

    logits: ExactForms | None
    strengths: ExactForms
    mapped: ExactForms
    classes: int

    @classmethod
    def of(cls, logits: AffineMap | None, classes: int, lens: Lens) -> ExactModel:
        """From the linear head (or None) and the lens."""
        mapped = exact_map(lens.alignment)
        directions, shift = scaled_rows(lens.directions)
        columns = list(zip(*mapped.rows, strict=True))
        rows = [[dot(q, column) for column in columns] for q in directions]
        constants = [dot(q, mapped.constants) for q in directions]
        strengths = ExactForms(rows, constants, mapped.shift + shift)
        return cls(None if logits is None else exact_map(logits), strengths, mapped, classes)

    @property
    def shift(self) -> int:
        """The shift that values of base forms have in common."""
        return max(self.strengths.shift, self.logits.shift if self.logits else 0)

    def value(self, row: int, point: RationalVector) -> int:
        """Value of a base form at an embedding, times 2**shift and the point's denominator; short rows stay short."""
        if row == self.classes + len(self.strengths.rows):
            return 0
        if row >= self.classes:
            return self.strengths.value(row - self.classes, point) << (self.shift - self.strengths.shift)
        return self.logits.value(row, point) << (self.shift - self.logits.shift) if self.logits else 0

    def base_forms(self) -> ExactForms:
        """Logits (zero forms where the head is not linear), strengths and the zero form, at one shift."""
        width = len(self.strengths.rows[0])
        zero = ExactForms([[0] * width], [0], 0)
        logits = self.logits or ExactForms([[0] * width for _ in range(self.classes)], [0] * self.classes, 0)
        return _stacked([logits, self.strengths, zero])


def _stacked(parts: list[ExactForms]) -> ExactForms:
    shift = max(part.shift for part in parts)
    rows: list[list[int]] = []
    constants: list[int] = []
    for part in parts:
        extra = shift - part.shift
        rows += [[v << extra for v in row] for row in part.rows] if extra else part.rows
        constants += [v << extra for v in part.constants]
    return ExactForms(rows, constants, shift)


@dataclass(eq=False)
class ExactRegion:
    """A region with the base forms in its coordinates w; the size stays apart, so one object serves every size."""

    region: Region
    model: ExactModel
    frame: Frame = field(init=False)
    _ends: dict[Fraction, tuple[list[int], list[int]]] = field(default_factory=dict)
    forms: ExactForms = field(init=False)

    def __post_init__(self) -> None:
        self.frame = Frame.of(self.region)
        self.forms = self.model.base_forms().seen_from(self.frame)

    def closes(
        self,
        literals: tuple[LinearLiteral, ...],
        multipliers: Multipliers,
        size: Fraction,
    ) -> bool:
        """Whether the multipliers prove that no w of the region satisfies all literals: sup < 0, or 0 if one is strict."""
        weights: dict[int, int] = {}
        strict = False
        for index, multiplier in multipliers:
            first, second, is_strict = literals[index]
            weights[first] = weights.get(first, 0) + multiplier
            weights[second] = weights.get(second, 0) - multiplier
            strict = strict or (is_strict and multiplier > 0)
        used = [row for row, weight in weights.items() if weight]
        if not used:
            return strict
        slope = combine([weights[row] for row in used], [self.forms.rows[row] for row in used])
        constant = sum(weights[row] * self.forms.constants[row] for row in used)
        return supremum_excluded(slope, constant, size, self.region.norm, strict=strict)

    def has_coordinates(self, coordinates: RationalVector, size: Fraction) -> bool:
        """Whether |w| <= size, exactly."""
        bound = size.numerator * coordinates.denominator
        if self.region.norm == "max":
            return all(abs(value) * size.denominator <= bound for value in coordinates.integers)
        return sum(value * value for value in coordinates.integers) * size.denominator**2 <= bound**2

    def has_embedding(self, point: RationalVector, size: Fraction) -> bool:
        """Whether an embedding lies in a box, exactly. Only boxes can be asked."""
        p, q = size.numerator, size.denominator
        if size not in self._ends:
            middle = [q * c for c in self.frame.centre]
            reach = [p * abs(s) for s in self.frame.diagonal]
            lows = [c - r for c, r in zip(middle, reach, strict=True)]
            self._ends[size] = lows, [c + r for c, r in zip(middle, reach, strict=True)]
        # Both sides over the same denominator q * 2**shift * point.denominator.
        lows, highs = self._ends[size]
        factor = q << self.frame.shift
        if factor % point.denominator == 0:
            at = [z * (factor // point.denominator) for z in point.integers]
            return all(map(le, lows, at)) and all(map(le, at, highs))
        at = [z * factor for z in point.integers]
        below = [v * point.denominator for v in lows]
        return all(map(le, below, at)) and all(map(le, at, [v * point.denominator for v in highs]))


def supremum_excluded(
    slope: Sequence[Any],
    constant: int | Fraction,
    size: Fraction,
    norm: str,
    *,
    strict: bool,
    limits: dict[int, tuple[Fraction, Fraction]] | None = None,
) -> bool:
    """Whether sup of slope'w + constant over |w| <= size is negative, or zero when `strict`; integers or fractions.

    `limits`: narrower ends of some axes of a box.
    """
    p, q = size.numerator, size.denominator
    if limits:
        ends = [limits.get(k, (-size, size)) for k in range(len(slope))]
        highest = constant + sum((max(v * a, v * b) for v, (a, b) in zip(slope, ends, strict=True)), Fraction(0))
        return highest < 0 or (highest == 0 and strict)
    if norm == "max":
        total = q * constant + p * sum(map(abs, slope))
        return total < 0 or (total == 0 and strict)
    if constant > 0:
        return False
    excess = p * p * sum(v * v for v in slope) - q * q * constant * constant
    return excess < 0 or (excess == 0 and strict)


@dataclass(eq=False)
class ExactPoint:
    """An exact embedding with its forms, evaluated when asked."""

    model: ExactModel
    embedding: RationalVector
    base: Callable[[int], int | Fraction]
    thresholds: dict[int, Fraction]
    memory: dict[int, int | Fraction] = field(default_factory=dict)

    def value(self, row: int) -> int | Fraction:
        """Base form at this point, times a positive factor common to all base forms."""
        if row not in self.memory:
            self.memory[row] = self.base(row)
        return self.memory[row]

    def satisfies(self, literal: tuple[int, ...]) -> bool:
        """Whether a literal of a state is true here."""
        if len(literal) == 2:
            return self.has_concept(literal[0]) == bool(literal[1])
        first, second, strict = literal
        difference = self.value(first) - self.value(second)
        return difference > 0 or (difference == 0 and not strict)

    def has_concept(self, concept: int) -> bool:
        """strength > threshold; a mapped embedding of zero has no concept."""
        return exceeds(self.numerator(concept), self.thresholds[concept], self.squared_norm())

    def reading(self, table: FormulaTable, names: tuple[tuple[str, ...], tuple[str, ...]]) -> ExactReadouts:
        """This point as the reference semantics reads it.

        Only what the formula mentions is computed. Without `hasCon` all numbers share one positive factor, which no
        comparison can see and which spares their reduction to lowest terms.
        """
        asked = {int(node[1]) for node in table if node[0] == "has"}
        compared = {int(k) for node in table if node[0] == "stronger" for k in node[1:]}
        numerators = [Fraction(0)] * len(names[1])
        for k in compared:
            numerators[k] = Fraction(self.value(self.model.classes + k))
        squared = Fraction(0)
        if asked:
            squared = self.squared_norm()
            for k in compared | asked:
                numerators[k] = self.numerator(k)
        predicted = any(node[0] == "predict" for node in table)
        logits = [Fraction(self.value(k) if predicted else 0) for k in range(self.model.classes)]
        thresholds = tuple(self.thresholds.get(k) for k in range(len(names[1])))
        return ExactReadouts(names[0], names[1], tuple(logits), tuple(numerators), squared, thresholds)

    def numerator(self, concept: int) -> Fraction:
        """q'y."""
        forms = self.model.strengths
        return Fraction(forms.value(concept, self.embedding), self.embedding.denominator << forms.shift)

    def squared_norm(self) -> Fraction:
        """y'y for y = M z + d."""
        mapped = self.model.mapped
        total = sum(mapped.value(row, self.embedding) ** 2 for row in range(len(mapped.rows)))
        return Fraction(total, (self.embedding.denominator << mapped.shift) ** 2)

    def predicts(self, index: int) -> bool:
        """Whether the logit of a class is strictly larger than every other."""
        own = self.value(index)
        return all(own > self.value(other) for other in range(self.model.classes) if other != index)

    def makes_true(self, table: FormulaTable) -> bool:
        """Truth of a formula here, under the meaning of the language, exactly."""
        truth: list[bool] = []
        for kind, *numbers in table:
            args = [int(number) for number in numbers]
            if kind == "predict":
                truth.append(self.predicts(args[0]))
            elif kind == "stronger":
                truth.append(self.value(self.model.classes + args[0]) > self.value(self.model.classes + args[1]))
            elif kind == "has":
                truth.append(self.has_concept(args[0]))
            elif kind == "not":
                truth.append(not truth[args[0]])
            elif kind == "and":
                truth.append(all(truth[a] for a in args))
            elif kind == "or":
                truth.append(any(truth[a] for a in args))
            elif kind == "implies":
                truth.append(not truth[args[0]] or truth[args[1]])
            else:
                truth.append(truth[args[0]] == truth[args[1]])
        return truth[-1]
