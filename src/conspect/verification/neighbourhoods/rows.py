"""Base rows of a formula as affine functions of readouts, exact: what literals compare, and what their sums are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conspect.core.spaces import Float64
from conspect.verification.engine.steps import Multipliers
from conspect.verification.queries.negation import AtomRows, LinearLiteral, Literal
from conspect.verification.regions.readouts import ReadoutKinds


@dataclass(frozen=True, slots=True)
class ReadoutRow:
    """An affine function of the readouts: `coefficients` by readout, zeros left out, and `constant`."""

    coefficients: tuple[tuple[int, Fraction], ...]
    constant: Fraction


@dataclass(frozen=True, slots=True)
class IntegerRow:
    """The same times a positive integer that makes all of it integers."""

    coefficients: tuple[tuple[int, int], ...]
    constant: int


@dataclass(frozen=True, eq=False)
class ReadoutRows:
    """The rows that literals name, over the readouts of `kinds`; see `regions.readouts.ReadoutSpace`."""

    kinds: ReadoutKinds
    rows: AtomRows

    @property
    def dimension(self) -> int:
        """V."""
        return self.kinds.dimension(self.rows.classes)

    def literal(self, literal: Literal) -> ReadoutRow:
        """What a literal says is positive: its first row minus its second."""
        assert isinstance(literal, LinearLiteral)
        total: dict[int, Fraction] = {}
        constant = Fraction(0)
        for row, sign in ((literal.first, 1), (literal.second, -1)):
            place, factor, added = self._base(row)
            constant += sign * added
            if place is not None:
                total[place] = total.get(place, Fraction(0)) + sign * factor
        return ReadoutRow(tuple((k, v) for k, v in sorted(total.items()) if v), constant)

    def combined(self, literals: Sequence[Literal], multipliers: Multipliers) -> IntegerRow:
        """The sum of literals, each times its multiplier."""
        total: dict[int, Fraction] = {}
        constant = Fraction(0)
        for index, multiplier in multipliers:
            row = self.literal(literals[index])
            constant += multiplier * row.constant
            for place, value in row.coefficients:
                total[place] = total.get(place, Fraction(0)) + multiplier * value
        common = math.lcm(constant.denominator, *(value.denominator for value in total.values()))
        coefficients = tuple((place, int(value * common)) for place, value in sorted(total.items()) if value)
        return IntegerRow(coefficients, int(constant * common))

    def floats(self, row: ReadoutRow) -> tuple[Float64, float]:
        """Coefficients `[V]` and constant, rounded."""
        vector = np.zeros(self.dimension)
        for place, value in row.coefficients:
            vector[place] = float(value)
        return vector, float(row.constant)

    def compared(self) -> list[Float64]:
        """What formulas compare pair by pair: logits, strengths, a strength and its threshold; rows `[row, V]` of each."""
        rows = self.rows
        groups = [list(range(rows.classes, rows.zero_row))]
        if self.kinds.class_index is not None:
            groups.append(list(range(rows.classes)))
        if self.kinds.has_length:
            groups += [[rows.classes + k, rows.threshold_row(k)] for k in sorted(rows.thresholds)]
        return [np.asarray([self._vector(row) for row in group]) for group in groups]

    def _vector(self, row: int) -> Float64:
        place, factor, _ = self._base(row)
        vector = np.zeros(self.dimension)
        if place is not None:
            vector[place] = float(factor)
        return vector

    def _base(self, row: int) -> tuple[int | None, Fraction, Fraction]:
        """Readout, its factor, and the constant of a base row; no readout for a row that is constant."""
        rows, kinds = self.rows, self.kinds
        logit = rows.logit(row)
        if logit is not None:
            own = kinds.class_index
            assert own is not None
            place = None if logit.class_index == own else logit.class_index - (logit.class_index > own)
            return place, Fraction(1), logit.lead
        if row == rows.zero_row:
            return None, Fraction(0), Fraction(0)
        if row < rows.zero_row:
            concept, read = row - rows.classes, kinds.strengths_read
            place = kinds.logits(rows.classes) + read.index(concept) if concept in read else None
            return place, Fraction(1), Fraction(0)
        concept = row - rows.threshold_row(0)
        return self.dimension - 1, rows.thresholds[concept], Fraction(0)
