"""Proofs around many images at once: one tree of cases for a formula, and at each case multipliers that close it.

A case is closed for an image when the weighted sum of its literals, at its largest within the neighbourhood, is negative:

    sum v_l (g_l'c + b_l) + radius |F' sum v_l g_l|  <  0      (<= 0 with a strict literal of positive weight)

for the centre c of the image. Only c differs from image to image, so one choice of multipliers closes a case for all
images on one side of a plane, and a few choices (alternatives) close it for all that can be closed. They are looked for
in floats, from cheap to dear; what counts as closed is decided in integers, for all images at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.verification.engine import barrier
from conspect.verification.engine.steps import Multipliers
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.rows import ReadoutRows
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.negation import LinearLiteral, Literal, State, contradiction, negation, opened

# A search takes at most so many literals of a case, those that are nearest to breaking, and so many numbers at once.
MOST_LITERALS = 32
MOST_NUMBERS = 1 << 24
WEIGHTS = 4096  # multipliers are integers that add up to about this
MOST_CASES = 512  # of one formula; what needs more is not proved


@dataclass(eq=False)
class ProofCase:
    """A case of the tree: `alternatives` of multipliers, any of which closes it, or disjunction `which` opened.

    An image is proved at a case when an alternative closes it for the image, or when it is proved at all `branches`.
    """

    alternatives: list[Multipliers] = field(default_factory=list)
    which: int | None = None
    branches: list[ProofCase] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class ImageProofs:
    """A formula around images: the tree, for which `images [image]` it closes, and where each of the others may break.

    `ways [image, V]`: w with |w| <= 1; centre + radius F w satisfies the literals of an open leaf, as floats see it. NaN
    where nothing is known.
    """

    tree: ProofCase
    images: NDArray[np.bool_]
    ways: Float64


@dataclass(eq=False)
class _Open:
    """A case at work. `rows`: which of the question's images are not closed above it."""

    question: int
    case: ProofCase
    state: State
    rows: NDArray[np.intp]
    closed: NDArray[np.bool_]
    branches: list[_Open] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Search:
    """Questions for the barrier method: `rows` of a case, `literals` of it, `slopes [literal, V]`, `offsets [row, literal]`."""

    case: _Open
    rows: NDArray[np.intp]
    literals: NDArray[np.intp]
    slopes: Float64
    offsets: Float64


def _parts(searches: Sequence[_Search]) -> Iterator[list[_Search]]:
    """Searches in runs that fit into memory together."""
    part: list[_Search] = []
    size = 0
    for search in searches:
        own = search.slopes.size * len(search.rows)
        if part and size + own > MOST_NUMBERS:
            yield part
            part, size = [], 0
        part.append(search)
        size += own
    if part:
        yield part


