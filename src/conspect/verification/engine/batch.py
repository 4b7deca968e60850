"""Decides the conjuncts of thousands of properties together, in float64: hints for the exact check that follows.

Each round looks at one state per open branch, all regions and properties at once: first the largest value of each single
literal over the region and the corner where it is attained (closed forms, one table per region), then the barrier
method on the literals of what is left. A state that closes ends its branch; a point that makes the whole formula false
ends its property; anything else opens one pending disjunction.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap, Float64
from conspect.language.syntax.tree import Formula
from conspect.verification.engine import barrier
from conspect.verification.engine.steps import Halve, SplitNeuron
from conspect.verification.queries.formula_table import FormulaNode, FormulaTable, NodeKind, lead_of, truth
from conspect.verification.queries.negation import Alternative, AtomRows, LinearLiteral, State, negation, opened

TOLERANCE = 1e-9
CHUNK = 256


@dataclass(eq=False)
class Branch:
    """A state of the search and what became of it: closed by `multipliers`, opened into `children`, or neither yet.

    `which`: the pending disjunction that was opened. `step`: how the branch was split otherwise, into parts of the box
    (`limits` in w, by axis) or by the sign of a neuron (`phases`).
    """

    state: State
    multipliers: dict[int, float] | None = None
    which: int = -1
    children: list[Branch] = field(default_factory=list)
    margin: float = np.inf
    by_barrier: bool = False
    limits: dict[int, tuple[Fraction, Fraction]] = field(default_factory=dict)
    phases: dict[tuple[int, int], bool] = field(default_factory=dict)
    step: Halve | SplitNeuron | None = None


@dataclass(eq=False)
class Task:
    """One property over one region. `witness`: coordinates w in the region, in units of its size; None while open.

    `decided`: how the last branch was decided; `stuck`: the float engine could not finish.
    """

    table: FormulaTable
    region_key: int
    cut: int | None
    root: Branch
    witness: Float64 | None = None
    stuck: bool = False
    decided_by: str = "closed form"
    formula: Formula | None = None
    nodes: int = 0
    margin: float | None = None

    def restart(self) -> None:
        """Forgets what floats found."""
        self.root = Branch(self.root.state)
        self.witness, self.stuck, self.nodes = None, False, 0


@dataclass(frozen=True, eq=False)
class RegionForms:
    """Base forms over one region in units of its size: value = slopes [row, D] u + offsets [row], |u| <= 1."""

    region: Region
    unit: Float64
    slopes: Float64
    offsets: Float64

    @classmethod
    def of(cls, region: Region, base: AffineMap) -> RegionForms:
        """The base forms seen from a region."""
        factor = region.factor
        unit = np.asarray(base.weight @ factor if factor.ndim == 2 else base.weight * factor)
        return cls(region, unit, np.asarray(unit * float(region.size)), base(region.centre[None, :])[0])

    def resized(self, region: Region) -> RegionForms:
        """The same forms over a region that differs in size (and cut) alone."""
        return RegionForms(region, self.unit, np.asarray(self.unit * float(region.size)), self.offsets)


def strength_margins(forms: RegionForms, pairs: NDArray[np.integer]) -> tuple[Float64, Float64]:
    """Worst margin and largest size of plain predicates "row a above row b", `pairs [predicate, 2]`; both `[predicate]`.

    margin = offset - size |slope|*, and it is zero at the size offset / |slope|* (infinite where the slope vanishes).
    """
    offsets = forms.offsets[pairs[:, 0]] - forms.offsets[pairs[:, 1]]
    size = float(forms.region.size)
    slopes = forms.unit[pairs[:, 0]]
    slopes -= forms.unit[pairs[:, 1]]
    reach = barrier.dual_norm(slopes, forms.region.norm)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.where(offsets > 0, offsets / reach, 0.0)
    return offsets - size * reach, np.asarray(largest)


def margin_of(task: Task) -> float | None:
    """The smallest margin over the branches of a decided task; at its witness, what the literals leave. None if open."""
    if task.stuck:
        return None
    if task.witness is not None:
        return task.margin
    smallest, stack = np.inf, [task.root]
    while stack:
        branch = stack.pop()
        smallest = min(smallest, branch.margin)
        stack += branch.children
    return float(smallest) if np.isfinite(smallest) else None


def new_task(
    table: FormulaTable, reading: AtomRows, region_key: int, cut: int | None, formula: Formula | None = None
) -> Task:
    """A task with its opening state; `formula` is the source that a witness must make false."""
    return Task(table, region_key, cut, Branch(negation(table, reading, cut)), formula=formula)


def decide(
    tasks: list[Task],
    regions: list[RegionForms],
    reading: AtomRows,
    node_budget: int,
    *,
    tight: bool = False,
    deadline: float = np.inf,
) -> None:
    """Works on every task until it is closed, has a witness, is stuck, or has used its budget. Linear literals only.

    `tight`: the margins of closed branches shall be close to the best, not only of the right sign.
    """
    frontier = [(task, task.root) for task in tasks]
    while frontier:
        by_region: defaultdict[int, list[tuple[Task, Branch]]] = defaultdict(list)
        for task, branch in frontier:
            if task.witness is None and not task.stuck:
                by_region[task.region_key].append((task, branch))
        frontier = []
        if time.monotonic() >= deadline:
            return
        for key, members in by_region.items():
            points = examine([branch for _, branch in members], regions[key], tight=tight)
            for (task, branch), point in zip(members, points, strict=True):
                task.nodes += 1
                if branch.by_barrier:
                    task.decided_by = "barrier on the multipliers"
                if branch.multipliers is None:
                    frontier += _follow(task, branch, point, regions[key], reading)
                if task.nodes > node_budget:
                    task.stuck = True


def _follow(
    task: Task, branch: Branch, point: Float64 | None, forms: RegionForms, reading: AtomRows
) -> list[tuple[Task, Branch]]:
    """Reads a point that satisfies the literals: a witness, or which disjunction to open."""
    if point is None:
        task.stuck = True
        return []
    if task.witness is not None:
        return []
    if branch.state.pending:
        values = forms.slopes @ point + forms.offsets
        unmet = [k for k, d in enumerate(branch.state.pending) if not any(_met(a, values, task, reading) for a in d)]
        if unmet:
            branch.which = min(unmet, key=lambda k: (len(branch.state.pending[k]), k))
            branch.children = [Branch(state) for state in opened(branch.state, branch.which, task.table, reading)]
            return [(task, child) for child in branch.children]
    task.witness = point
    values = forms.slopes @ point + forms.offsets
    gaps = [values[first] - values[second] for first, second, _ in _linear(branch.state)]
    task.margin = -float(min(gaps)) if gaps else None
    return []


def _met(alternative: Alternative, values: Float64, task: Task, reading: AtomRows) -> bool:
    return all(
        (values[part.first] > values[part.second] if part.strict else values[part.first] >= values[part.second])
        if isinstance(part, LinearLiteral)
        else _true(part.node, values, task.table, reading) == part.wanted
        for part in alternative
    )


def _true(index: int, values: Float64, table: FormulaTable, reading: AtomRows) -> bool:
    return truth(table, partial(_has_atom, values=values, reading=reading), index)


def _has_atom(atom: FormulaNode, values: Float64, reading: AtomRows) -> bool:
    first = int(atom[1])
    if atom[0] == NodeKind.PREDICT:
        lead = lead_of(atom)
        others = (k for k in range(reading.classes) if k != first)
        return all(values[first] > values[reading.raised_row(k, lead)] for k in others)
    if atom[0] == NodeKind.STRONGER:
        return bool(values[reading.classes + first] > values[reading.classes + int(atom[2])])
    bar = values[reading.threshold_row(first)] if reading.linear_norm else 0.0
    return bool(values[reading.classes + first] > bar)


def examine(branches: list[Branch], forms: RegionForms, *, tight: bool = False) -> list[Float64 | None]:
    """Closes branches or finds points for their literals, in place; None where neither succeeded."""
    # A single literal whose largest value is negative closes its conjunction, and where it is largest the others may hold too:
    # a few array operations for all conjunctions. What they leave goes to the barrier method in groups of equal length, lengths
    # above 16 rounded up to a power of two, so that few shapes of arrays occur. `tight` asks for the best multipliers of all
    # literals together, which no single one gives.
    literals = [_linear(branch.state) for branch in branches]
    points: list[Float64 | None] = [None] * len(branches)
    rest: list[int] = []
    hard = [tight and len(conjunction) > 1 for conjunction in literals]
    busy = [k for k, conjunction in enumerate(literals) if conjunction and not hard[k]]
    for k, conjunction in enumerate(literals):
        if not conjunction:
            points[k] = np.zeros(forms.region.dimension)
    if busy:
        rest = _closed_forms([branches[k] for k in busy], [literals[k] for k in busy], forms, points, busy)
    rest += [k for k in range(len(branches)) if hard[k]]
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for k in rest:
        by_length[1 << (len(literals[k]) - 1).bit_length() if len(literals[k]) > 16 else len(literals[k])].append(k)
    for length, group in by_length.items():
        for start in range(0, len(group), CHUNK):
            chunk = (group[start : start + CHUNK], length)
            _by_barrier(branches, literals, forms, points, chunk, tight=tight)
    return points


def _linear(state: State) -> list[LinearLiteral]:
    return [literal for literal in state.literals if isinstance(literal, LinearLiteral)]


def _padded(literals: list[list[LinearLiteral]], length: int) -> np.ndarray:
    """`[branch, length, 3]` with the first literal repeated, which changes nothing."""
    return np.asarray(
        [conjunction + conjunction[:1] * (length - len(conjunction)) for conjunction in literals], dtype=np.int64
    )


def _closed_forms(
    branches: list[Branch],
    literals: list[list[LinearLiteral]],
    forms: RegionForms,
    points: list[Float64 | None],
    places: list[int],
) -> list[int]:
    """Single literals: the largest value of each over the region, and the corner where it is attained."""
    rows = len(forms.offsets)
    pairs = _padded(literals, max(map(len, literals)))
    codes, inverse = np.unique(pairs[:, :, 0] * rows + pairs[:, :, 1], return_inverse=True)
    inverse = inverse.reshape(pairs.shape[:2])
    slopes = forms.slopes[codes // rows] - forms.slopes[codes % rows]
    offsets = forms.offsets[codes // rows] - forms.offsets[codes % rows]
    reach = barrier.dual_norm(slopes, forms.region.norm)
    scale = np.maximum(np.abs(offsets) + reach, 1e-300)
    highest = (offsets + reach)[inverse]
    # The most negative literal, relative to its scale, closes the branch.
    relative = highest / scale[inverse]
    lowest = relative.argmin(axis=1)
    lengths = np.where(reach > 0, reach, 1.0)[:, None]
    corners = np.sign(slopes) if forms.region.norm == "max" else slopes / lengths
    values = corners @ forms.slopes.T + forms.offsets
    gaps = values[inverse[:, :, None], pairs[:, None, :, 0]] - values[inverse[:, :, None], pairs[:, None, :, 1]]
    worst = (gaps / scale[inverse][:, None, :]).min(axis=2)
    best = worst.argmax(axis=1)
    rest: list[int] = []
    for k, branch in enumerate(branches):
        if relative[k, lowest[k]] < -TOLERANCE:
            branch.multipliers = {int(lowest[k]) % len(literals[k]): 1.0}
            branch.margin = -float(highest[k, lowest[k]])
        elif worst[k, best[k]] > TOLERANCE:
            points[places[k]] = corners[inverse[k, best[k]]]
        else:
            rest.append(places[k])
    return rest


def _by_barrier(
    branches: list[Branch],
    literals: list[list[LinearLiteral]],
    forms: RegionForms,
    points: list[Float64 | None],
    group: tuple[list[int], int],
    *,
    tight: bool,
) -> None:
    places, length = group
    pairs = _padded([literals[k] for k in places], length)
    slopes = forms.slopes[pairs[:, :, 0]] - forms.slopes[pairs[:, :, 1]]
    offsets = forms.offsets[pairs[:, :, 0]] - forms.offsets[pairs[:, :, 1]]
    answers = barrier.answer(slopes, offsets, forms.region.norm, tolerance=TOLERANCE, tight=tight)
    for row, k in enumerate(places):
        branch = branches[k]
        branch.by_barrier = True
        if answers.status[row] == barrier.CLOSED:
            merged: defaultdict[int, float] = defaultdict(float)
            for place, weight in enumerate(answers.multipliers[row].tolist()):
                merged[place if place < len(literals[k]) else 0] += weight
            branch.multipliers = dict(merged)
            branch.margin = -float(answers.upper[row])
        elif answers.status[row] == barrier.POINT:
            points[k] = answers.points[row]
