"""Provable coverage: for each property the largest region of each shape over which it is proved, and whom it contains.

Shapes differ in what they spend their size on. A box and an ellipsoid in all dimensions are the papers'; a span region
spends nothing on directions that the property does not read; a band bounds every pair of readouts by itself, so that for
a lone strength predicate the proof is the region's own definition, as is any case closed by one of its bounds alone.
Where a property has the premise "the model says c", its conclusion alone is tried as well: it says more, and reads fewer
numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from conspect.core.protocols import ProgressBar, silent
from conspect.core.regions import Region, Shape
from conspect.core.spaces import Float64
from conspect.language.syntax.tree import ForAll, Formula
from conspect.statistics.threads import one_thread
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.difference_graph import BandOutcome, DifferenceGraph
from conspect.verification.engine.prover import Outcome, Proof
from conspect.verification.engine.sizes import SizeSearch
from conspect.verification.measures import Rate
from conspect.verification.queries.formula_table import FormulaTable, leads_asked, tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.queries.premises import without_premise
from conspect.verification.regions.focus import FocusRegions, rate
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions, SizedSplit
from conspect.verification.regions.readouts import ReadoutKinds

SHAPES: tuple[Shape, ...] = ("box", "ellipsoid", "span", "band")
LARGEST = 1e6  # no region is larger: what is proved there is proved wherever anybody asks
Evidence: TypeAlias = Outcome | BandOutcome


@dataclass(frozen=True, eq=False)
class ProvedCoverage:
    """The largest region of one shape over which a property is proved.

    `size`: rounded down, the proof is exact there. `coverage`: share of future images inside, guaranteed by split
    conformal prediction. `measured`: share of held-out images inside, of a split that had no part in either.
    `premise_dropped`: the conclusion was proved without the premise. `reads`: the readouts that span the region.
    """

    shape: Shape
    size: float
    coverage: Fraction
    measured: Rate
    premise_dropped: bool
    reads: str
    region: Region
    table: FormulaTable
    evidence: Evidence
    kinds: ReadoutKinds | None

    @property
    def proof(self) -> Proof:
        """The closed tree of cases at `size`."""
        if isinstance(self.evidence, BandOutcome):
            return Proof(list(self.evidence.steps))
        return self.evidence.proof or Proof()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A region of a class at size 1, where its images lie, and what decides a formula at a size of it."""

    region: Region
    sized: SizedSplit
    measured: Float64
    reads: str
    table: FormulaTable
    prove: Callable[[float], tuple[Evidence, float] | None]
    premise_dropped: bool = False
    kinds: ReadoutKinds | None = None

    def inside(self, size: float) -> tuple[int, int]:
        """Images of the class inside at a size, and all of them, of the measuring split."""
        return int((self.measured <= size).sum()), len(self.measured)


