"""The largest size at which a property still holds, and the curve over sizes.

Regions of one kind are nested in their size, so what holds at a size holds at every smaller one and a witness stays one
at every larger. A proof at one size is affine in the size: its multipliers say themselves how far they carry, which
is where the next attempt is made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from conspect.core.regions import Region
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language.syntax.tree import Formula
from conspect.verification.engine import batch
from conspect.verification.engine.batch import RegionForms, Task, new_task
from conspect.verification.engine.certifiable import certifiable
from conspect.verification.engine.prover import Outcome, Prover
from conspect.verification.measures import CurvePoint, GammaMax
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.planning import Obligation

RELATIVE = 1e-4
ATTEMPTS = 24
# One attempt of the search may not take as long as the verdict itself: it only narrows a bracket.
SECONDS = 5.0
# Where an attempt that decides nothing took so much of the processor, smaller sizes are left alone. How long it waited for the
# processor beside other programs does not count: a certificate would say less for that, and be refused as one that says less.
UNDECIDED_SECONDS = 0.5


class SizeDecider(Protocol):
    """What a search needs of the decider."""

    rows: AtomRows

    def forms(self, region: Region) -> RegionForms:
        """Base forms seen from a region."""

    def decide_in_floats(self, tasks: Sequence[Task], forms: list[RegionForms], *, tight: bool = ...) -> None:
        """Hints for all tasks that are linear."""

    def prover(self, region: Region, forms: RegionForms | None = None) -> Prover:
        """Exact decisions over a region."""

    def guarded(self, decide: Callable[[], Outcome]) -> Outcome:
        """The outcome, or unknown where arithmetic fails."""


@dataclass(frozen=True, eq=False)
class End:
    """A size with the region and the outcome that was proved exactly there: at `low` a proof, at `high` a witness."""

    size: float
    region: Region
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class Bracket:
    """Where the verdict changes. `fails_at_centre`: even the smallest region has a witness. Sizes are safe floats:

    that of `low` is rounded down and that of `high` up. `searched`: with no `high`, the size up to which was looked.
    """

    low: End | None
    high: End | None
    searched: float
    fails_at_centre: bool = False

    def record(self) -> GammaMax:
        """The two ends as a result carries them."""
        high = 0.0 if self.fails_at_centre else None if self.high is None else self.high.size
        return GammaMax(None if self.low is None else self.low.size, high, self.searched)

    def verdict(self, size: Fraction) -> Verdict:
        """The verdict at a size that follows from the two ends: regions are nested."""
        if self.low is not None and size <= self.low.size:
            return HOLDS
        if self.fails_at_centre or (self.high is not None and size >= self.high.size):
            return VIOLATED
        return unknown("between the largest size proved and the smallest refuted")


@dataclass(eq=False)
class SizeSearch:
    """Searches over sizes with exactly checked ends. `patience`: the share of the two times above that an attempt gets."""

    decider: SizeDecider
    patience: float = 1.0

    def bracket(self, obligation: Obligation, region: Region, outcome: Outcome, seconds: float) -> Bracket:
        """Where the verdict changes, starting from the outcome at the region's own size."""
        deadline = time.monotonic() + seconds
        # Beyond a few times the largest size of an ordinary embedding nobody asks.
        limit = 8.0 * max(float(region.size), math.sqrt(region.dimension) if region.norm == "euclid" else 1.0)
        low = high = None
        if outcome.verdict.outcome == "holds":
            low = End(below(region.size), region, outcome)
        elif outcome.witness is not None:
            high = self._refuted(region, outcome)
        if low is None:
            start = self._decide(obligation, region, 0.0, deadline)
            if start.outcome.verdict.outcome == "violated":
                return Bracket(None, self._refuted(start.region, start.outcome), limit, fails_at_centre=True)
            if start.outcome.verdict.outcome != "holds":
                return Bracket(None, high, 0.0 if high is None else limit)
            low = start
        undecided = math.inf  # the smallest size at which neither a proof nor a witness was found: less may be proved
        for attempt in range(ATTEMPTS):
            top = min(undecided, math.inf if high is None else high.size)
            if (top < math.inf and top - low.size <= RELATIVE * top) or time.monotonic() >= deadline:
                break
            trial = _next(low.size, None if top == math.inf else top, low.outcome.carries, limit, attempt)
            started = time.thread_time()
            attempted = self._decide(obligation, region, trial, deadline)
            if attempted.outcome.verdict.outcome == "holds":
                low = attempted
                if trial >= limit:
                    break
            elif attempted.outcome.witness is not None:
                refuted = self._refuted(attempted.region, attempted.outcome)
                high = refuted if high is None or refuted.size < high.size else high
            else:
                undecided = min(undecided, trial)
                if time.thread_time() - started > self.patience * UNDECIDED_SECONDS:
                    break
        return Bracket(low, high, max(low.size, limit if high is not None else low.size))

    def _decide(self, obligation: Obligation, region: Region, size: float, deadline: float) -> End:
        return self.proved_at(obligation.table, obligation.formula, region, size, deadline)

    def proved_at(
        self,
        table: FormulaTable,
        formula: Formula | None,
        region: Region,
        size: float,
        deadline: float,
        *,
        proofs_only: bool = False,
    ) -> End:
        """The outcome for a formula at one size of a region; `deadline` on the monotonic clock."""
        resized = region.resized(Fraction(size))
        prover = self.decider.prover(resized, self.decider.forms(resized))
        prover.seconds_budget = max(
            0.0, min(prover.seconds_budget, self.patience * SECONDS, deadline - time.monotonic())
        )
        prover.proofs_only = proofs_only
        task = new_task(table, self.decider.rows, 0, region.cut, formula)
        return End(size, resized, certifiable(self.decider.guarded(lambda: prover.conclude(task))))

    def _refuted(self, region: Region, outcome: Outcome) -> End:
        """The size of the witness itself, which is often smaller than the region it was found in."""
        assert outcome.witness is not None
        exact = self.decider.prover(region).sized.region
        size = min(exact.size_above(outcome.witness.kind == "embedding", outcome.witness.vector), above(region.size))
        return End(size, region.resized(Fraction(size)), outcome)

    def curves(
        self, jobs: Sequence[tuple[Obligation, Region]], brackets: Sequence[Bracket], sizes: Sequence[Fraction]
    ) -> list[tuple[CurvePoint, ...]]:
        """For each job a point per size: the verdict that its bracket implies, the margin in float64."""
        margins: list[dict[Fraction, float | None]] = [{} for _ in jobs]
        for size in sizes:
            keys: dict[str, int] = {}
            forms: list[RegionForms] = []
            tasks = []
            for obligation, region in jobs:
                resized = region.resized(size)
                key = resized.digest
                if key not in keys:
                    keys[key] = len(forms)
                    forms.append(self.decider.forms(resized))
                tasks.append(new_task(obligation.table, self.decider.rows, keys[key], region.cut))
            self.decider.decide_in_floats(tasks, forms, tight=True)
            for known, task in zip(margins, tasks, strict=True):
                known[size] = batch.margin_of(task)
        return [
            tuple(CurvePoint(float(s), known[s], bracket.verdict(s)) for s in sizes)
            for known, bracket in zip(margins, brackets, strict=True)
        ]


def _next(low: float, high: float | None, carries: float, limit: float, attempt: int) -> float:
    """Just within what the last proof carries, then just beyond it, then the middle."""
    top = limit if high is None else high
    if carries >= limit and high is None:
        return limit
    inside, beyond = carries * (1 - 1e-9), carries * (1 + 0.5 * RELATIVE)
    if low < inside < top and inside - low > 1e-3 * RELATIVE * top:
        return inside
    if low < beyond < top and attempt < ATTEMPTS // 2:
        return beyond
    return (low + top) / 2


def below(size: Fraction) -> float:
    """The largest float that is at most a size."""
    nearest = float(size)
    return nearest if Fraction(nearest) <= size else math.nextafter(nearest, -math.inf)


def above(size: Fraction) -> float:
    """The smallest float that is at least a size."""
    return -below(-size)
