"""From hints to verdicts: every closed branch and every witness is checked exactly, and what fails is decided exactly.

The float engine's tree is taken over where its multipliers survive exact arithmetic. Where they do not (ties, and values
within rounding of one) the exact vertex of a linear program decides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf, isfinite

from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language import holds_exactly
from conspect.verification.engine import exact_vertex
from conspect.verification.engine.batch import Branch, Task, examine
from conspect.verification.engine.exact import Closure
from conspect.verification.engine.exact_point import ExactPoint
from conspect.verification.engine.integers import RationalVector
from conspect.verification.engine.nonlinear import CaseSplit, Decision, EmptyState, Nonlinear, SatisfyingPoint
from conspect.verification.engine.points import SizedRegion, Witness
from conspect.verification.engine.steps import Close, Halve, Multipliers, Open, SplitNeuron, Step
from conspect.verification.queries.negation import (
    Disjunction,
    LinearLiteral,
    State,
    contradiction,
    opened,
)

PRECISIONS = (20, 52)
VERTEX = "exact vertex of a linear program"


@dataclass(eq=False)
class Proof:
    """A closed tree of cases, its steps in preorder."""

    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A verdict with what proves it.

    `margin`: at every point of the region the formula is at least that far from changing its value, proved by this very
    proof and rounded down; None where a bound is not linear. `carries`: the size up to which the proof goes through.
    """

    verdict: Verdict
    proof: Proof | None = None
    witness: Witness | None = None
    decided_by: str = ""
    margin: float | None = None
    carries: float = 0.0


