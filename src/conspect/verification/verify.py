"""The facade: a specification and a subject in, one result per property out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.protocols import ProgressBar, silent
from conspect.core.regions import Region
from conspect.core.verdicts import HOLDS, VIOLATED, unknown
from conspect.language.syntax.tree import Focus, ForAll, ForImage, ForShare, Specification
from conspect.verification.certificates.claims import Claim, image_claim, region_claim, share_claim
from conspect.verification.certificates.writing import tie_of, tied
from conspect.verification.engine.decider import Decider
from conspect.verification.images import shares as statistical
from conspect.verification.images.describing import Describer
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.regions.focus import FocusRegions, rarity, rate
from conspect.verification.results import PropertyResult, Rate, WitnessRecord


def verify(
    specification: Specification,
    subject: VerificationModel,
    options: VerifyOptions | None = None,
    *,
    file: str = "",
    bar: ProgressBar = silent,
) -> list[PropertyResult]:
    """A result for each property of a specification, in source order.

    Raises UserError, before any work starts, for names, thresholds, splits or heads that cannot be used. `options`
    fill what a property leaves open; `file` is copied into results and messages; `bar` shows how far the work is.
    """
    jobs = plan(specification, subject, file)
    return Verification(subject, options or VerifyOptions(), bar).run(jobs)


@dataclass(eq=False)
class Verification:
    """One subject with the choices of the caller; regions and readings are kept between files."""

    subject: VerificationModel
    options: VerifyOptions
    bar: ProgressBar = silent
    tie: dict[str, str] = field(init=False)
    focus: FocusRegions = field(init=False)
    decider: Decider = field(init=False)
    describer: Describer = field(init=False)

    def __post_init__(self) -> None:
        self.tie = tie_of(self.subject)
        self.focus = FocusRegions(self.subject, self.options)
        self.decider = Decider(self.subject, self.options)
        self.describer = Describer(self.subject, self.options.nearest)

    def run(self, jobs: Sequence[Obligation]) -> list[PropertyResult]:
        """Results of jobs planned for the same subject."""
        regions = {
            index: self.focus.region(job.quantifier.region)
            for index, job in enumerate(jobs)
            if isinstance(job.quantifier, ForAll)
        }
        found: dict[int, PropertyResult] = self._about_regions(jobs, regions)
        found |= self._about_shares(jobs)
        for index, job in enumerate(jobs):
            if isinstance(job.quantifier, ForImage):
                found[index] = self._about_image(job, job.quantifier)
        return self._with_satisfaction(jobs, [found[index] for index in range(len(jobs))])

    def _about_regions(self, jobs: Sequence[Obligation], regions: dict[int, Region]) -> dict[int, PropertyResult]:
        order = list(regions)
        passes = 2 if self.options.search_gamma else 1
        self.decider.progress = self.bar("verification", passes * len(order)) if order else (lambda steps: None)
        decided = self.decider.decide([(jobs[k], regions[k]) for k in order])
        results: dict[int, PropertyResult] = {}
        for index, answer in zip(order, decided, strict=True):
            job, region = jobs[index], regions[index]
            started = time.perf_counter()
            assert isinstance(job.quantifier, ForAll)
            sizes, passed = self.focus.measure(job.quantifier.region, region)
            inside = int(((sizes <= float(region.size)) & passed).sum())
            coverage = rate(inside, len(sizes), self.options.confidence)
            claim = region_claim(job, region, answer.outcome, (inside, len(sizes), self.subject.measure_split))
            witness: WitnessRecord | None = None
            margin = answer.margin
            if answer.outcome.witness is not None:
                witness = self.describer.describe(answer.outcome.witness.floats, region)
                margin = self.describer.margin(job.formula, answer.outcome.witness.floats)
            curve = tuple(
                replace(point, coverage=float(((sizes <= point.gamma) & passed).mean()) if len(sizes) else None)
                for point in answer.curve
            )
            results[index] = self._result(
                job,
                verdict=answer.outcome.verdict,
                region=region,
                margin=margin,
                gamma_max=None if answer.bracket is None else answer.bracket.record(),
                curve=curve,
                coverage=coverage,
                witness=witness,
                certificate=self._digest(claim),
                decided_by=answer.outcome.decided_by,
                caveats=self._caveats(coverage, answer.caveats, job.quantifier.region),
                seconds=answer.seconds + time.perf_counter() - started,
                claim=claim,
            )
        return results

    def _caveats(self, coverage: Rate, more: Sequence[str], focus: Focus) -> tuple[str, ...]:
        first = rarity(coverage)
        found = [first] if first else []
        found += more
        if self.subject.measure_split in (self.subject.fit_split, self.subject.size_split):
            found.append("coverage and satisfaction are measured on images that also shaped the region")
        if focus.cut:
            found.append(f"claimed only for embeddings that the head assigns to {focus.class_name}")
        return tuple(found)

    def _about_shares(self, jobs: Sequence[Obligation]) -> dict[int, PropertyResult]:
        chosen = [(k, job.quantifier) for k, job in enumerate(jobs) if isinstance(job.quantifier, ForShare)]
        outcomes: list[NDArray[np.bool_]] = []
        members: list[NDArray[np.bool_]] = []
        seconds: list[float] = []
        for index, quantifier in chosen:
            started = time.perf_counter()
            split = quantifier.images.split or self.subject.measure_split
            members.append(self.focus.members(split, quantifier.images.class_name))
            outcomes.append(self.describer.truth(jobs[index].formula, split)[members[-1]])
            seconds.append(time.perf_counter() - started)
        counts = [(int(true.sum()), len(true)) for true in outcomes]
        decided = statistical.share_verdicts(counts, [q.share for _, q in chosen], self.options.confidence)
        level = Fraction(1) - Fraction(str(self.options.confidence))
        results = {}
        for place, ((index, quantifier), (verdict, p_value)) in enumerate(zip(chosen, decided, strict=True)):
            split = quantifier.images.split or self.subject.measure_split
            ids = self.subject.splits[split].ids
            images = (split, [ids[k] for k in np.flatnonzero(members[place])], outcomes[place])
            claim = share_claim(jobs[index], verdict.outcome, images, quantifier.share, level)
            caveats = [
                f"a statement about images like those of split {split}, at confidence {self.options.confidence:g}"
            ]
            if verdict.outcome != "unknown":
                caveats.append(f"Holm-corrected p = {p_value:.3g}")
            results[index] = self._result(
                jobs[index],
                verdict=verdict,
                satisfaction=rate(*counts[place], self.options.confidence),
                certificate=self._digest(claim),
                decided_by="exact binomial test",
                caveats=tuple(caveats),
                seconds=seconds[place],
                claim=claim,
            )
        return results

    def _about_image(self, job: Obligation, quantifier: ForImage) -> PropertyResult:
        started = time.perf_counter()
        split, row = self.describer.find(quantifier.image_id)
        truth = bool(self.describer.truth(job.formula, split)[row])
        embedding = np.asarray(self.subject.splits[split].embeddings[row], dtype=np.float64)
        margin = self.describer.margin(job.formula, embedding)
        verdict = HOLDS if truth else VIOLATED
        if abs(margin) < 1e-9:
            verdict = unknown("a tie, or nearly one, at this image")
        claim = image_claim(job, verdict.outcome, (split, self.subject.splits[split].ids[row]), embedding)
        witness = None if truth else self.describer.describe(embedding, None, image_id=quantifier.image_id)
        return self._result(
            job,
            verdict=verdict,
            margin=margin,
            witness=witness,
            decided_by="evaluation",
            caveats=("evaluated in float64",),
            seconds=time.perf_counter() - started,
            certificate=self._digest(claim),
            claim=claim,
        )

    def _with_satisfaction(self, jobs: Sequence[Obligation], results: list[PropertyResult]) -> list[PropertyResult]:
        """Adds the held-out satisfaction rate; intervals of a file hold together at the stated confidence.

        Holm's procedure has no two-sided intervals of its own; the interval is that of its first step, at level
        1 - (1 - confidence) / m for m properties, which bounds all of them at once.
        """
        several = max(1, sum(not isinstance(job.quantifier, ForImage) for job in jobs))
        confidence = 1 - (1 - self.options.confidence) / several
        finished = []
        for job, result in zip(jobs, results, strict=True):
            if isinstance(job.quantifier, ForImage):
                finished.append(result)
                continue
            split = self.subject.measure_split
            if isinstance(job.quantifier, ForShare):
                split = job.quantifier.images.split or split
            members = self.focus.members(split, job.class_name)
            truth = self.describer.truth(job.formula, split)[members]
            finished.append(replace(result, satisfaction=rate(int(truth.sum()), len(truth), confidence)))
        return finished

    def _digest(self, claim: Claim) -> str | None:
        return None if claim.verdict == "unknown" else tied(claim.said(), self.tie)

    @staticmethod
    def _result(job: Obligation, **known: object) -> PropertyResult:
        kinds = {ForAll: "region", ForShare: "share", ForImage: "image"}
        return PropertyResult(
            name=job.name,
            kind=kinds[type(job.quantifier)],  # type: ignore[arg-type]
            class_name=job.class_name,
            statement=job.statement,
            line=job.line,
            file=job.file,
            **known,  # type: ignore[arg-type]
        )
