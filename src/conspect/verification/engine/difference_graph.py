"""Decides states over a band: literals and band alike say that one base row is above another by some amount.

Such statements are the edges of a graph over base rows, and they contradict each other exactly when a cycle adds up to
more than 0 (or to 0 with a strict edge in it): going round, a row would be above itself. A cycle is looked for in floats
(Bellman 1958, Ford 1956) and added up exactly. Source: difference constraints, as in Cormen et al., ch. 22.4.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf

import numpy as np

from conspect.core.spaces import Float64
from conspect.verification.engine.exact import rounded_down
from conspect.verification.engine.steps import Close, Open, Step
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.negation import AtomRows, LinearLiteral, State, negation, opened
from conspect.verification.regions.shapes import Band

Pair = tuple[int, int]
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Edge:
    """Row `above` is above row `below` by at least `middle - size * width`, all over a band; a literal has no width.

    `literal`: its number in the state; `axis`: that of the band. -1 for neither (what a lead adds).
    """

    above: int
    below: int
    middle: Fraction
    width: Fraction
    strict: bool = False
    literal: int = -1
    axis: int = -1


@dataclass(frozen=True, eq=False)
class BandOutcome:
    """Whether a formula is proved over a band, the closed tree, and the size below which the same proof goes through."""

    proved: bool
    reason: str = ""
    steps: tuple[Step, ...] = ()
    carries: float = 0.0


@dataclass(eq=False)
class DifferenceGraph:
    """A band over ordered pairs of base rows (first minus second is the axis), with what leads add."""

    region: Band
    pairs: tuple[Pair, ...]
    rows: AtomRows
    _edges: dict[Pair, Edge] = field(default_factory=dict)
    _middles: Float64 = field(init=False)
    _widths: Float64 = field(init=False)

    def __post_init__(self) -> None:
        for number, (first, second) in enumerate(self.pairs):
            middle, width = Fraction(self.region.centre[number]), Fraction(self.region.factor[number])
            self._keep(Edge(first, second, middle, width, axis=number))
        for lead in self.rows.leads:
            for logit in range(self.rows.classes):
                raised = self.rows.raised_row(logit, lead)
                self._keep(Edge(raised, logit, lead, Fraction(0)))
                self._keep(Edge(logit, raised, -lead, Fraction(0)))
        shape = (self.rows.rows, self.rows.rows)
        self._middles, self._widths = np.full(shape, -np.inf), np.zeros(shape)
        for (above, below), edge in self._edges.items():
            self._middles[above, below], self._widths[above, below] = float(edge.middle), float(edge.width)

    def _keep(self, edge: Edge) -> None:
        self._edges[edge.above, edge.below] = edge

    def decide(self, table: FormulaTable, size: Fraction, *, node_budget: int, deadline: float) -> BandOutcome:
        """Whether the formula is true all over the band of a size. A conjunct that stays open proves nothing either way."""
        steps: list[Step] = []
        stack = [negation(table, self.rows, None)]
        carries, examined = inf, 0
        while stack:
            state = stack.pop()
            examined += 1
            if examined > node_budget or time.monotonic() > deadline:
                return BandOutcome(False, "more conjuncts to examine than the budget has")
            cycle = self._cycle(state, size)
            if cycle is not None:
                steps.append(_closing(cycle))
                width, middle = sum(e.width for e in cycle), sum(e.middle for e in cycle)
                carries = min(carries, rounded_down(middle, width) if width else inf)
                continue
            if not state.pending:
                return BandOutcome(False, "the band allows what the property denies")
            which = min(range(len(state.pending)), key=lambda k: (len(state.pending[k]), k))
            steps.append(Open(which))
            stack += reversed(opened(state, which, table, self.rows))
        return BandOutcome(True, steps=tuple(steps), carries=carries)

    def is_empty(self, size: Fraction) -> bool:
        """Whether the band contradicts itself at a size: nothing lies in it, and everything holds there."""
        edges = list(self._edges.values())
        gaps = [edge.middle - size * edge.width for edge in edges]
        common = math.lcm(*(gap.denominator for gap in gaps))
        weights = [int(gap * common) for gap in gaps]
        # Heights rise for ever exactly where some cycle adds up to more than 0, as at a size of 0 one may by a rounding.
        height = {row: 0 for edge in edges for row in (edge.above, edge.below)}
        for _ in range(len(height) + 1):
            before = dict(height)
            for edge, weight in zip(edges, weights, strict=True):
                height[edge.above] = max(height[edge.above], height[edge.below] + weight)
            if height == before:
                return False
        return True

    def _cycle(self, state: State, size: Fraction) -> list[Edge] | None:
        """Edges of a cycle that adds up to a contradiction, exactly; None when none was found."""
        weights = self._middles - float(size) * self._widths
        literals: dict[Pair, Edge] = {}
        for number, literal in enumerate(state.literals):
            assert isinstance(literal, LinearLiteral)
            first, second = literal.first, literal.second
            known = literals.get((first, second))
            if known is None or (literal.strict and not known.strict):
                literals[first, second] = Edge(first, second, Fraction(0), Fraction(0), literal.strict, number)
        for (above, below), edge in literals.items():
            # A hair in favour of strict literals, so that a cycle of weight 0 is found when it contradicts itself.
            weight = 10 * TOLERANCE if edge.strict else 0.0
            if weight >= weights[above, below]:
                weights[above, below] = weight
            else:
                continue
        rows = _positive_cycle(weights)
        if rows is None:
            return None
        edges = []
        for above, below in zip(rows, [*rows[1:], rows[0]], strict=True):
            literal_edge, kept = literals.get((above, below)), self._edges.get((above, below))
            if kept is None or (literal_edge is not None and kept.middle - size * kept.width <= 0):
                kept = literal_edge
            assert kept is not None
            edges.append(kept)
        total = sum((e.middle - size * e.width for e in edges), Fraction(0))
        return edges if total > 0 or (total == 0 and any(e.strict for e in edges)) else None


def _closing(cycle: list[Edge]) -> Close:
    """The sum of a cycle: numbers of literals and axes of the band, each with weight 1; leads follow from the rows."""
    literals = tuple((edge.literal, 1) for edge in cycle if edge.literal >= 0)
    return Close(literals, band=tuple(edge.axis for edge in cycle if edge.axis >= 0))


def _positive_cycle(weights: Float64) -> list[int] | None:
    """Rows r_1, r_2, ... with r_1 above r_2 above ... above r_1 by more than 0 in all, in floats."""
    count = len(weights)
    # height[a]: how far row a is above anything, by at most so many edges as there were rounds.
    height, follower = np.zeros(count), np.full(count, -1)
    for _ in range(count + 1):
        reach = weights + height[None, :]
        best = reach.argmax(axis=1)
        taller = reach[np.arange(count), best]
        rises = taller > height + TOLERANCE * 1e-3 * (1 + np.abs(height))
        if not rises.any():
            return None
        height = np.where(rises, taller, height)
        follower = np.where(rises, best, follower)
    row = int(np.flatnonzero(rises)[0])
    for _ in range(count):
        row = int(follower[row])
        if row < 0:
            return None
    cycle, start = [row], row
    while (row := int(follower[row])) != start:
        if row < 0 or len(cycle) > count:
            return None
        cycle.append(row)
    return cycle
