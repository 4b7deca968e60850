"""Verdicts about span and band regions: a proof over the readouts, or an image inside that refutes the property."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conspect.core.diagnostics import user_error
from conspect.core.regions import Region
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language.syntax.tree import Focus, Formula
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.queries.formula_table import leads_asked, tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.regions.focus import FocusRegions, rate
from conspect.verification.regions.provable import band_proof, span_proof
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions
from conspect.verification.regions.readouts import kinds_read, without_premise
from conspect.verification.results import Rate

# Without a size of its own, a region of readouts covers this share of real images.
COVERAGE = Fraction(9, 10)
# An image counts as inside when it is by this much: what the rounding of its readouts cannot change.
ROOM = 1e-6
REFUTED = "an image inside refutes it"


@dataclass(frozen=True, eq=False)
class ReadoutVerdict:
    """The verdict about one property over a region of readouts; `image`: row of a refuting image of the split."""

    verdict: Verdict
    region: Region
    coverage: Rate
    decided_by: str
    note: str
    image: tuple[str, int] | None = None


@dataclass(eq=False)
class ReadoutVerdicts:
    """Decides properties over span and band regions of one model."""

    model: VerificationModel
    options: VerifyOptions
    focus: FocusRegions
    truth: ExactTruth

    def decide(self, obligation: Obligation, focus: Focus, shape: str) -> ReadoutVerdict:
        """Tries the conclusion alone first, which is stronger; a counterexample has to be a real image.

        VERIFY006 without enough images, VERIFY010 for a cut, which these shapes do not know.
        """
        if focus.cut:
            raise user_error(
                "VERIFY010",
                f"a {shape} region cannot be cut with 'where'",
                "write the condition as a premise: predict(x, c) implies ...",
            )
        readouts = self._readouts(obligation)
        conclusion = without_premise(obligation.formula)
        tried = [(obligation.formula, "")]
        if conclusion is not None:
            tried.insert(0, (conclusion, "; proved without its premise, which is stronger"))
        place = None
        for formula, note in tried:
            place = self._region(readouts, formula, focus, shape)
            if self._proved(readouts, formula, place):
                return self._answer(HOLDS, place, "cycle of the band" if shape == "band" else "barrier", note)
        assert place is not None
        image = self._refuting(readouts, obligation.formula, focus, place)
        if image is not None:
            return self._answer(VIOLATED, place, REFUTED, "; refuted by a real image inside the region", image)
        return self._answer(unknown("neither a proof nor a held-out image inside that refutes it"), place, "", "")

    def place(self, obligation: Obligation, focus: Focus, decided: Region) -> ClassRegion:
        """The region that a verdict was `decided` over, with how far out the class's held-out images lie in it.

        It is that of the whole formula, or of its conclusion alone where that was proved.
        """
        readouts, conclusion = self._readouts(obligation), without_premise(obligation.formula)
        whole = self._region(readouts, obligation.formula, focus, decided.shape)
        if conclusion is None or whole.region.arrays_digest == decided.arrays_digest:
            return whole
        return self._region(readouts, conclusion, focus, decided.shape)

    def _readouts(self, obligation: Obligation) -> ReadoutRegions:
        return ReadoutRegions(self.focus, self.options, tuple(sorted(leads_asked(obligation.table))))

    def _answer(
        self, verdict: Verdict, place: ClassRegion, by: str, note: str, image: tuple[str, int] | None = None
    ) -> ReadoutVerdict:
        inside = int((place.measured <= float(place.region.size)).sum())
        coverage = rate(inside, len(place.measured), self.options.confidence)
        return ReadoutVerdict(verdict, place.region, coverage, by, note, image)

    def _region(self, readouts: ReadoutRegions, formula: Formula, focus: Focus, shape: str) -> ClassRegion:
        table = tabulate(formula, names_of(self.model))
        kinds = kinds_read(table, self.model.class_names.index(focus.class_name))
        place = (readouts.span if shape == "span" else readouts.band)(focus.class_name, kinds)
        if focus.gamma is not None:
            return place.at(focus.gamma, f"size {float(focus.gamma):g}")
        coverage = focus.coverage or self.options.coverage or COVERAGE
        size = place.sized.size_for(coverage)
        if size is None:
            raise user_error(
                "VERIFY006",
                f"{len(place.sized.sizes)} embeddings of {focus.class_name!r} in split {self.model.size_split!r} cannot "
                f"show a coverage of {float(coverage):.1%}",
                "ask for a lower coverage, or give a gamma",
            )
        note = f"smallest size that covers {float(coverage):.1%} by split conformal prediction: {float(size):.4g}"
        return place.at(size, note)

    def _proved(self, readouts: ReadoutRegions, formula: Formula, place: ClassRegion) -> bool:
        table = tabulate(formula, names_of(self.model))
        size = float(place.region.size)
        seconds = self.options.seconds_budget
        if place.region.shape == "band":
            return band_proof(readouts.graph(place), table, size, self.options) is not None
        return (
            span_proof(readouts.decider(place.kinds), table, place.region, size, time.monotonic() + seconds) is not None
        )

    def _refuting(
        self, readouts: ReadoutRegions, formula: Formula, focus: Focus, place: ClassRegion
    ) -> tuple[str, int] | None:
        """An image of the measuring split well inside the region at which the formula is false, exactly."""
        split = self.model.measure_split
        rows = readouts.members(split, focus.class_name)
        if not len(rows):
            return None
        inside = place.measured <= float(place.region.size) * (1 - ROOM)
        false = ~self.truth.of_split(formula, split)[rows]
        hits = np.flatnonzero(inside & false)
        if not len(hits):
            return None
        return split, int(rows[hits[place.measured[hits].argmin()]])
