"""An embedding moved along one direction: every base form is a line there, so formulas change at few exact places.

z(w) = z + w f for a fixed float64 vector f. A formula without `hasCon` compares lines, so its truth can only change where
two of them cross; the places and the proof that nothing changes between two of them are rationals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from conspect.core.spaces import Float64
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.integers import RationalVector, float_vector
from conspect.verification.engine.steps import Close, Multipliers, Open, Step
from conspect.verification.queries.formula_table import ATOMS, FormulaTable, NodeKind, lead_of, truth
from conspect.verification.queries.negation import AtomRows, LinearLiteral, negation, opened


@dataclass(frozen=True, slots=True)
class Line:
    """start + w slope, both over one positive factor that all lines of a ray share."""

    start: int | Fraction
    slope: int | Fraction

    def at(self, w: Fraction) -> Fraction:
        """The value at a place."""
        return self.start + w * self.slope


@dataclass(eq=False)
class Direction:
    """A float64 step `[D]`, with the slopes of base forms along it, which all embeddings share."""

    step: Float64
    vector: RationalVector = field(init=False, repr=False)
    _slopes: dict[int, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.vector = float_vector(self.step)

    def slope(self, model: ExactModel, row: int) -> int:
        """A base form's value at the step less that at 0, times 2**shift and the step's denominator."""
        if row not in self._slopes:
            nothing = RationalVector([0] * len(self.vector.integers), self.vector.denominator)
            self._slopes[row] = model.value(row, self.vector) - model.value(row, nothing)
        return self._slopes[row]


@dataclass(eq=False)
class Ray:
    """Base forms along the ray from `embedding [D]`, float64, in a direction; `rows`: with leads."""

    model: ExactModel
    rows: AtomRows
    embedding: Float64
    direction: Direction
    _lines: dict[int, Line] = field(default_factory=dict, repr=False)
    _point: RationalVector | None = None

    def line(self, row: int) -> Line:
        """A base form; a raised logit is its logit with the lead added."""
        if row not in self._lines:
            if self._point is None:
                self._point = float_vector(self.embedding)
            point, step = self._point, self.direction
            raised = self.rows.logit(row)
            own, lead = (row, Fraction(0)) if raised is None else (raised.class_index, raised.lead)
            unit = point.denominator * step.vector.denominator << self.model.shift
            start = self.model.value(own, point) * step.vector.denominator + lead * unit
            slope = step.slope(self.model, own) * point.denominator
            self._lines[row] = Line(start, slope)
        return self._lines[row]

    def gap(self, literal: LinearLiteral) -> Line:
        """By how much the first row of a literal is above the second."""
        first, second = self.line(literal.first), self.line(literal.second)
        return Line(first.start - second.start, first.slope - second.slope)

    def makes_true(self, table: FormulaTable, w: Fraction) -> bool:
        """The truth of a formula at a place."""
        return truth(table, lambda atom: all(self._is_met(literal, w) for literal in literals_of(atom, self.rows)))

    def _is_met(self, literal: LinearLiteral, w: Fraction) -> bool:
        value = self.gap(literal).at(w)
        return value > 0 or (value == 0 and not literal.strict)

    def crossings(self, table: FormulaTable) -> list[Fraction]:
        """Every place where the truth of a formula can change, in order."""
        places: set[Fraction] = set()
        for node in table:
            if node[0] in ATOMS:
                gaps = [self.gap(literal) for literal in literals_of(node, self.rows)]
                places.update(Fraction(-gap.start) / gap.slope for gap in gaps if gap.slope)
        return sorted(places)

    def proof(self, table: FormulaTable, low: Fraction, high: Fraction) -> list[Step] | None:
        """Closed cases that show a formula true from `low` to `high`; None where it is not true all along."""
        steps: list[Step] = []
        stack = [negation(table, self.rows, None)]
        while stack:
            state = stack.pop()
            literals = [literal for literal in state.literals if isinstance(literal, LinearLiteral)]
            multipliers = self._closing(literals, low, high)
            if multipliers is not None:
                steps.append(Close(multipliers))
            elif not state.pending:
                return None
            else:
                steps.append(Open(0))
                stack += reversed(opened(state, 0, table, self.rows))
        return steps

    def _closing(self, literals: list[LinearLiteral], low: Fraction, high: Fraction) -> Multipliers | None:
        """Multipliers of one or two literals that no place between the ends meets together: by Helly, no more are needed."""
        gaps = [self.gap(literal) for literal in literals]
        for k, (gap, literal) in enumerate(zip(gaps, literals, strict=True)):
            largest = max(gap.at(low), gap.at(high))
            if largest < 0 or (largest == 0 and literal.strict):
                return ((k, 1),)
        for i, rising in enumerate(gaps):
            for j, falling in enumerate(gaps):
                if rising.slope > 0 > falling.slope:
                    total = -rising.start * falling.slope + falling.start * rising.slope
                    if total < 0 or (total == 0 and (literals[i].strict or literals[j].strict)):
                        return _whole_pair((i, -falling.slope), (j, rising.slope))
        return None


def literals_of(node: tuple[int | str, ...], rows: AtomRows) -> list[LinearLiteral]:
    """What an atom asks for together: comparisons of base rows. `hasCon` is one where its threshold is 0."""
    predicts = node[0] == NodeKind.PREDICT
    args = [int(node[1])] if predicts else [int(a) for a in node[1:]]
    if predicts:
        lead = lead_of(node)
        others = [k for k in range(rows.classes) if k != args[0]]
        return [LinearLiteral(args[0], rows.raised_row(k, lead), lead == 0) for k in others]
    second = rows.zero_row if node[0] == NodeKind.HAS else rows.classes + args[1]
    return [LinearLiteral(rows.classes + args[0], second, True)]


def _whole_pair(first: tuple[int, int | Fraction], second: tuple[int, int | Fraction]) -> Multipliers:
    scale = Fraction(first[1]).denominator * Fraction(second[1]).denominator
    return ((first[0], int(first[1] * scale)), (second[0], int(second[1] * scale)))
