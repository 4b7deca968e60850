"""Embeddings aimed at: the readouts of a region at which a formula is false by most, and an embedding that has them.

Lines between images miss most of a region. Its readouts are known, though, and nearly free: an embedding has many more
dimensions than a formula reads. So the readouts are chosen first, by a convex program over the region (the least slack of
the literals that make the formula false, as large as it gets), and an embedding with them is computed by least squares
from an image; the length |y| is then set in the directions that change no other readout. Nothing here is trusted:
what comes out is a place to look at, and is checked exactly where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from conspect.core.spaces import AffineMap, Float64
from conspect.language.syntax.tree import Formula
from conspect.verification.queries.formula_table import FormulaTable, tabulate
from conspect.verification.queries.negation import AtomRows, LinearLiteral, State, contradiction, negation, opened
from conspect.verification.queries.planning import names_of
from conspect.verification.regions.least_slack import Ellipsoid, HalfSpaces, Slacks, in_ellipsoid, in_polytope
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions

CONJUNCTS = 24  # ways in which a formula can be false that are aimed at
CUTS = 6  # rounds in which the least possible length is brought in
ROOM = 1e-6  # share of the size by which an aim stays inside
# Singular values below this share of the largest are rounding: to move along them would take embeddings miles away.
RANK = 1e-6


@dataclass(frozen=True, eq=False)
class ReadoutMoves:
    """How an embedding moves its readouts: along `moves [D, k]` the linear ones move by `spans [V_linear, k]`.

    `others [E, D]` is how the mapped embedding moves where none of them does.
    """

    moves: Float64
    spans: Float64
    others: Float64
    alignment: AffineMap

    @classmethod
    def of(cls, linear: Float64, alignment: AffineMap) -> ReadoutMoves:
        """For `linear [V_linear, D]`, the slopes of the linear readouts."""
        left, values, right = _decomposed(linear)
        others = alignment.weight - (alignment.weight @ right.T) @ right
        return cls(right.T / values, left, others, alignment)

    @cached_property
    def _turning(self) -> tuple[Float64, Float64]:
        """An orthonormal basis `[E, r]` of what the other directions reach of the mapped embedding, and `[D, r]`, how."""
        left, values, right = _decomposed(self.others)
        return left, right.T / values

    def fixed(self, mapped: Float64) -> Float64:
        """The part of `mapped [E]` (or `[E, k]`) that only the readouts decide; its length is the least there is."""
        basis, _ = self._turning
        return np.asarray(mapped - basis @ (basis.T @ mapped), dtype=np.float64)

    def with_length(self, embedding: Float64, length: float) -> Float64:
        """The embedding `[D]` with |y| as near to `length` as its other readouts allow."""
        basis, reach = self._turning
        mapped = self.alignment(embedding[None, :])[0]
        turned = basis.T @ mapped
        present = float(np.linalg.norm(turned))
        if not present:
            return embedding
        wanted = max(length**2 - float(np.sum(self.fixed(mapped) ** 2)), 0.0) ** 0.5
        return np.asarray(embedding + reach @ ((wanted / present - 1.0) * turned), dtype=np.float64)


@dataclass(eq=False)
class AimedEmbeddings:
    """Embeddings that would make formulas false inside one region; none where a head with ReLU layers is read."""

    readouts: ReadoutRegions
    place: ClassRegion
    _moves: ReadoutMoves = field(init=False)

    def __post_init__(self) -> None:
        model, kinds = self.readouts.model, self.place.kinds
        self._moves = ReadoutMoves.of(self.readouts.space(kinds).slopes(), model.lens.alignment)

    def against(self, formula: Formula, start: Float64) -> Float64:
        """Embeddings `[aim, D]`, one for each way in which the formula can be false, from the image `start [D]`."""
        model, kinds = self.readouts.model, self.place.kinds
        if kinds.class_index is not None and not model.head.is_linear:
            return np.zeros((0, model.dimension))
        ways = _conjuncts(tabulate(formula, names_of(model)), self.readouts.decider(kinds).rows)
        aimed = [self._aimed(way, start) for way in ways]
        return np.asarray([x for x in aimed if x is not None], dtype=np.float64).reshape(-1, model.dimension)

    def _aimed(self, way: State, start: Float64) -> Float64 | None:
        """The embedding for one way of being false. Variables: moves, then, where it is read, what is added to the length."""
        base, presence = self.readouts.decider(self.place.kinds).base, self.place.kinds.has_length
        origin = self.readouts.space(self.place.kinds).readouts(start[None, :])[0]
        linear, moved = self._moves.spans.shape
        directions = np.zeros((len(origin), moved + presence))
        directions[:linear, :moved] = self._moves.spans
        directions[linear:, moved:] = 1.0
        pairs = [(literal.first, literal.second) for literal in way.literals if isinstance(literal, LinearLiteral)]
        gaps = _differences(base, pairs)
        slacks = Slacks(gaps.weight @ directions, gaps.weight @ origin + gaps.offset)
        fixed = self._moves.fixed(self._moves.alignment(start[None, :])[0])
        turns = self._moves.fixed(self._moves.alignment.weight @ self._moves.moves)
        cut = HalfSpaces(np.zeros((0, directions.shape[1])), np.zeros(0))
        embedding, length = start, 0.0
        for _ in range(CUTS):
            v = self._solved(slacks, origin, directions, cut)
            if v is None:
                return None
            embedding = np.asarray(start + self._moves.moves @ v[:moved], dtype=np.float64)
            if not presence:
                return embedding
            rest, length = fixed + turns @ v[:-1], float(origin[-1] + v[-1])
            shortest = float(np.linalg.norm(rest))
            if length >= shortest:
                break
            # No embedding with these readouts is so short. The least length is convex; it lies above its tangent here.
            unit = rest / shortest
            cut = cut.and_also(np.append(unit @ turns, -1.0), float(origin[-1] - unit @ fixed))
        return self._moves.with_length(embedding, length)

    def _solved(self, slacks: Slacks, origin: Float64, directions: Float64, cut: HalfSpaces) -> Float64 | None:
        region, size = self.place.region, float(self.place.region.size) * (1 - ROOM)
        if region.shape == "band":
            gaps = _differences(self.readouts.decider(self.place.kinds).base, self.readouts.pairs(self.place.kinds))
            least = region.centre - size * region.factor
            limits = np.append(gaps.weight @ origin + gaps.offset - least, cut.limits)
            return in_polytope(slacks, HalfSpaces(np.vstack([-gaps.weight @ directions, cut.rows]), limits))
        at_centre = region.coordinates(region.centre[None, :])
        axes = (region.coordinates(region.centre + directions.T) - at_centre).T
        return in_ellipsoid(slacks, Ellipsoid(region.coordinates(origin[None, :])[0], axes, size), cut)


def _decomposed(matrix: Float64) -> tuple[Float64, Float64, Float64]:
    """Singular vectors and values `[m, r]`, `[r]`, `[r, n]`, without those that are rounding."""
    if not matrix.size:
        return np.zeros((matrix.shape[0], 0)), np.zeros(0), np.zeros((0, matrix.shape[1]))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int((values > RANK * max(float(values[0]), 1e-300)).sum())
    return left[:, :rank], values[:rank], right[:rank]


def _differences(base: AffineMap, pairs: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> AffineMap:
    """First minus second base row of each pair, as functions of the readouts."""
    rows = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return AffineMap(
        base.weight[rows[:, 0]] - base.weight[rows[:, 1]], base.offset[rows[:, 0]] - base.offset[rows[:, 1]]
    )


def _conjuncts(table: FormulaTable, rows: AtomRows) -> list[State]:
    """Ways in which the formula can be false, all disjunctions opened; those that contradict themselves are left out."""
    stack, ways = [negation(table, rows, None)], list[State]()
    while stack and len(ways) < CONJUNCTS:
        state = stack.pop()
        if contradiction(state.literals) is not None:
            continue
        if not state.pending:
            ways.append(state)
            continue
        which = min(range(len(state.pending)), key=lambda k: (len(state.pending[k]), k))
        stack += reversed(opened(state, which, table, rows))
    return ways
