"""The negation of a formula as a lazily opened disjunction of conjunctions of literals.

A state is a list of literals that must hold together and a list of disjunctions still to be opened. The states reached
by opening every disjunction in every way are the conjuncts of the disjunctive normal form; nobody has to write them all
down, because a state whose literals already contradict each other (inside the region) closes all conjuncts below it.
Opening keeps the order of literals, so that a certificate can name them by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from conspect.verification.queries.formula_table import FormulaTable, NodeKind, kind_of, lead_of


class LinearLiteral(NamedTuple):
    """The value of base row `first` is larger than (`strict`) or at least that of base row `second`.

    A named tuple, because the float engine stacks thousands of them into one integer array.
    """

    first: int
    second: int
    strict: bool


class ConeLiteral(NamedTuple):
    """`hasCon` of a concept is true (`wanted`) or false."""

    concept: int
    wanted: bool


class Assumption(NamedTuple):
    """A node of the formula's table is true (`wanted`) or false; still to be taken apart."""

    node: int
    wanted: bool


Literal: TypeAlias = LinearLiteral | ConeLiteral
Part: TypeAlias = Assumption | LinearLiteral
Alternative: TypeAlias = tuple[Part, ...]
Disjunction: TypeAlias = tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Literals assumed so far and disjunctions not yet opened, both in the order in which they appeared."""

    literals: tuple[Literal, ...]
    pending: tuple[Disjunction, ...]


class LogitRow(NamedTuple):
    """A logit plus a lead, as a base row."""

    class_index: int
    lead: Fraction


@dataclass(frozen=True, slots=True)
class AtomRows:
    """How atoms become literals: base rows are logits `0..classes-1`, then concepts, then the zero row.

    After the zero row come the logits raised by each of `leads` (lead after lead, class after class): `predict` with a
    lead compares with those. With `linear_norm` the length |y| of the mapped embedding is itself a readout, and the last
    rows are threshold times |y|, concept after concept. `thresholds`: exact threshold of each concept asked for; a
    threshold of 0 makes `hasCon` linear everywhere, `linear_norm` makes any threshold linear.
    """

    classes: int
    concepts: int
    thresholds: dict[int, Fraction]
    leads: tuple[Fraction, ...] = ()
    linear_norm: bool = False

    @property
    def zero_row(self) -> int:
        """Index of the row that is 0 everywhere."""
        return self.classes + self.concepts

    @property
    def rows(self) -> int:
        """Number of base rows."""
        return self.zero_row + 1 + len(self.leads) * self.classes + (self.concepts if self.linear_norm else 0)

    def raised_row(self, class_index: int, lead: Fraction) -> int:
        """The row of a logit with a lead added to it; the logit's own row for no lead."""
        if lead == 0:
            return class_index
        return self.zero_row + 1 + self.leads.index(lead) * self.classes + class_index

    def threshold_row(self, concept: int) -> int:
        """The row of threshold times |y|; only with `linear_norm`."""
        return self.zero_row + 1 + len(self.leads) * self.classes + concept

    def logit(self, row: int) -> LogitRow | None:
        """Which logit, raised by what, a row stands for; None for rows of other kinds."""
        if row < self.classes:
            return LogitRow(row, Fraction(0))
        lead, class_index = divmod(row - self.zero_row - 1, self.classes)
        if row > self.zero_row and lead < len(self.leads):
            return LogitRow(class_index, self.leads[lead])
        return None

    def is_linear(self, concept: int) -> bool:
        """Whether `hasCon` of a concept is a comparison of two base rows."""
        return self.linear_norm or self.thresholds[concept] == 0


def negation(table: FormulaTable, reading: AtomRows, cut: int | None) -> State:
    """The opening state: the cut's prediction, then the root assumed false."""
    parts: list[Part] = [Assumption(len(table) - 1, False)]
    literals: list[Literal] = []
    if cut is not None:
        literals += _predicted(cut, Fraction(0), reading)
    return assume(State(tuple(literals), ()), tuple(parts), table, reading)


def opened(state: State, which: int, table: FormulaTable, reading: AtomRows) -> list[State]:
    """The states that result from opening one pending disjunction, one for each alternative, in order."""
    rest = State(state.literals, state.pending[:which] + state.pending[which + 1 :])
    return [assume(rest, alternative, table, reading) for alternative in state.pending[which]]


