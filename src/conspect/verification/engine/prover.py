"""From hints to verdicts: every closed branch and every witness is checked exactly, and what fails is decided exactly.

The float engine's tree is taken over where its multipliers survive exact arithmetic. Where they do not (ties, and values
within rounding of one) the exact vertex of a linear program decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np

from conspect.core.spaces import AffineMap, Float64, Head
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language import holds_exactly
from conspect.verification.engine import exact_vertex
from conspect.verification.engine.batch import Branch, RegionForms, Task, examine
from conspect.verification.engine.exact import ExactPoint, ExactRegion, Multipliers
from conspect.verification.engine.integers import RationalVector, float_vector
from conspect.verification.engine.nonlinear import Decision, Nonlinear
from conspect.verification.queries.negation import AtomRows, Disjunction, State, contradiction, opened

PRECISIONS = (20, 52)
# A corner rounded to floats may lie outside by a few units in the last place; it is drawn inwards by these shares.
SHRINKS = (1e-15, 1e-14, 1e-12, 0.0)


@dataclass(frozen=True, eq=False)
class Witness:
    """A checked counterexample: an embedding in floats (boxes), or exact coordinates w of centre + factor w.

    `vector` is what was checked, `exact` the same in floats where they can say it, `floats` the embedding, rounded.
    """

    kind: Literal["embedding", "coordinates"]
    vector: RationalVector
    floats: Float64
    exact: Float64 | None = None


Placed: TypeAlias = "tuple[Witness, ExactPoint]"


@dataclass(eq=False)
class Proof:
    """A closed tree, in preorder: `("close", multipliers)` or `("open", which, children)`."""

    steps: list[tuple[object, ...]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A verdict with what proves it. `carries`: the size up to which this very proof goes through, about."""

    verdict: Verdict
    proof: Proof | None = None
    witness: Witness | None = None
    decided_by: str = ""
    margin: float | None = None
    carries: float = 0.0