@dataclass(eq=False)
class Prover:
    """Exact decisions over one region at one size. `names`: of classes and concepts, for the reference semantics.

    `proofs_only`: no witness is looked for, whose exact evaluation is dear; what is not proved is unknown.
    """

    sized: SizedRegion
    node_budget: int
    seconds_budget: float
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    proofs_only: bool = False
    _nonlinear: Nonlinear | None = None

    def conclude(self, task: Task) -> Outcome:
        """The exact verdict on a task that the float engine has worked on (or not)."""
        if task.witness is not None:
            at = self.sized.inside(task.witness)
            if at is not None and self.refutes(task, at.point):
                return Outcome(VIOLATED, witness=at.witness, decided_by=task.decided_by)
        return self.search(task)

    def search(self, task: Task) -> Outcome:
        """Depth first through the task's tree, deciding each state exactly."""
        deadline = time.monotonic() + self.seconds_budget
        steps: list[Step] = []
        stack = [task.root]
        decided_by = task.decided_by
        margin = carries = inf
        examined = 0
        while stack:
            branch = stack.pop()
            examined += 1
            if examined > self.node_budget:
                return Outcome(unknown(f"more than {self.node_budget} conjuncts to examine"), decided_by=decided_by)
            if time.monotonic() >= deadline:
                return Outcome(self._out_of_time(), decided_by=decided_by)
            # Divided already, by the float engine or a moment ago: the tree is taken over, and only its leaves are decided here.
            if branch.step is not None or branch.which >= 0:
                steps.append(branch.step or Open(branch.which))
                stack.extend(reversed(branch.children))
                continue
            decision = self._decided(branch, deadline)
            # Undecided, but with a disjunction still closed: each alternative adds literals, and may yet contradict itself. The
            # shortest one first, since a proof must close every alternative.
            if isinstance(decision, str) and self.proofs_only and branch.state.pending:
                which = min(range(len(branch.state.pending)), key=lambda k: (len(branch.state.pending[k]), k))
                self._open(branch, task, which)
                stack.append(branch)
                continue
            if isinstance(decision, str):
                return Outcome(unknown(decision), decided_by=decided_by)
            decided_by = decision.how or decided_by
            # The whole is proved by no more than its weakest branch: margin and carried size are minima over the leaves.
            if isinstance(decision, EmptyState):
                steps.append(decision.step)
                margin, carries = min(margin, decision.margin), min(carries, decision.carries)
                continue
            if isinstance(decision, CaseSplit):
                self._split(branch, decision.step)
                stack.append(branch)
                continue
            # The point makes all literals true. What it refutes is only known once every pending disjunction has an alternative
            # that it makes true as well; of those that have none the shortest is opened, and the point is forgotten.
            at = decision.point
            unmet = [k for k, d in enumerate(branch.state.pending) if not self._opened_by(d, task, at.point)]
            if not unmet:
                if not self.refutes(task, at.point):
                    return Outcome(unknown("a point satisfied every part of the negation but not the whole"))
                return Outcome(VIOLATED, witness=at.witness, decided_by=decided_by)
            self._open(branch, task, min(unmet, key=lambda k: (len(branch.state.pending[k]), k)))
            stack.append(branch)
            examined -= 1  # it is taken up again at once, now with children: one conjunct, not two
        proved = margin if isfinite(margin) and margin >= 0 else None
        return Outcome(HOLDS, Proof(steps), None, decided_by, proved, carries)

    def refutes(self, task: Task, point: ExactPoint) -> bool:
        """Whether a point lies in the region's cut and makes the source formula false, under the reference semantics."""
        if task.cut is not None and not point.predicts(task.cut):
            return False
        if task.formula is None:
            return not point.makes_true(task.table)
        return not holds_exactly(task.formula, point.reading(task.table, self.names))

    def proved_margin(self, task: Task) -> float | None:
        """The margin that the multipliers of a closed float tree prove, each checked exactly; None if one proves nothing."""
        proved, stack = inf, [task.root]
        while stack:
            branch = stack.pop()
            if branch.which >= 0:
                stack += branch.children
                continue
            closure = self._closure(branch)
            if closure is None:
                return None
            proved = min(proved, closure[1].margin)
        return proved if isfinite(proved) else None

    def _out_of_time(self) -> Verdict:
        return unknown(f"more than {self.seconds_budget:g} s needed")

    def _open(self, branch: Branch, task: Task, which: int) -> None:
        """Children of a branch: one for each alternative of a pending disjunction."""
        branch.which = which
        branch.children = [
            Branch(state, limits=branch.limits, phases=branch.phases)
            for state in opened(branch.state, which, task.table, self.sized.rows)
        ]

    def _split(self, branch: Branch, step: Halve | SplitNeuron) -> None:
        """Two children that differ in one half of an axis, or in the sign of one neuron."""
        branch.step = step
        if isinstance(step, Halve):
            low, high = branch.limits.get(step.axis, (-self.sized.size, self.sized.size))
            halves = ((low, (low + high) / 2), ((low + high) / 2, high))
            branch.children = [
                Branch(branch.state, limits=branch.limits | {step.axis: half}, phases=branch.phases) for half in halves
            ]
        else:
            branch.children = [
                Branch(branch.state, limits=branch.limits, phases=branch.phases | {step.neuron: active})
                for active in (True, False)
            ]

    def _closure(self, branch: Branch) -> tuple[Multipliers, Closure] | None:
        """The first precision at which the float multipliers of a branch close it exactly."""
        literals = linear_literals(branch.state)
        for bits in PRECISIONS if branch.multipliers is not None else ():
            multipliers = rounded(branch.multipliers or {}, bits)
            closure = self.sized.region.closing(literals, multipliers, self.sized.size)
            if closure is not None:
                return multipliers, closure
        return None

    def _decided(self, branch: Branch, deadline: float) -> Decision | str:  # noqa: PLR0911 (one for each way to decide)
        """What becomes of a state."""
        if branch.multipliers is None or not self._is_linear(branch.state):
            # A cycle a > b >= a closes the state wherever it is, but at a tie its margin is zero.
            cycle = contradiction(branch.state.literals)
            if cycle is not None:
                return EmptyState(Close(tuple((index, 1) for index in cycle)), margin=0.0, carries=inf)
        if not self._is_linear(branch.state):
            return self.nonlinear().decide(branch.state, branch.limits, branch.phases, deadline)
        # From here on all is linear. Cheap first: what floats propose and integers confirm (multipliers that close the state, a
        # cycle, a point); a rational simplex, which is exact in itself and dear, only for what is left.
        literals = linear_literals(branch.state)
        point = examine([branch], self.sized.forms)[0] if branch.multipliers is None else None
        closed = self._closure(branch)
        if closed is not None:
            return EmptyState(Close(closed[0]), margin=closed[1].margin, carries=closed[1].carries)
        cycle = contradiction(branch.state.literals)
        if cycle is not None:
            return EmptyState(Close(tuple((index, 1) for index in cycle)), margin=0.0, carries=inf)
        if self.proofs_only:
            return "no proof"
        if point is not None:
            at = self.sized.inside(point)
            if at is not None and all(at.point.satisfies(literal) for literal in literals):
                return SatisfyingPoint(at)
        # Over an ellipsoid the optimum may have irrational coordinates, and no vertex stands for it.
        if self.sized.region.region.norm != "max":
            return "a tie, or nearly one, on the surface of an ellipsoid"
        answer = exact_vertex.decide(self.sized.region, literals, self.sized.size, deadline)
        if isinstance(answer, str):
            return answer
        if isinstance(answer, RationalVector):
            return SatisfyingPoint(self.sized.at_coordinates(answer), how=VERTEX)
        closure = self.sized.region.closing(literals, answer, self.sized.size)
        assert closure is not None
        return EmptyState(Close(answer), margin=closure.margin, carries=closure.carries, how=VERTEX)

    def _is_linear(self, state: State) -> bool:
        if not all(isinstance(literal, LinearLiteral) for literal in state.literals):
            return False
        if self.sized.head.is_linear:
            return True
        rows = self.sized.rows
        return all(rows.logit(literal[0]) is None for literal in state.literals)

    def nonlinear(self) -> Nonlinear:
        """Decisions on states with literals that are not linear."""
        if self._nonlinear is None:
            self._nonlinear = Nonlinear(self.sized)
        return self._nonlinear

    def _opened_by(self, disjunction: Disjunction, task: Task, point: ExactPoint) -> bool:
        return any(
            all(
                point.satisfies(part)
                if isinstance(part, LinearLiteral)
                else point.makes_true(task.table[: part.node + 1]) == part.wanted
                for part in alternative
            )
            for alternative in disjunction
        )


def linear_literals(state: State) -> tuple[LinearLiteral, ...]:
    """The literals of a state that compare two base rows."""
    return tuple(literal for literal in state.literals if isinstance(literal, LinearLiteral))


def rounded(multipliers: dict[int, float], bits: int) -> Multipliers:
    """Integer multipliers in proportion to float ones, the largest near 2**bits (1 when it is alone)."""
    if len(multipliers) == 1:
        return ((next(iter(multipliers)), 1),)
    largest = max(multipliers.values())
    whole = ((index, round(value / largest * (1 << bits))) for index, value in multipliers.items())
    return tuple((index, value) for index, value in whole if value > 0)
