"""Verdicts about span and band regions: a proof over the readouts, or an image inside that refutes the property."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import inf, nextafter

import numpy as np

from conspect.core.diagnostics import user_error
from conspect.core.percentages import narrow
from conspect.core.regions import Region
from conspect.core.spaces import Float64
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language.syntax.tree import Focus, Formula, Not
from conspect.verification.engine.prover import Proof
from conspect.verification.engine.steps import Close
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.measures import Rate
from conspect.verification.queries.formula_table import FormulaTable, leads_asked, tabulate
from conspect.verification.queries.model import COVERAGE, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.queries.premises import premise_of, without_premise
from conspect.verification.regions.between import BetweenImages
from conspect.verification.regions.focus import FocusRegions, rate
from conspect.verification.regions.membership import Membership
from conspect.verification.regions.provable import band_proof, span_proof
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions
from conspect.verification.regions.readouts import kinds_read
from conspect.verification.regions.shapes import Band

# Images are asked exactly whether they lie inside, those deepest inside first: so many, and none that is outside by more
# than this share of the size.
TRIED = 3
ROOM = 1e-6
REFUTED = "an image inside refutes it"
BETWEEN = "an embedding inside refutes it"


@dataclass(frozen=True, eq=False)
class Attempt:
    """A formula that would settle a property, and the region of what it reads. `premise_dropped`: it is the conclusion."""

    table: FormulaTable
    place: ClassRegion
    premise_dropped: bool


@dataclass(frozen=True, eq=False)
class ReadoutVerdict:
    """The verdict about one property over a region of readouts.

    `image`: split and row of a refuting image. `embedding [D]`: one that refutes, where no image does. `vacuous`: why what
    holds says nothing, or "".
    """

    verdict: Verdict
    attempt: Attempt
    coverage: Rate
    decided_by: str
    note: str
    image: tuple[str, int] | None = None
    proof: Proof | None = None
    vacuous: str = ""
    embedding: Float64 | None = None

    @property
    def region(self) -> Region:
        """The region that the verdict speaks of."""
        return self.attempt.place.region

    @property
    def is_by_definition(self) -> bool:
        """Whether each case of a proof over a band holds one literal against one bound of the band, which says the same."""
        closings = [step for step in (self.proof.steps if self.proof else ()) if isinstance(step, Close)]
        return bool(closings) and all(len(c.multipliers) == 1 and len(c.band or ()) == 1 for c in closings)

    @property
    def is_one_line(self) -> bool:
        """Whether each case of a proof over an ellipse of two numbers holds one literal against the ellipse alone: all say on
        which side of one line it lies. A tautology's proof sets literals against each other.
        """
        kinds = self.attempt.place.kinds
        closings = [step for step in (self.proof.steps if self.proof else ()) if isinstance(step, Close)]
        over = self.region.shape == "span" and kinds.class_index is None
        read = len(kinds.strengths_read) + kinds.has_length
        return over and read == 2 and bool(closings) and all(len(closing.multipliers) == 1 for closing in closings)

    @property
    def proof_caveats(self) -> tuple[str, ...]:
        """What has to be known of a proof that the region's own drawing makes easy."""
        if self.is_by_definition:
            return ("what is proved is the band's own definition: each case is one of its bounds",)
        if self.is_one_line:
            return (
                "the region is an ellipse of the two numbers that are compared, drawn for this comparison alone: the proof "
                "says that it lies on one side of their tie",
            )
        return ()