@dataclass(eq=False)
class NeighbourhoodProver:
    """Proves formulas around the images of `centres`, in one ellipsoid of displacements."""

    rows: ReadoutRows
    extents: Extents
    centres: Centres
    _slopes: dict[LinearLiteral, tuple[Float64, float, Float64, float]] = field(default_factory=dict)
    _floats: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self._floats = self.centres.floats

    def prove(self, questions: Sequence[tuple[FormulaTable, NDArray[np.intp]]], radius: Fraction) -> list[ImageProofs]:
        """For each formula around each of its images (rows of the centres)."""
        roots = [
            _Open(
                k,
                ProofCase(),
                negation(table, self.rows.rows, None),
                np.arange(len(images)),
                np.zeros(len(images), bool),
            )
            for k, (table, images) in enumerate(questions)
        ]
        ways = [np.full((len(images), self.rows.dimension), np.nan) for _, images in questions]
        counts = [1] * len(questions)
        level = [root for root in roots if len(root.rows)]
        while level:
            rest = [self._cheaply(case, questions[case.question][1], radius) for case in level]
            self._by_barrier(level, rest, questions, radius, ways)
            level = [inner for case in level for inner in self._opened(case, questions[case.question][0], counts)]
        return [ImageProofs(root.case, _closed(root), ways[k]) for k, root in enumerate(roots)]

    def closes(
        self, literals: Sequence[Literal], multipliers: Multipliers, images: NDArray[np.intp], radius: Fraction
    ) -> NDArray[np.bool_]:
        """Whether multipliers close a case for images, in exact arithmetic, `[image]`."""
        row = self.rows.combined(literals, multipliers)
        strict = any(_is_strict(literals[k]) for k, v in multipliers if v > 0)
        rise = self.extents.rise(row, radius, self.centres.shift)
        return self.centres.at_most(row, images, -rise if strict else -rise - 1)

    def _cheaply(self, case: _Open, images: NDArray[np.intp], radius: Fraction) -> NDArray[np.bool_]:
        """Closes what contradicts itself, and what one literal alone closes; which rows are worth a search, `[row]`."""
        literals = case.state.literals
        cycle = contradiction(literals)
        if cycle is not None:
            self._try(case, tuple((k, 1) for k in sorted(set(cycle))), images, radius)
        if not literals:
            return np.zeros(len(case.rows), dtype=bool)
        centres = self._floats[images[case.rows]]
        values = np.empty((len(case.rows), len(literals)))
        rises = np.empty(len(literals))
        for k, literal in enumerate(literals):
            vector, constant, _, rises[k] = self._float(literal)
            values[:, k] = centres @ vector + constant
        within = values + float(radius) * rises < 0
        while True:
            gains = (within & ~case.closed[:, None]).sum(axis=0)
            best = int(gains.argmax())
            if not gains[best]:
                break
            before = int(case.closed.sum())
            self._try(case, ((best, 1),), images, radius)
            if int(case.closed.sum()) == before:
                within[:, best] = False  # closed as floats see it, not exactly
        # At the centre itself all literals hold: no multipliers can close the case.
        return np.asarray(~case.closed & ~(values > 1e-9).all(axis=1))

    def _by_barrier(
        self,
        level: Sequence[_Open],
        rest: Sequence[NDArray[np.bool_]],
        questions: Sequence[tuple[FormulaTable, NDArray[np.intp]]],
        radius: Fraction,
        ways: Sequence[Float64],
    ) -> None:
        """Searches multipliers of several literals, for all cases with as many literals in one call."""
        groups: dict[int, list[_Search]] = {}
        for case, rows in zip(level, rest, strict=True):
            if len(case.state.literals) > 1 and rows.any():
                search = self._search(case, np.flatnonzero(rows), questions[case.question][1], radius)
                groups.setdefault(len(search.literals), []).append(search)
        for searches in groups.values():
            for part in _parts(searches):
                slopes = [np.broadcast_to(search.slopes, (len(search.rows), *search.slopes.shape)) for search in part]
                answers = barrier.answer(
                    np.concatenate(slopes), np.concatenate([search.offsets for search in part]), "euclid"
                )
                start = 0
                for search in part:
                    own, case = slice(start, start + len(search.rows)), search.case
                    start += len(search.rows)
                    weights = np.zeros((len(search.rows), len(case.state.literals)))
                    weights[:, search.literals] = answers.multipliers[own]
                    sums = np.column_stack([answers.upper[own], weights])
                    self._alternatives(case, search.rows, sums, questions[case.question][1], radius)
                    if not case.state.pending:
                        point = answers.status[own] == barrier.POINT
                        ways[case.question][case.rows[search.rows[point]]] = answers.points[own][point]
        for case in level:
            self._deepest(case, questions[case.question][1], ways[case.question])

    def _search(self, case: _Open, rows: NDArray[np.intp], images: NDArray[np.intp], radius: Fraction) -> _Search:
        forms = [self._float(literal) for literal in case.state.literals]
        vectors, constants = np.asarray([form[0] for form in forms]), np.asarray([form[1] for form in forms])
        offsets = self._floats[images[case.rows[rows]]] @ vectors.T + constants
        literals = np.arange(len(forms))
        if len(forms) > MOST_LITERALS:
            rises = np.maximum(np.asarray([form[3] for form in forms]), 1e-300)
            literals = np.sort(np.argsort((offsets / rises).min(axis=0), kind="stable")[:MOST_LITERALS])
        slopes = float(radius) * np.asarray([forms[k][2] for k in literals.tolist()])
        return _Search(case, rows, literals, slopes, offsets[:, literals])

    def _alternatives(
        self, case: _Open, rows: NDArray[np.intp], sums: Float64, images: NDArray[np.intp], radius: Fraction
    ) -> None:
        """Takes multipliers of the images that have most room first; each may close further images.

        `sums [row, 1 + literal]`: the largest weighted sum within the neighbourhood, and the multipliers.
        """
        for place in np.argsort(sums[:, 0], kind="stable").tolist():
            if sums[place, 0] >= 0:
                break
            if not case.closed[rows[place]]:
                whole = np.rint(sums[place, 1:] * WEIGHTS).astype(int).tolist()
                self._try(case, tuple((k, v) for k, v in enumerate(whole) if v > 0), images, radius)

    def _try(self, case: _Open, multipliers: Multipliers, images: NDArray[np.intp], radius: Fraction) -> None:
        """Keeps multipliers that close the case for another image."""
        left = np.flatnonzero(~case.closed)
        closes = self.closes(case.state.literals, multipliers, images[case.rows[left]], radius)
        if closes.any():
            case.case.alternatives.append(multipliers)
            case.closed[left[closes]] = True

    def _deepest(self, case: _Open, images: NDArray[np.intp], ways: Float64) -> None:
        """For a leaf of one literal: straight to where it is largest. The centre, where that is enough already."""
        if case.state.pending:
            return
        left = case.rows[~case.closed]
        left = left[np.isnan(ways[left]).any(axis=1)]
        if not len(left) or not case.state.literals:
            ways[left] = 0.0
            return
        forms = [self._float(literal) for literal in case.state.literals]
        values = self._floats[images[left]] @ np.asarray([form[0] for form in forms]).T
        holds = (values + np.asarray([form[1] for form in forms]) > 0).all(axis=1)
        ways[left[holds]] = 0.0
        if len(forms) == 1:
            slope, rise = forms[0][2], forms[0][3]
            ways[left[~holds]] = slope / rise if rise else 0.0

    def _opened(self, case: _Open, table: FormulaTable, counts: list[int]) -> list[_Open]:
        left = ~case.closed
        if not case.state.pending or not left.any():
            return []
        states = opened(case.state, 0, table, self.rows.rows)
        counts[case.question] += len(states)
        if counts[case.question] > MOST_CASES:
            return []
        case.case.which = 0
        case.branches = [
            _Open(case.question, ProofCase(), state, case.rows[left], np.zeros(int(left.sum()), bool))
            for state in states
        ]
        case.case.branches = [branch.case for branch in case.branches]
        return case.branches

    def _float(self, literal: Literal) -> tuple[Float64, float, Float64, float]:
        """Coefficients `[V]` and constant of a literal, F'g `[V]` and its length, rounded."""
        assert isinstance(literal, LinearLiteral)
        if literal not in self._slopes:
            vector, constant = self.rows.floats(self.rows.literal(literal))
            slope = self.extents.factor.T @ vector
            self._slopes[literal] = vector, constant, slope, float(np.linalg.norm(slope))
        return self._slopes[literal]


def _is_strict(literal: Literal) -> bool:
    return isinstance(literal, LinearLiteral) and literal.strict


def _closed(case: _Open) -> NDArray[np.bool_]:
    """Which rows of a case are proved, the branches counted in."""
    closed = case.closed.copy()
    if case.branches:
        inner = np.logical_and.reduce([_closed(branch) for branch in case.branches])
        closed[~case.closed] = inner
    return closed