def assume(state: State, parts: tuple[Part, ...], table: FormulaTable, reading: AtomRows) -> State:
    """The state with all parts assumed."""
    literals = list(state.literals)
    pending = list(state.pending)
    for part in parts:
        _assume(part, table, reading, literals, pending)
    return State(tuple(literals), tuple(pending))


def contradiction(literals: tuple[Literal, ...]) -> list[int] | None:
    """Numbers of linear literals that form a cycle with a strict one among them, which no point satisfies; or None.

    Every linear literal says that one row is above another, so a cycle contradicts itself in whatever region.
    """
    above: dict[int, list[tuple[int, int]]] = {}
    for index, literal in enumerate(literals):
        if isinstance(literal, LinearLiteral):
            above.setdefault(literal.first, []).append((literal.second, index))
    for index, literal in enumerate(literals):
        if isinstance(literal, LinearLiteral) and literal.strict:
            way = _way(above, literal.second, literal.first)
            if way is not None:
                return [index, *way]
    return None


def _way(above: dict[int, list[tuple[int, int]]], start: int, end: int) -> list[int] | None:
    """Literals that lead from one row down to another, fewest first; empty when they are the same."""
    reached: dict[int, list[int]] = {start: []}
    queue = [start]
    for row in queue:
        if row == end:
            return reached[row]
        for below, index in above.get(row, ()):
            if below not in reached:
                reached[below] = [*reached[row], index]
                queue.append(below)
    return None


def _predicted(index: int, lead: Fraction, reading: AtomRows) -> list[LinearLiteral]:
    """The logit is above every other one (a positive lead: at least the lead above it)."""
    others = [other for other in range(reading.classes) if other != index]
    return [LinearLiteral(index, reading.raised_row(other, lead), lead == 0) for other in others]


def _assume(
    part: Part, table: FormulaTable, reading: AtomRows, literals: list[Literal], pending: list[Disjunction]
) -> None:
    if isinstance(part, LinearLiteral):
        literals.append(part)
        return
    index, wanted = part
    kind = kind_of(table[index])
    # A prediction is a conjunction (above every other class); denied, one of these comparisons fails, and which is open.
    if kind is NodeKind.PREDICT:
        above = _predicted(int(table[index][1]), lead_of(table[index]), reading)
        if wanted:
            literals += above
        else:
            pending.append(tuple((denied(literal),) for literal in above))
        return
    args = [int(number) for number in table[index][1:]]
    if kind is NodeKind.STRONGER:
        first, second = reading.classes + args[0], reading.classes + args[1]
        literals.append(LinearLiteral(first, second, True) if wanted else LinearLiteral(second, first, False))
    elif kind is NodeKind.HAS:
        literals.append(_has(args[0], wanted, reading))
    elif kind is NodeKind.NOT:
        _assume(Assumption(args[0], not wanted), table, reading, literals, pending)
    # Wanted, both or neither; denied, one without the other: two alternatives either way, each with both sides decided.
    elif kind is NodeKind.IFF:
        left, right = args
        both = (Assumption(left, True), Assumption(right, wanted))
        neither = (Assumption(left, False), Assumption(right, not wanted))
        pending.append((both, neither))
    else:
        # and, or, implies. By De Morgan only two cases are left: a wanted "and", a denied "or" or a denied "implies" (its premise
        # wanted, the rest denied) adds all its parts; any other adds one of them, left pending until a branch opens it.
        polarities = [(not wanted if kind is NodeKind.IMPLIES and place == 0 else wanted) for place in range(len(args))]
        children: list[Part] = [Assumption(a, polarity) for a, polarity in zip(args, polarities, strict=True)]
        if (kind is NodeKind.AND) == wanted or len(children) == 1:
            for child in children:
                _assume(child, table, reading, literals, pending)
        else:
            pending.append(tuple((child,) for child in children))


def _has(concept: int, wanted: bool, reading: AtomRows) -> Literal:
    if not reading.is_linear(concept):
        return ConeLiteral(concept, wanted)
    bar = reading.threshold_row(concept) if reading.linear_norm else reading.zero_row
    literal = LinearLiteral(reading.classes + concept, bar, True)
    return literal if wanted else denied(literal)


def denied(literal: LinearLiteral) -> LinearLiteral:
    """The literal that is true where another is false."""
    return LinearLiteral(literal.second, literal.first, not literal.strict)
