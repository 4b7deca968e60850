"""The negation of a formula as a lazily opened disjunction of conjunctions of literals.

A state is a list of literals that must hold together and a list of disjunctions still to be opened. The states reached
by opening every disjunction in every way are the conjuncts of the disjunctive normal form; nobody has to write them all
down, because a state whose literals already contradict each other (inside the region) closes all conjuncts below it.
Opening keeps the order of literals, so that a certificate can name them by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from conspect.verification.queries.formula_table import FormulaTable

# (row, row, strict): value of the first base row is larger than (strict) or at least that of the second.
LinearLiteral: TypeAlias = tuple[int, int, bool]
# (concept, wanted): hasCon of that concept is true (wanted) or false.
ConeLiteral: TypeAlias = tuple[int, bool]
Literal: TypeAlias = LinearLiteral | ConeLiteral
# A part still to be assumed: a node of the table with a polarity, or a literal.
Part: TypeAlias = tuple[int, bool] | LinearLiteral
Alternative: TypeAlias = tuple[Part, ...]
Disjunction: TypeAlias = tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Literals assumed so far and disjunctions not yet opened, both in the order in which they appeared."""

    literals: tuple[Literal, ...]
    pending: tuple[Disjunction, ...]


@dataclass(frozen=True, slots=True)
class AtomRows:
    """How atoms become literals: base rows are logits `0..classes-1`, then concepts, then the zero row.

    `thresholds`: exact threshold of each concept asked for; a threshold of 0 makes `hasCon` linear.
    """

    classes: int
    concepts: int
    thresholds: dict[int, Fraction]

    @property
    def zero_row(self) -> int:
        """Index of the row that is 0 everywhere."""
        return self.classes + self.concepts

    @property
    def rows(self) -> int:
        """Number of base rows."""
        return self.classes + self.concepts + 1


def negation(table: FormulaTable, reading: AtomRows, cut: int | None) -> State:
    """The opening state: the cut's prediction, then the root assumed false."""
    parts: list[Part] = [(len(table) - 1, False)]
    literals: list[Literal] = []
    if cut is not None:
        literals += _predicted(cut, reading)
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
        if len(literal) == 3:
            above.setdefault(literal[0], []).append((literal[1], index))
    for index, literal in enumerate(literals):
        if len(literal) == 3 and literal[2]:
            way = _way(above, literal[1], literal[0])
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


def _predicted(index: int, reading: AtomRows) -> list[LinearLiteral]:
    return [(index, other, True) for other in range(reading.classes) if other != index]


def _assume(
    part: Part, table: FormulaTable, reading: AtomRows, literals: list[Literal], pending: list[Disjunction]
) -> None:
    if len(part) == 3:
        literals.append(part)
        return
    index, wanted = part
    kind, *numbers = table[index]
    args = [int(number) for number in numbers]
    if kind == "predict":
        if wanted:
            literals += _predicted(args[0], reading)
        else:
            pending.append(tuple(((other, args[0], False),) for other in range(reading.classes) if other != args[0]))
    elif kind == "stronger":
        first, second = reading.classes + args[0], reading.classes + args[1]
        literals.append((first, second, True) if wanted else (second, first, False))
    elif kind == "has":
        literals.append(_has(args[0], wanted, reading))
    elif kind == "not":
        _assume((args[0], not wanted), table, reading, literals, pending)
    elif kind == "iff":
        one, two = args
        pending.append((((one, True), (two, wanted)), ((one, False), (two, not wanted))))
    else:
        polarities = [(not wanted if kind == "implies" and place == 0 else wanted) for place in range(len(args))]
        children: list[Part] = list(zip(args, polarities, strict=True))
        if (kind == "and") == wanted or len(children) == 1:
            for child in children:
                _assume(child, table, reading, literals, pending)
        else:
            pending.append(tuple((child,) for child in children))


def _has(concept: int, wanted: bool, reading: AtomRows) -> Literal:
    if reading.thresholds[concept] != 0:
        return (concept, wanted)
    row = reading.classes + concept
    return (row, reading.zero_row, True) if wanted else (reading.zero_row, row, False)