@dataclass(eq=False)
class ReadoutVerdicts:
    """Decides properties over span and band regions of one model; regions are kept between properties."""

    model: VerificationModel
    options: VerifyOptions
    focus: FocusRegions
    truth: ExactTruth
    _readouts: dict[tuple[Fraction, ...], ReadoutRegions] = field(default_factory=dict)

    def decide(self, obligation: Obligation, focus: Focus, shape: str) -> ReadoutVerdict:
        """Tries the conclusion alone first, which is stronger; a counterexample is a real image where there is one.

        VERIFY006 without enough images, VERIFY010 for a cut, which these shapes do not know.
        """
        readouts = self._regions_for(obligation)
        attempts = self.attempts(obligation, focus, shape)
        for attempt in attempts:
            proof = self._proved(readouts, attempt)
            if proof is not None:
                by = "cycle of the band" if shape == "band" else "barrier"
                note = (
                    "; its conclusion was proved, over the region of what the conclusion reads"
                    if attempt.premise_dropped
                    else ""
                )
                held = self._answer(HOLDS, attempt, by, note)
                return replace(held, proof=proof, vacuous=self._vacuous(readouts, obligation, attempt))
        whole = attempts[-1]
        image = self._refuting(readouts, obligation.formula, focus, whole.place)
        if image is not None:
            refuted = self._answer(VIOLATED, whole, REFUTED, "; refuted by a real image inside the region")
            return replace(refuted, image=image)
        members = readouts.members(self.model.measure_split, focus.class_name)
        between = BetweenImages(readouts, whole.place, focus.class_name, self.truth)
        embedding = between.refuting(obligation.formula, members, self.model.measure_split)
        if embedding is not None:
            refuted = self._answer(VIOLATED, whole, BETWEEN, "; refuted by an embedding inside that is no image's")
            return replace(refuted, embedding=embedding)
        return self._answer(unknown("neither a proof nor anything inside that refutes it was found"), whole, "", "")

    def attempts(self, obligation: Obligation, focus: Focus, shape: str) -> list[Attempt]:
        """What would settle a property, each over its own region at the size asked for; the property itself comes last."""
        if focus.cut:
            raise user_error(
                "VERIFY010",
                f"a {shape} region cannot be cut with 'where'",
                "write the condition as a premise: predict(x, c) implies ...",
            )
        readouts = self._regions_for(obligation)
        conclusion = without_premise(obligation.formula)
        tried = [] if conclusion is None else [(conclusion, True)]
        return [
            Attempt(tabulate(formula, names_of(self.model)), self._region(readouts, formula, focus, shape), dropped)
            for formula, dropped in [*tried, (obligation.formula, False)]
        ]

    def place(self, obligation: Obligation, focus: Focus, decided: Region) -> ClassRegion:
        """The region that a verdict was `decided` over, with how far out the class's held-out images lie in it.

        It is that of the whole formula, or of its conclusion alone where that was proved.
        """
        readouts, conclusion = self._regions_for(obligation), without_premise(obligation.formula)
        whole = self._region(readouts, obligation.formula, focus, decided.shape)
        if conclusion is None or (whole.region.shape, whole.region.arrays_digest) == (
            decided.shape,
            decided.arrays_digest,
        ):
            return whole
        return self._region(readouts, conclusion, focus, decided.shape)

    def inside(self, attempt: Attempt) -> tuple[int, int]:
        """Images of the class inside the region, and all of them, of the measuring split."""
        measured = attempt.place.measured
        return int((measured <= float(attempt.place.region.size)).sum()), len(measured)

    def _regions_for(self, obligation: Obligation) -> ReadoutRegions:
        leads = tuple(sorted(leads_asked(obligation.table)))
        if leads not in self._readouts:
            self._readouts[leads] = ReadoutRegions(self.focus, self.options, leads)
        return self._readouts[leads]

    def _answer(self, verdict: Verdict, attempt: Attempt, by: str, note: str) -> ReadoutVerdict:
        return ReadoutVerdict(verdict, attempt, rate(*self.inside(attempt), self.options.confidence), by, note)

    def _vacuous(self, readouts: ReadoutRegions, obligation: Obligation, attempt: Attempt) -> str:
        """Why a property that holds says nothing here, or nothing: no member satisfies its premise, or there is none."""
        premise = None if attempt.premise_dropped else premise_of(obligation.formula)
        if premise is not None:
            denied = replace(attempt, table=tabulate(Not(premise), names_of(self.model)))
            if self._proved(readouts, denied) is not None:
                return "no embedding of the region satisfies its premise"
        if isinstance(attempt.place.region, Band):
            empty = readouts.graph(attempt.place).is_empty(attempt.place.region.size)
            return "the region is empty: what its band demands of several pairs cannot be met together" if empty else ""
        return ""

    def _region(self, readouts: ReadoutRegions, formula: Formula, focus: Focus, shape: str) -> ClassRegion:
        table = tabulate(formula, names_of(self.model))
        place = readouts.place(focus.class_name, table, shape)
        asked = self.options.gamma if focus.coverage is None and self.options.coverage is None else None
        gamma = asked if focus.gamma is None else focus.gamma
        if gamma is not None:
            return place.at(gamma, f"size {float(gamma):g}")
        coverage = focus.coverage or self.options.coverage or COVERAGE
        size = place.sized.size_for(coverage)
        if size is None:
            raise user_error(
                "VERIFY006",
                f"{len(place.sized.sizes)} embeddings of {focus.class_name!r} in split {self.model.size_split!r} cannot "
                f"show a coverage of {narrow(float(coverage))}",
                "ask for a lower coverage, or give a gamma",
            )
        note = f"smallest size that covers {narrow(float(coverage))} by split conformal prediction: {float(size):.4g}"
        return place.at(size, note)

    def _proved(self, readouts: ReadoutRegions, attempt: Attempt) -> Proof | None:
        place, table = attempt.place, attempt.table
        # What a region is not made of is a constant to the engine, and would prove anything.
        assert place.kinds.covers(kinds_read(table, place.kinds.class_index or 0))
        size = float(place.region.size)
        if Fraction(size) < place.region.size:  # what is proved at a larger size is proved here
            size = nextafter(size, inf)
        if place.region.shape == "band":
            band = band_proof(readouts.graph(place), table, size, self.options)
            return None if band is None else Proof(list(band[0].steps))
        deadline = time.monotonic() + self.options.seconds_budget
        span = span_proof(readouts.decider(place.kinds), table, place.region, size, deadline)
        return None if span is None else span[0].proof

    def _refuting(
        self, readouts: ReadoutRegions, formula: Formula, focus: Focus, place: ClassRegion
    ) -> tuple[str, int] | None:
        """The image of the measuring split deepest inside the region at which the formula is false; both exactly."""
        split = self.model.measure_split
        rows = readouts.members(split, focus.class_name)
        if not len(rows):
            return None
        size = float(place.region.size)
        false = ~self.truth.of_split(formula, split)[rows]
        hits = np.flatnonzero((place.measured <= size * (1 + ROOM)) & false)
        exactly = Membership(self.model)
        embeddings = self.model.splits[split].embeddings
        for hit in hits[np.argsort(place.measured[hits], kind="stable")][:TRIED].tolist():
            if exactly.holds(place, readouts, embeddings[int(rows[hit])]):
                return split, int(rows[hit])
        return None