@dataclass(eq=False)
class Prover:
    """Exact decisions over one region at one size; points met twice are evaluated once."""

    region: ExactRegion
    forms: RegionForms
    size: Fraction
    reading: AtomRows
    node_budget: int
    seconds_budget: float
    head: Head
    alignment: AffineMap
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    points: dict[bytes, Placed | None] = field(default_factory=dict)
    _nonlinear: Nonlinear | None = None

    def conclude(self, task: Task) -> Outcome:
        """The exact verdict on a task that the float engine has worked on (or not)."""
        if task.witness is not None:
            at = self.place(task.witness)
            if at is not None and self.refutes(task, at[1]):
                return Outcome(VIOLATED, witness=at[0], decided_by=task.decided_by)
        return self.search(task)

    def search(self, task: Task) -> Outcome:
        """Depth first through the task's tree, deciding each state exactly."""
        started = time.monotonic()
        steps: list[tuple[object, ...]] = []
        stack = [task.root]
        decided_by = task.decided_by
        margin = carries = np.inf
        examined = 0
        while stack:
            branch = stack.pop()
            examined += 1
            if examined > self.node_budget:
                return Outcome(unknown(f"more than {self.node_budget} conjuncts to examine"), decided_by=decided_by)
            left = self.seconds_budget - (time.monotonic() - started)
            if left <= 0:
                return Outcome(unknown(f"more than {self.seconds_budget:g} s needed"), decided_by=decided_by)
            if branch.step or branch.which >= 0:
                steps.append(branch.step or ("open", branch.which))
                stack.extend(reversed(branch.children))
                continue
            found = self._decided(branch, left)
            if isinstance(found, str):
                return Outcome(unknown(found), decided_by=decided_by)
            decided_by = found.how or decided_by
            if found.kind == "close":
                steps.append(found.step)
                margin, carries = min(margin, branch.margin), min(carries, found.carries)
                continue
            if found.kind in ("halve", "phase"):
                self._split(branch, found)
                stack.append(branch)
                continue
            assert found.point is not None
            witness, point = found.point
            unmet = [k for k, d in enumerate(branch.state.pending) if not self._opened_by(d, task, point)]
            if not unmet:
                if not self.refutes(task, point):
                    return Outcome(unknown("a point satisfied every part of the negation but not the whole"))
                return Outcome(VIOLATED, witness=witness, decided_by=decided_by)
            branch.which = min(unmet, key=lambda k: (len(branch.state.pending[k]), k))
            branch.children = [
                Branch(state, limits=branch.limits, phases=branch.phases)
                for state in opened(branch.state, branch.which, task.table, self.reading)
            ]
            stack.append(branch)
            examined -= 1
        certain = margin if np.isfinite(margin) else None
        return Outcome(HOLDS, Proof(steps), None, decided_by, certain, carries)

    def refutes(self, task: Task, point: ExactPoint) -> bool:
        """Whether a point lies in the region's cut and makes the source formula false, under the reference semantics."""
        if task.cut is not None and not point.predicts(task.cut):
            return False
        if task.formula is None:
            return not point.makes_true(task.table)
        return not holds_exactly(task.formula, point.reading(task.table, self.names))

    def _split(self, branch: Branch, decision: Decision) -> None:
        """Two children that differ in one half of an axis, or in the sign of one neuron."""
        branch.step = decision.step
        if decision.kind == "halve":
            axis = int(str(decision.step[1]))
            low, high = branch.limits.get(axis, (-self.size, self.size))
            halves = ((low, (low + high) / 2), ((low + high) / 2, high))
            branch.children = [
                Branch(branch.state, limits=branch.limits | {axis: half}, phases=branch.phases) for half in halves
            ]
        else:
            key = (int(str(decision.step[1])), int(str(decision.step[2])))
            branch.children = [
                Branch(branch.state, limits=branch.limits, phases=branch.phases | {key: active})
                for active in (True, False)
            ]

    def _decided(self, branch: Branch, seconds: float) -> Decision | str:  # noqa: PLR0911 (one for each way to decide)
        """What becomes of a state."""
        cycle = contradiction(branch.state.literals)
        if cycle is not None:
            return Decision("close", ("close", tuple((index, 1) for index in cycle)), carries=np.inf)
        if not self._is_linear(branch.state):
            return self.nonlinear().decide(branch.state, branch.limits, branch.phases)
        literals = tuple(literal for literal in branch.state.literals if len(literal) == 3)
        point = None
        if branch.multipliers is None:
            point = examine([branch], self.forms)[0]
        for bits in PRECISIONS if branch.multipliers is not None else ():
            multipliers = rounded(branch.multipliers or {}, bits)
            if self.region.closes(literals, multipliers, self.size):
                return Decision("close", ("close", multipliers), carries=self.forms.carried(literals, multipliers))
        if point is not None:
            at = self.place(point)
            if at is not None and all(at[1].satisfies(literal) for literal in literals):
                return Decision("point", point=at)
        if self.region.region.norm != "max":
            return "a tie, or nearly one, on the surface of an ellipsoid"
        answer = exact_vertex.decide(self.region, literals, self.size, seconds)
        if isinstance(answer, str):
            return answer
        how = "exact vertex of a linear program"
        if isinstance(answer, RationalVector):
            return Decision("point", point=self._at_coordinates(answer), how=how)
        return Decision("close", ("close", answer), carries=self.forms.carried(literals, answer), how=how)

    def _is_linear(self, state: State) -> bool:
        if self.head.is_linear:
            return all(len(literal) == 3 for literal in state.literals)
        return all(len(literal) == 3 and literal[0] >= self.reading.classes for literal in state.literals)

    def nonlinear(self) -> Nonlinear:
        """Decisions on states with literals that are not linear."""
        if self._nonlinear is None:
            self._nonlinear = Nonlinear(self, self.alignment, self.head)
        return self._nonlinear

    def _opened_by(self, disjunction: Disjunction, task: Task, point: ExactPoint) -> bool:
        return any(
            all(
                point.satisfies(part) if len(part) == 3 else point.makes_true(task.table[: part[0] + 1]) == part[1]
                for part in alternative
            )
            for alternative in disjunction
        )

    def place(self, unit: Float64) -> Placed | None:
        """The exact point for float coordinates in units of the size, moved inside; None when it will not go inside."""
        key = unit.tobytes()
        if key not in self.points:
            if len(self.points) > 4096:
                self.points.clear()
            self.points[key] = self._placed(unit)
        return self.points[key]

    def _placed(self, unit: Float64) -> Placed | None:
        region = self.region.region
        coordinates = unit * float(self.size)
        if region.shape == "box":
            for shrink in SHRINKS:
                embedding = region.points((coordinates * (1 - shrink))[None, :])[0]
                if shrink:
                    embedding = np.nextafter(embedding, region.centre)
                vector = float_vector(embedding)
                if self.region.has_embedding(vector, self.size):
                    return Witness("embedding", vector, embedding, embedding), self._point(vector, vector)
            return None
        if region.norm == "euclid" or float(self.size) > self.size:
            coordinates = coordinates * (1 - 1e-14)
        vector = float_vector(coordinates)
        if not self.region.has_coordinates(vector, self.size):
            return None
        return self._at_coordinates(vector, coordinates)

    def _at_coordinates(self, vector: RationalVector, exact: Float64 | None = None) -> Placed:
        embedding = self.region.frame.point(vector)
        floats = np.array([value / embedding.denominator for value in embedding.integers])
        return Witness("coordinates", vector, floats, exact), self._point(embedding, vector, from_region=True)

    def _point(self, embedding: RationalVector, vector: RationalVector, *, from_region: bool = False) -> ExactPoint:
        forms = self.region.forms if from_region else self.region.model
        base: Callable[[int], int | Fraction] = lambda row: forms.value(row, vector)  # noqa: E731
        if not self.head.is_linear:
            relu = self.nonlinear().relu
            assert relu is not None
            logits = relu.logits([Fraction(v, embedding.denominator) for v in embedding.integers])
            base = lambda row: logits[row] if row < self.reading.classes else forms.value(row, vector)  # noqa: E731
        return ExactPoint(self.region.model, embedding, base, self.reading.thresholds)


def rounded(multipliers: dict[int, float], bits: int) -> Multipliers:
    """Integer multipliers in proportion to float ones, the largest near 2**bits (1 when it is alone)."""
    if len(multipliers) == 1:
        return ((next(iter(multipliers)), 1),)
    largest = max(multipliers.values())
    whole = ((index, round(value / largest * (1 << bits))) for index, value in multipliers.items())
    return tuple((index, value) for index, value in whole if value > 0)
