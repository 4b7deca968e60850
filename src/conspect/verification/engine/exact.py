"""A subject and its regions in exact integers: what closes a conjunct, and what a witness makes of a formula.

Base rows are affine forms in the embedding z: logits `W z + a`, strength numerators `q_k'(M z + d)` with Q, M and d taken
as they are (not as a rounded product), and the zero form. Seen from a region z = centre + factor w they are affine in w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import compress
from math import inf, isqrt, nextafter
from operator import le, mul
from sys import float_info
from typing import Any, NamedTuple

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap, Lens
from conspect.verification.engine.integers import RationalVector, combine, dot, products, scaled, scaled_rows
from conspect.verification.engine.steps import Multipliers
from conspect.verification.queries.negation import AtomRows, LinearLiteral


class Closure(NamedTuple):
    """What multipliers prove beyond that a state is empty, rounded towards safety.

    `margin`: at every point of the region some literal is at most minus this. `carries`: the multipliers prove the same
    up to this size of the region (infinite when no size matters).
    """

    margin: float
    carries: float


@dataclass(frozen=True, eq=False)
class ExactForms:
    """Affine forms `(rows[r] . x + constants[r]) / 2**shift` with integer coefficients."""

    rows: list[list[int]]
    constants: list[int]
    shift: int
    _sums: dict[int, int] = field(default_factory=dict, repr=False)

    def value(self, index: int, point: RationalVector) -> int:
        """Value of one form at a point, times 2**shift and the point's denominator."""
        return dot(self.rows[index], point.integers) + self.constants[index] * point.denominator

    def at_corner(self, index: int, plus: Sequence[bool], size: Fraction) -> int:
        """Value of one form at w = ±size, the sign of each axis `plus` or not, times 2**shift and the size's denominator.

        Additions of the one half: a third of the time of an inner product with long integers.
        """
        row = self.rows[index]
        if index not in self._sums:
            self._sums[index] = sum(row)
        side = 2 * sum(compress(row, plus)) - self._sums[index]
        return size.numerator * side + size.denominator * self.constants[index]

    def seen_from(self, frame: Frame) -> ExactForms:
        """The forms in w, for embeddings centre + factor w."""
        constants = [
            dot(row, frame.centre) + (constant << frame.shift)
            for row, constant in zip(self.rows, self.constants, strict=True)
        ]
        if frame.columns is not None:
            rows = products(self.rows, frame.columns)
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
        rows = products(directions, list(zip(*mapped.rows, strict=True)))
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


def extended(forms: ExactForms, mapped: ExactForms, rows: AtomRows) -> ExactForms:
    """Base forms with the rows that leads and the norm add; slopes are shared, so a lead costs its constants alone.

    A lead or threshold that is no dyadic number makes its own entries fractions; everything else stays in integers.
    """
    slopes, constants = list(forms.rows), list(forms.constants)
    for lead in rows.leads:
        raise_by = _whole(lead * (1 << forms.shift))
        slopes += forms.rows[: rows.classes]
        constants += [constant + raise_by for constant in forms.constants[: rows.classes]]
    if rows.linear_norm:
        for concept in range(rows.concepts):
            factor = rows.thresholds.get(concept, Fraction(0)) * Fraction(1 << forms.shift, 1 << mapped.shift)
            slopes.append([_whole(factor * v) for v in mapped.rows[-1]])
            constants.append(_whole(factor * mapped.constants[-1]))
    return ExactForms(slopes, constants, forms.shift)


