"""The largest size at which a property still holds, and the curve over sizes.

Regions of one kind are nested in their size, so what holds at a size holds at every smaller one and a witness stays one
at every larger. A proof at one size is affine in the size: its multipliers say themselves how far they carry, which
is where the next attempt is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from conspect.core.regions import Region
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.verification.engine import batch
from conspect.verification.engine.batch import RegionForms, Task, new_task
from conspect.verification.engine.prover import Outcome, Prover
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.planning import Obligation
from conspect.verification.results import CurvePoint, GammaMax

RELATIVE = 1e-4
ATTEMPTS = 24
# One attempt of the search may not take as long as the verdict itself: it only narrows a bracket.
SECONDS = 5.0


class Deciding(Protocol):
    """What a search needs of the decider."""

    reading: AtomRows

    def forms(self, region: Region) -> RegionForms:
        """Base forms seen from a region."""

    def is_linear(self, task: Task) -> bool:
        """Whether all literals of a task are linear in the embedding."""

    def prover(self, region: Region, forms: RegionForms | None = None) -> Prover:
        """Exact decisions over a region."""


@dataclass(eq=False)
class SizeSearch:
    """Searches over sizes with exactly checked ends."""

    decider: Deciding

    def bracket(self, job: Obligation, region: Region, outcome: Outcome) -> GammaMax:
        """Where the verdict changes, starting from the outcome at the region's own size."""
        limit = 8.0 * max(1.0, float(region.size), math.sqrt(region.dimension) if region.norm == "euclid" else 0.0)
        low: float | None = None
        high: float | None = None
        carries = 0.0
        if outcome.verdict.outcome == "holds":
            low, carries = float(region.size), outcome.carries
        elif outcome.witness is not None:
            high = self._size_of(outcome, region)
        if low is None:
            start = self._decide(job, region, 0.0)
            if start.verdict.outcome != "holds":
                return GammaMax(None, 0.0 if start.verdict.outcome == "violated" else high, limit)
            low, carries = 0.0, start.carries
        for attempt in range(ATTEMPTS):
            if high is not None and high - low <= RELATIVE * high:
                break
            trial = self._next(low, high, carries, limit, attempt)
            found = self._decide(job, region, trial)
            if found.verdict.outcome == "holds":
                low, carries = trial, found.carries
                if trial >= limit:
                    break
            elif found.witness is not None:
                high = min(trial, self._size_of(found, region))
            else:
                break
        return GammaMax(low, high, limit)

    def _next(self, low: float, high: float | None, carries: float, limit: float, attempt: int) -> float:
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

    def _decide(self, job: Obligation, region: Region, size: float) -> Outcome:
        resized = region.resized(Fraction(size))
        prover = self.decider.prover(resized, self.decider.forms(resized))
        prover.seconds_budget = min(prover.seconds_budget, SECONDS)
        return prover.conclude(new_task(job.table, self.decider.reading, 0, region.cut, job.formula))

    @staticmethod
    def _size_of(outcome: Outcome, region: Region) -> float:
        assert outcome.witness is not None
        return float(region.sizes(outcome.witness.floats[None, :])[0]) * (1 + 1e-12)

    def curves(
        self,
        jobs: Sequence[tuple[Obligation, Region]],
        brackets: Sequence[GammaMax],
        sizes: Sequence[Fraction],
        budget: int,
    ) -> list[tuple[CurvePoint, ...]]:
        """For each job a point per size: the verdict that its bracket implies, the margin in float64."""
        margins: list[dict[Fraction, float | None]] = [{} for _ in jobs]
        for size in sizes:
            keys: dict[str, int] = {}
            forms: list[RegionForms] = []
            tasks = []
            for job, region in jobs:
                resized = region.resized(size)
                key = resized.digest
                if key not in keys:
                    keys[key] = len(forms)
                    forms.append(self.decider.forms(resized))
                tasks.append(new_task(job.table, self.decider.reading, keys[key], region.cut))
            linear = [task for task in tasks if self.decider.is_linear(task)]
            batch.decide(linear, forms, self.decider.reading, budget, tight=True)
            for known, task in zip(margins, tasks, strict=True):
                known[size] = batch.margin_of(task)
        return [
            tuple(CurvePoint(float(s), known[s], verdict_within(bracket, float(s))) for s in sizes)
            for known, bracket in zip(margins, brackets, strict=True)
        ]


def verdict_within(bracket: GammaMax, size: float) -> Verdict:
    """The verdict at a size that follows from a bracket."""
    if bracket.low is not None and size <= bracket.low:
        return HOLDS
    if bracket.high is not None and size >= bracket.high:
        return VIOLATED
    return unknown("between the largest size proved and the smallest refuted")