@dataclass(eq=False)
class ProvableCoverage:
    """Searches the largest proved regions of all properties that speak of a class."""

    model: VerificationModel
    options: VerifyOptions
    focus: FocusRegions
    leads: tuple[Fraction, ...]
    readouts: ReadoutRegions = field(init=False)
    decider: Decider = field(init=False)
    _sized: dict[tuple[str, Shape], tuple[SizedSplit, Float64]] = field(default_factory=dict)
    _graphs: dict[tuple[ReadoutKinds, str], DifferenceGraph] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.readouts = ReadoutRegions(self.focus, self.options, self.leads)
        self.decider = Decider(self.model, self.options, leads=self.leads)

    @classmethod
    def of(
        cls, obligations: Sequence[Obligation], model: VerificationModel, options: VerifyOptions
    ) -> ProvableCoverage:
        """For these obligations of one model."""
        leads = sorted({lead for obligation in obligations for lead in leads_asked(obligation.table)})
        return cls(model, options, FocusRegions(model, options), tuple(leads))

    def search(
        self, obligations: Sequence[Obligation], shapes: Sequence[Shape] = SHAPES, bar: ProgressBar = silent
    ) -> list[dict[Shape, ProvedCoverage]]:
        """For each obligation the best region of each shape; a shape over which nothing is proved is left out.

        VERIFY006 for a class without embeddings. Obligations about images or shares have no region.
        """
        step = bar("provable coverage", len(obligations) * len(shapes))
        proved: list[dict[Shape, ProvedCoverage]] = [{} for _ in obligations]
        for shape in shapes:
            for known, obligation in zip(proved, obligations, strict=True):
                if isinstance(obligation.quantifier, ForAll) and obligation.class_name is not None:
                    best = self._best(obligation, obligation.class_name, shape)
                    if best is not None:
                        known[shape] = best
                step(1)
        return proved

    def _best(self, obligation: Obligation, class_name: str, shape: Shape) -> ProvedCoverage | None:
        best: ProvedCoverage | None = None
        for candidate in self._candidates(obligation, class_name, shape):
            # A further candidate is looked at only as far as it could contain more images than the best so far.
            least = -1 if best is None else math.floor(best.coverage * (len(candidate.sized.sizes) + 1))
            largest = self._largest(candidate, least)
            if largest is None:
                continue
            size, evidence = largest
            best = ProvedCoverage(
                shape,
                size,
                candidate.sized.coverage_at(size),
                rate(*candidate.inside(size), self.options.confidence),
                candidate.premise_dropped,
                candidate.reads,
                candidate.region.resized(Fraction(size)),
                candidate.table,
                evidence,
                candidate.kinds,
            )
        return best

    def _candidates(self, obligation: Obligation, class_name: str, shape: Shape) -> list[Candidate]:
        if shape not in ("span", "band"):
            return [self._over_embeddings(obligation.table, class_name, shape)]
        tried: list[tuple[Formula, bool]] = [(obligation.formula, False)]
        conclusion = without_premise(obligation.formula)
        if conclusion is not None:
            tried.insert(0, (conclusion, True))
        return [self._over_readouts(formula, class_name, shape, dropped=dropped) for formula, dropped in tried]

    def candidate(
        self, obligation: Obligation, class_name: str, shape: Shape, *, premise_dropped: bool
    ) -> Candidate | None:
        """The region of a shape that the property, or its conclusion, is proved over; None without a premise to drop."""
        fitting = (c for c in self._candidates(obligation, class_name, shape) if c.premise_dropped == premise_dropped)
        return next(fitting, None)

    def _largest(self, candidate: Candidate, least: int) -> tuple[float, Evidence] | None:
        """The size, and the proof there, that holds most images of the sizing split; None for not more than `least`.

        Only sizes at which another image comes in matter. A proof says how far it carries, so a few trials suffice.
        """
        sized = candidate.sized
        first = 0.0 if least < 0 else sized.size_beyond(least)
        proof = None if first is None else candidate.prove(first)
        if first is None or proof is None:
            return None
        evidence, size = proof[0], max(first, _within(proof[1]))
        low, high = sized.rank(size), len(sized.sizes)
        gallop = True
        while low < high:
            # One image further first: most proofs already carry as far as any does. Then halves.
            rank = low if gallop else (low + high) // 2
            gallop = False
            trial = sized.size_beyond(rank)
            assert trial is not None
            proof = candidate.prove(trial)
            if proof is None:
                high = rank
            else:
                evidence, size = proof[0], max(trial, _within(proof[1]))
                low = max(rank + 1, sized.rank(size))
        return size, evidence

    def _over_readouts(self, formula: Formula, class_name: str, shape: Shape, *, dropped: bool) -> Candidate:
        table = tabulate(formula, names_of(self.model))
        place = self.readouts.place(class_name, table, shape)
        if shape == "span":
            prove = self._prover(table, place.region, self.readouts.decider(place.kinds))
        else:
            prove = self._graph_prover(table, place)
        reads = place.kinds.words(self.model.concept_names)
        return Candidate(place.region, place.sized, place.measured, reads, table, prove, dropped, place.kinds)

    def _over_embeddings(self, table: FormulaTable, class_name: str, shape: Shape) -> Candidate:
        """The papers' shapes, in all dimensions of the embedding."""
        base, key = self.focus.estimated(class_name, shape), (class_name, shape)
        if key not in self._sized:
            sizes = []
            for split in (self.model.size_split, self.model.measure_split):
                embeddings = self.model.splits[split].embeddings[self.focus.members(split, class_name)]
                with one_thread():
                    sizes.append(base.sizes(embeddings) if len(embeddings) else np.zeros(0))
            self._sized[key] = SizedSplit(np.sort(sizes[0])), sizes[1]
        sized, measured = self._sized[key]
        return Candidate(base, sized, measured, "embeddings", table, self._prover(table, base, self.decider))

    def _prover(
        self, table: FormulaTable, region: Region, decider: Decider
    ) -> Callable[[float], tuple[Evidence, float] | None]:
        def prove(size: float) -> tuple[Evidence, float] | None:
            return span_proof(decider, table, region, size, time.monotonic() + self.options.seconds_budget)

        return prove

    def _graph_prover(
        self, table: FormulaTable, place: ClassRegion
    ) -> Callable[[float], tuple[Evidence, float] | None]:
        key = (place.kinds, place.region.arrays_digest)
        if key not in self._graphs:
            self._graphs[key] = self.readouts.graph(place)
        graph = self._graphs[key]
        return lambda size: band_proof(graph, table, size, self.options)


def span_proof(
    decider: Decider, table: FormulaTable, region: Region, size: float, deadline: float
) -> tuple[Outcome, float] | None:
    """The outcome and how far it carries, when the formula is proved over a region at a size."""
    end = SizeSearch(decider).proved_at(table, None, region, size, deadline, proofs_only=True)
    return (end.outcome, end.outcome.carries) if end.outcome.verdict.outcome == "holds" else None


def band_proof(
    graph: DifferenceGraph, table: FormulaTable, size: float, options: VerifyOptions
) -> tuple[BandOutcome, float] | None:
    """The outcome and how far it carries, when the formula is proved over a band at a size."""
    deadline = time.monotonic() + options.seconds_budget
    outcome = graph.decide(table, Fraction(size), node_budget=options.node_budget, deadline=deadline)
    return (outcome, outcome.carries) if outcome.proved else None


def _within(carries: float) -> float:
    """A size at which the proof that carries so far still goes through with room."""
    return math.nextafter(min(carries, LARGEST), 0.0)
