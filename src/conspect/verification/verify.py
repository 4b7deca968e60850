"""The facade: a specification and a subject in, one result per property out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import UserError
from conspect.core.protocols import ProgressBar, silent
from conspect.core.regions import Region
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language.syntax.tree import (
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    ForShare,
    ForShareNear,
    Not,
    Predict,
    Specification,
)
from conspect.verification.certificates.claims import (
    Claim,
    end_claims,
    image_claim,
    readout_claim,
    region_claim,
    share_claim,
)
from conspect.verification.certificates.writing import tie_of, tied
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.integers import float_vector
from conspect.verification.engine.points import Witness
from conspect.verification.engine.rounding import formula_slack
from conspect.verification.images import shares as statistical
from conspect.verification.images.describing import Describer
from conspect.verification.neighbourhoods.verdicts import NearVerdicts
from conspect.verification.queries.formula_table import FormulaTable, concepts_named, leads_asked, tabulate
from conspect.verification.queries.model import READOUT_SHAPES, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, about, asked_for, names_of, plan
from conspect.verification.queries.premises import premise_of
from conspect.verification.queries.tautologies import is_tautology
from conspect.verification.regions.focus import FocusRegions, caveats_of, rarity, rate
from conspect.verification.regions.readout_verdicts import ReadoutVerdicts
from conspect.verification.results import PropertyResult, WitnessRecord


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


TOO_FEW = "VERIFY006"


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
    near: NearVerdicts = field(init=False)
    readouts: ReadoutVerdicts = field(init=False)

    def __post_init__(self) -> None:
        self.tie = tie_of(self.subject)
        self.focus = FocusRegions(self.subject, self.options)
        self.decider = Decider(self.subject, self.options)
        self.describer = Describer(self.subject, self.options.nearest)
        self.near = NearVerdicts(self.subject, self.options, self.focus, self.describer)
        self.readouts = ReadoutVerdicts(self.subject, self.options, self.focus, self.describer.exact)

    def run(self, jobs: Sequence[Obligation]) -> list[PropertyResult]:
        """Results of jobs planned for the same subject."""
        self._decide_for(jobs)
        regions: dict[int, Region] = {}
        results: dict[int, PropertyResult] = {}
        for index, job in enumerate(jobs):
            if isinstance(job.quantifier, ForAll):
                shape = job.quantifier.region.shape or self.options.shape
                try:
                    with about(job.name, job.place):
                        if shape in READOUT_SHAPES:
                            results[index] = self._about_readouts(job, job.quantifier.region, shape)
                        else:
                            regions[index] = self.focus.region(job.quantifier.region)
                except UserError as error:
                    # A class with too few images is the trouble of its own properties, not of the file.
                    if error.diagnostics[0].code != TOO_FEW:
                        raise
                    results[index] = self._result(job, verdict=unknown(error.diagnostics[0].problem))
        results |= self._about_regions(jobs, regions)
        results |= self._about_shares(jobs)
        results |= self._about_neighbourhoods(jobs)
        for index, job in enumerate(jobs):
            if isinstance(job.quantifier, ForImage):
                with about(job.name, job.place):
                    results[index] = self._about_image(job, job.quantifier)
        return self._with_satisfaction(jobs, [results[index] for index in range(len(jobs))])

    def _about_regions(self, jobs: Sequence[Obligation], regions: dict[int, Region]) -> dict[int, PropertyResult]:
        order = list(regions)
        passes = 2 if self.options.search_gamma else 1
        self.decider.progress = self.bar("verification", passes * len(order)) if order else (lambda steps: None)
        decided = self.decider.decide([(jobs[k], regions[k]) for k in order])
        vacuous = self._vacuous([(jobs[k], regions[k], a.outcome.verdict) for k, a in zip(order, decided, strict=True)])
        results: dict[int, PropertyResult] = {}
        for place, (index, answer) in enumerate(zip(order, decided, strict=True)):
            job, region = jobs[index], regions[index]
            started = time.perf_counter()
            assert isinstance(job.quantifier, ForAll)
            sizes, passed = self.focus.measure(job.quantifier.region, region)
            covered = partial(self.focus.covered, job.quantifier.region)
            coverage = rate(*covered(region)[:2], self.options.confidence)
            claim = region_claim(job, region, answer.outcome, covered(region))
            witness: WitnessRecord | None = None
            margin = answer.margin
            if answer.outcome.witness is not None:
                witness = self.describer.describe(answer.outcome.witness.floats, region)
                margin = self.describer.margin(job.formula, answer.outcome.witness.floats)
            off = formula_slack(self.subject, region, job.table)
            slack = off if np.isfinite(off) else None
            curve = tuple(
                replace(point, coverage=float(((sizes <= point.gamma) & passed).mean()) if len(sizes) else None)
                for point in answer.curve
            )
            results[index] = self._result(
                job,
                verdict=self._at_run_time(vacuous.get(place, answer.outcome.verdict), margin, slack),
                vacuous=place in vacuous,
                float32_slack=slack,
                region=region,
                margin=margin,
                gamma_max=None if answer.bracket is None else answer.bracket.record(),
                ends=() if answer.bracket is None else end_claims(job, answer.bracket, covered),
                curve=curve,
                coverage=coverage,
                witness=witness,
                certificate=self._digest(claim),
                decided_by=answer.outcome.decided_by,
                caveats=(
                    *caveats_of(self.subject, coverage, answer.caveats, job.quantifier.region),
                    *self.describer.remoteness(witness),
                ),
                rarity=rarity(coverage),
                seconds=answer.seconds + time.perf_counter() - started,
                claim=claim,
            )
        return results

    def _decide_for(self, jobs: Sequence[Obligation]) -> None:
        """Takes up the leads that these properties ask for; what is known of regions stays when there are none."""
        leads = tuple(sorted({lead for job in jobs for lead in leads_asked(job.table)} | set(self.decider.leads)))
        if leads != self.decider.leads:
            self.decider = Decider(self.subject, self.options, leads=leads)

    def _vacuous(self, decided: Sequence[tuple[Obligation, Region, Verdict]]) -> dict[int, Verdict]:
        """The verdicts of held properties whose premise no embedding of the region satisfies, by place.

        Each premise is asked once for a region, as the property that denies it.
        """
        questions: dict[tuple[FormulaTable, str], tuple[Obligation, Region]] = {}
        asked: dict[int, tuple[tuple[FormulaTable, str], str]] = {}
        for place, (job, region, verdict) in enumerate(decided):
            premise = premise_of(job.formula)
            if verdict.outcome != "holds" or (premise is None and region.cut is None):
                continue
            what = "no embedding of the region satisfies its premise"
            whole = region
            if premise is None:
                assert region.cut is not None
                premise = Predict(self.subject.class_names[region.cut])
                whole, what = replace(region, cut=None), "the region is empty: the model never says its class there"
            denied = Not(premise)
            table = tabulate(denied, names_of(self.subject))
            key = (table, whole.digest)
            questions.setdefault(key, (replace(job, formula=denied, table=table), whole))
            asked[place] = key, what
        decider = self.decider.without_search()
        answers = dict(zip(questions, decider.decide(list(questions.values())), strict=True))
        return {
            place: Verdict("holds", f"vacuous: {what}")
            for place, (key, what) in asked.items()
            if answers[key].outcome.verdict.outcome == "holds"
        }

    def _at_run_time(self, verdict: Verdict, margin: float | None, slack: float | None) -> Verdict:
        """With `float32`, what is proved of exact numbers is claimed only where rounding cannot change it."""
        if not self.options.float32 or verdict.outcome != "holds":
            return verdict
        if margin is not None and slack is not None and margin > slack:
            return verdict
        allowance = "of unknown size" if slack is None else f"of up to {slack:.3g}"
        return unknown(f"proved in exact arithmetic, but not beyond float32 rounding {allowance}")

    def _about_readouts(self, job: Obligation, focus: Focus, shape: str) -> PropertyResult:
        """A property over a region of what it reads; the witness against it is a real image."""
        started = time.perf_counter()
        answer = self.readouts.decide(job, focus, shape)
        described, margin, witness = None, None, None
        if answer.image is not None:
            split, row = answer.image
            embedding = np.asarray(self.subject.splits[split].embeddings[row], dtype=np.float64)
            described = self.describer.describe(embedding, None, image_id=self.subject.splits[split].ids[row])
            margin = self.describer.margin(job.formula, embedding)
            witness = Witness("embedding", float_vector(embedding), embedding, embedding)
        elif answer.embedding is not None:
            described = self.describer.describe(answer.embedding, None)
            margin = self.describer.margin(job.formula, answer.embedding)
            witness = Witness("embedding", float_vector(answer.embedding), answer.embedding, answer.embedding)
        reads = answer.attempt.place.kinds.words(self.subject.concept_names)
        caveats = [f"decided in exact arithmetic over what the region is made of: {reads}{answer.note}"]
        caveats += answer.proof_caveats
        caveats += self.describer.remoteness(described)
        verdict = Verdict("holds", f"vacuous: {answer.vacuous}") if answer.vacuous else answer.verdict
        claim = readout_claim(job, answer, witness, (*self.readouts.inside(answer.attempt), self.subject.measure_split))
        return self._result(
            job,
            verdict=self._at_run_time(verdict, None, None),
            vacuous=bool(answer.vacuous),
            region=answer.region,
            margin=margin,
            coverage=answer.coverage,
            witness=described,
            certificate=self._digest(claim),
            decided_by=answer.decided_by,
            caveats=tuple(caveats),
            seconds=time.perf_counter() - started,
            claim=claim,
        )

    def _about_neighbourhoods(self, jobs: Sequence[Obligation]) -> dict[int, PropertyResult]:
        chosen: list[int] = []
        open_ones: dict[int, PropertyResult] = {}
        started = time.perf_counter()
        for k, job in enumerate(jobs):
            if isinstance(job.quantifier, ForShareNear | ForImageNear):
                try:
                    with about(job.name, job.place):
                        self.near.require_neighbourhoods(job)
                    chosen.append(k)
                except UserError as error:
                    if error.diagnostics[0].code != TOO_FEW:
                        raise
                    open_ones[k] = self._result(job, verdict=unknown(error.diagnostics[0].problem))
        decided = self.near.decide([jobs[k] for k in chosen])
        seconds = (time.perf_counter() - started) / max(1, len(chosen))
        return open_ones | {
            k: self._result(
                jobs[k],
                verdict=self._at_run_time(answer.verdict, None, None),
                vacuous=answer.vacuous,
                margin=answer.margin,
                witness=answer.witness,
                decided_by="multipliers around each image",
                caveats=(*answer.caveats, *self.describer.remoteness(answer.witness)),
                seconds=seconds,
                neighbourhood=answer.counts,
                claim=answer.claim if answer.claim.image_ids else None,
                certificate=self._digest(answer.claim),
            )
            for k, answer in zip(chosen, decided, strict=True)
        }

    def _about_shares(self, jobs: Sequence[Obligation]) -> dict[int, PropertyResult]:
        chosen = [(k, job.quantifier) for k, job in enumerate(jobs) if isinstance(job.quantifier, ForShare)]
        outcomes: list[NDArray[np.bool_]] = []
        members: list[NDArray[np.bool_]] = []
        seconds: list[float] = []
        for index, quantifier in chosen:
            started = time.perf_counter()
            split = quantifier.images.split or self.subject.measure_split
            with about(jobs[index].name, jobs[index].place):
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
            premise = premise_of(jobs[index].formula)
            vacuous = (
                premise is not None
                and verdict.outcome == "holds"
                and not self.describer.truth(premise, split)[members[place]].any()
            )
            reason = "vacuous: none of the images satisfies its premise"
            caveats = [
                f"a statement about images like those of split {split}, at confidence {self.options.confidence:g}"
            ]
            if verdict.outcome != "unknown":
                caveats.append(statistical.p_value_of_share(verdict.outcome, quantifier.share, p_value))
            results[index] = self._result(
                jobs[index],
                verdict=Verdict("holds", reason) if vacuous else verdict,
                vacuous=vacuous,
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
        premise = premise_of(job.formula)
        vacuous = truth and premise is not None and not self.describer.truth(premise, split)[row]
        if vacuous:
            verdict = Verdict("holds", "vacuous: the image does not satisfy its premise")
        claim = image_claim(job, verdict.outcome, (split, self.subject.splits[split].ids[row]), embedding)
        witness = None if truth else self.describer.describe(embedding, None, image_id=quantifier.image_id)
        return self._result(
            job,
            verdict=verdict,
            vacuous=vacuous,
            margin=margin,
            witness=witness,
            decided_by="exact evaluation",
            caveats=("the verdict is exact; the margin is evaluated in float64",),
            seconds=time.perf_counter() - started,
            certificate=self._digest(claim),
            claim=claim,
        )

    def _with_satisfaction(self, jobs: Sequence[Obligation], results: list[PropertyResult]) -> list[PropertyResult]:
        """Adds the held-out satisfaction rate; intervals of a file hold together at the stated confidence.

        Holm's procedure has no two-sided intervals of its own; the interval is that of its first step, at level
        1 - (1 - confidence) / m for m properties, which bounds all of them at once.
        """
        several = max(1, sum(not isinstance(job.quantifier, ForImage | ForImageNear) for job in jobs))
        confidence = 1 - (1 - self.options.confidence) / several
        finished = []
        for job, result in zip(jobs, results, strict=True):
            if isinstance(job.quantifier, ForImage | ForImageNear):
                finished.append(result)
                continue
            split = self.subject.measure_split
            if isinstance(job.quantifier, ForShare | ForShareNear):
                split = job.quantifier.images.split or split
            members = self.focus.members(split, job.class_name)
            truth = self.describer.truth(job.formula, split)[members]
            finished.append(replace(result, satisfaction=rate(int(truth.sum()), len(truth), confidence)))
        return finished

    def _digest(self, claim: Claim) -> str | None:
        return None if claim.verdict == "unknown" else tied(claim.fields(), self.tie)

    def _result(self, job: Obligation, **known: object) -> PropertyResult:
        result = PropertyResult(
            name=job.name,
            kind=job.kind,
            class_name=job.class_name,
            quantifier=asked_for(job, self.options),
            statement=job.statement,
            concepts=tuple(self.subject.concept_names[k] for k in concepts_named(job.table)),
            line=job.line,
            file=job.file,
            **known,  # type: ignore[arg-type]
        )
        if result.verdict.outcome != "holds" or not is_tautology(job.table):
            return result
        verdict = Verdict("holds", "vacuous: its logic alone makes it true, of any embedding")
        return replace(result, verdict=verdict, vacuous=True)