def _whole(value: Fraction) -> Any:
    """An int where the fraction is one; integers are much faster."""
    return value.numerator if value.denominator == 1 else value


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
    rows: AtomRows
    frame: Frame = field(init=False)
    _ends: dict[Fraction, tuple[list[int], list[int]]] = field(default_factory=dict)
    forms: ExactForms = field(init=False)

    def __post_init__(self) -> None:
        self.frame = Frame.of(self.region)
        self.forms = extended(self.model.base_forms().seen_from(self.frame), self._mapped(), self.rows)

    def _mapped(self) -> ExactForms:
        return self.model.mapped.seen_from(self.frame) if self.rows.linear_norm else self.model.mapped

    def closing(self, literals: tuple[LinearLiteral, ...], multipliers: Multipliers, size: Fraction) -> Closure | None:
        """What the multipliers prove when no w of the region satisfies all literals, else None.

        They do when the supremum of the weighted sum over the region is negative, or zero with a strict literal in it.
        """
        weights: dict[int, int] = {}
        strict, total = False, 0
        for index, multiplier in multipliers:
            first, second, is_strict = literals[index]
            weights[first] = weights.get(first, 0) + multiplier
            weights[second] = weights.get(second, 0) - multiplier
            strict = strict or (is_strict and multiplier > 0)
            total += multiplier
        used = [row for row, weight in weights.items() if weight]
        if not used:
            return Closure(0.0, inf) if strict else None
        slope = combine([weights[row] for row in used], [self.forms.rows[row] for row in used])
        constant = sum(weights[row] * self.forms.constants[row] for row in used)
        if not supremum_excluded(slope, constant, size, self.region.norm, strict=strict):
            return None
        # The length of the slope, rounded up where it is a root: both numbers below may only come out too small.
        reach = sum(map(abs, slope)) if self.region.norm == "max" else _root_above(sum(v * v for v in slope))
        p, q = size.numerator, size.denominator
        margin = max(0.0, rounded_down(-(q * constant + p * reach), (q * total) << self.forms.shift))
        return Closure(margin, rounded_down(-constant, reach) if reach else inf)

    def has_coordinates(self, coordinates: RationalVector, size: Fraction) -> bool:
        """Whether |w| <= size, exactly."""
        bound = size.numerator * coordinates.denominator
        if self.region.norm == "max":
            return all(abs(value) * size.denominator <= bound for value in coordinates.integers)
        return sum(value * value for value in coordinates.integers) * size.denominator**2 <= bound**2

    def size_above(self, is_embedding: bool, point: RationalVector) -> float:
        """A float at least the smallest size that holds exact coordinates w, or an embedding (of a box)."""
        if is_embedding:
            unit = 1 << self.frame.shift
            # z and centre over one denominator; a flat axis cannot be left, and its share is 0.
            offsets = [
                abs(z * unit - c * point.denominator) for z, c in zip(point.integers, self.frame.centre, strict=True)
            ]
            shares = [
                Fraction(d, abs(f) * point.denominator) for d, f in zip(offsets, self.frame.diagonal, strict=True) if f
            ]
            return -rounded_down(-max(shares, default=Fraction(0)), 1)
        if self.region.norm == "max":
            return -rounded_down(-max(map(abs, point.integers), default=0), point.denominator)
        return -rounded_down(-_root_above(sum(v * v for v in point.integers)), point.denominator)

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


def _root_above(square: int | Fraction) -> Any:
    """At least the square root; close to it for integers, which are large here."""
    whole = -(-Fraction(square).numerator // Fraction(square).denominator)
    return isqrt(whole) + 1 if whole else 0


def rounded_down(numerator: int | Fraction, denominator: int | Fraction) -> float:
    """The quotient (denominator > 0) as a float that is not larger; minus infinity when floats do not reach."""
    if isinstance(numerator, Fraction):
        numerator, denominator = numerator.numerator, denominator * numerator.denominator
    if isinstance(denominator, Fraction):
        numerator, denominator = numerator * denominator.denominator, denominator.numerator
    try:
        rounded = numerator / denominator  # of integers: the nearest float, however long they are
    except OverflowError:
        return -inf if numerator < 0 else float_info.max
    over, under = rounded.as_integer_ratio()
    return rounded if over * denominator <= numerator * under else nextafter(rounded, -inf)


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
