"""What a certificate should say, claim by claim, rebuilt from a study and its specifications.

What only a proof or a witness decides is left open: the verdict about a region, and the size at which something was
proved or refuted. Everything else follows from the study, for whatever size a claim names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from conspect.core.claim_names import END_NAMES, at_coverage, over_shape
from conspect.core.diagnostics import UserError
from conspect.core.json_value import JsonObject
from conspect.core.regions import Region, Shape
from conspect.language.syntax.tree import ForAll, Specification
from conspect.verification.certificates.claims import Claim, RegionClaim
from conspect.verification.certificates.formula_claim import ClaimFields
from conspect.verification.extents.classes import class_extents
from conspect.verification.queries.model import READOUT_SHAPES, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.regions.provable import SHAPES, ProvableCoverage
from conspect.verification.verify import TOO_FEW, Verification

HELD, REFUTED = ("holds",), ("violated",)
ANY = ("holds", "violated", "unknown")
# What a study decides again beside a certificate gets no more time than this: the certificate may prove more, not less.
SECONDS = 5.0
# Its search over sizes is given up sooner, too, so that what a machine of a fifth of this one's speed reached is no less.
PATIENCE = 0.2


@dataclass(frozen=True, eq=False)
class ExpectedClaim:
    """One claim that a certificate should, or may, carry.

    `fields`: all that it should say, for the size and part that the carried claim names; None where there is no such part.
    `verdicts`: those that it may have, if evidence decides them. `required`: without it the certificate is incomplete.
    `reached`: the claim as the study itself reaches it, None where it does not. `outward`: for an end of sizes, 1 where a
    larger size says more, -1 where a smaller one does; 0 for every other claim.
    """

    name: str
    fields: Callable[[JsonObject], ClaimFields | None]
    verdicts: tuple[str, ...] | None = None
    required: bool = True
    reached: Callable[[], Claim | None] = lambda: None
    outward: int = 0


@dataclass(frozen=True, eq=False)
class SpecificationSource:
    """A specification file: its name, the SHA-256 of its text, and its tree."""

    name: str
    digest: str
    tree: Specification


@dataclass(frozen=True, eq=False)
class Expectation:
    """What the certificates of one study should say, with the options that they were made with."""

    subject: VerificationModel
    options: VerifyOptions

    def verdicts(self, source: SpecificationSource) -> tuple[list[ExpectedClaim], list[str]]:
        """The claims of `conspect verify` about a file, and the properties of which nothing can be claimed, with why."""
        verification = Verification(self.subject, self.options)
        jobs = plan(source.tree, self.subject, source.name)
        evaluated = verification.run([job for job in jobs if not isinstance(job.quantifier, ForAll)])
        evaluated_fields = {result.name: result.claim.fields() for result in evaluated if result.claim is not None}
        reached = ReachableClaims(
            self.subject, self.options, [job for job in jobs if isinstance(job.quantifier, ForAll)]
        )
        wanted: list[ExpectedClaim] = []
        open_ones: list[str] = []
        for job in jobs:
            if not isinstance(job.quantifier, ForAll):
                if job.name in evaluated_fields:
                    wanted.append(ExpectedClaim(job.name, _always(evaluated_fields[job.name])))
                continue
            try:
                if (job.quantifier.region.shape or self.options.shape) in READOUT_SHAPES:
                    wanted.append(self._over_readouts(job, job.quantifier, verification, reached))
                else:
                    wanted += self._over_embeddings(job, job.quantifier, verification, reached)
            except UserError as error:
                if error.diagnostics[0].code != TOO_FEW:
                    raise
                open_ones.append(f"{job.name}: {error.diagnostics[0].problem}")
        return wanted, open_ones

    def coverage(self, source: SpecificationSource, coverages: Sequence[Fraction]) -> list[ExpectedClaim]:
        """The claims of `conspect run` about provable coverage, shape by shape, and about boxes of some coverages."""
        jobs = [job for job in plan(source.tree, self.subject, source.name) if isinstance(job.quantifier, ForAll)]
        wanted = []
        provable = ProvableCoverage.of(jobs, self.subject, VerifyOptions())
        for job in jobs:
            for shape in SHAPES:
                name = over_shape(job.name, shape)

                def fields(
                    claim: JsonObject, job: Obligation = job, shape: Shape = shape, name: str = name
                ) -> ClaimFields | None:
                    dropped = claim.get("part") == "conclusion"
                    place = provable.candidate(job, job.class_name or "", shape, premise_dropped=dropped)
                    if place is None:
                        return None
                    size = Fraction(str(claim["size"]))
                    inside, images = place.inside(float(size))
                    split = self.subject.measure_split
                    return RegionClaim(
                        name,
                        job.file,
                        job.statement,
                        place.table,
                        "holds",
                        job.class_name or "",
                        place.region.resized(size),
                        (inside, images, split) if images else None,
                        reads=place.kinds,
                        premise_dropped=dropped,
                    ).fields()

                wanted.append(ExpectedClaim(name, fields, HELD, required=False))
        for coverage in coverages:
            options = VerifyOptions(coverage=coverage, search_gamma=False)
            for entry in replace(self, options=options).verdicts(source)[0]:
                if entry.verdicts is not None:
                    wanted.append(_renamed(entry, at_coverage(entry.name, coverage)))
        return wanted

    def guaranteed(
        self, source: SpecificationSource, proved: Iterable[tuple[str, Shape, Fraction, bool]]
    ) -> Iterator[Fraction | None]:
        """The share of future images that the largest proved region of a property is guaranteed to hold.

        For the name of the property, a shape, the region's size, and whether the conclusion alone is proved; None where there
        is no such region.
        """
        jobs = {job.name: job for job in plan(source.tree, self.subject, source.name)}
        about = [job for job in jobs.values() if isinstance(job.quantifier, ForAll)]
        provable = ProvableCoverage.of(about, self.subject, VerifyOptions())
        for name, shape, size, dropped in proved:
            job = jobs.get(name)
            place = (
                None if job is None else provable.candidate(job, job.class_name or "", shape, premise_dropped=dropped)
            )
            yield None if place is None else place.sized.coverage_at(float(size))

    def extents(self, source: SpecificationSource, concept: str) -> list[ExpectedClaim]:
        """The claims of `conspect verify --extent` about a file: in every image of a class, its output and its properties."""
        jobs = plan(source.tree, self.subject, source.name)
        extents = class_extents(jobs, self.subject, concept)
        return [expected(claim) for entry in extents for claim in entry.claims]

    def _over_embeddings(
        self, job: Obligation, quantifier: ForAll, verification: Verification, reached: ReachableClaims
    ) -> list[ExpectedClaim]:
        focus = quantifier.region
        region = verification.focus.region(focus)

        def at(name: str, place: Region) -> ClaimFields:
            coverage = verification.focus.covered(focus, place)
            class_name = job.class_name or ""
            return RegionClaim(
                name, job.file, job.statement, job.table, "unknown", class_name, place, coverage
            ).fields()

        wanted = [ExpectedClaim(job.name, _always(at(job.name, region)), ANY, reached=reached.claim(job.name))]
        if self.options.search_gamma:
            for end, verdicts, outward in ((END_NAMES.low, HELD, 1), (END_NAMES.high, REFUTED, -1)):
                name = f"{job.name} {end}"

                def fields(claim: JsonObject, name: str = name) -> ClaimFields:
                    return at(name, region.resized(Fraction(str(claim["size"]))))

                wanted.append(ExpectedClaim(name, fields, verdicts, False, reached.claim(name), outward))
        return wanted

    def _over_readouts(
        self, job: Obligation, quantifier: ForAll, verification: Verification, reached: ReachableClaims
    ) -> ExpectedClaim:
        focus = quantifier.region
        attempts = verification.readouts.attempts(job, focus, focus.shape or self.options.shape)

        def fields(claim: JsonObject) -> ClaimFields | None:
            dropped = claim.get("part") == "conclusion"
            attempt = next((entry for entry in attempts if entry.premise_dropped == dropped), None)
            if attempt is None:
                return None
            inside, images = verification.readouts.inside(attempt)
            return RegionClaim(
                job.name,
                job.file,
                job.statement,
                attempt.table,
                "unknown",
                job.class_name or "",
                attempt.place.region,
                (inside, images, self.subject.measure_split),
                reads=attempt.place.kinds,
                premise_dropped=dropped,
            ).fields()

        return ExpectedClaim(job.name, fields, ANY, reached=reached.claim(job.name))


@dataclass(eq=False)
class ReachableClaims:
    """The claims about regions that a study itself reaches, decided when the first is asked for."""

    subject: VerificationModel
    options: VerifyOptions
    jobs: Sequence[Obligation]

    @cached_property
    def by_name(self) -> dict[str, Claim]:
        """Claims about the properties and the ends of their sizes."""
        seconds = min(self.options.seconds_budget, SECONDS)
        options = replace(self.options, seconds_budget=seconds, cross_check="none", patience=PATIENCE)
        results = Verification(self.subject, options).run(self.jobs)
        return {claim.name: claim for result in results for claim in result.claims}

    def claim(self, name: str) -> Callable[[], Claim | None]:
        """The claim of a name, when it is asked for."""
        return lambda: self.by_name.get(name)


def expected(claim: Claim) -> ExpectedClaim:
    """The very claim, with the verdict that it has."""
    return ExpectedClaim(claim.name, _always(claim.fields()))


def _always(fields: ClaimFields) -> Callable[[JsonObject], ClaimFields]:
    return lambda claim: fields


def _renamed(expected: ExpectedClaim, name: str) -> ExpectedClaim:
    def fields(claim: JsonObject) -> ClaimFields | None:
        known = expected.fields(claim)
        return None if known is None else known | {"name": name}

    return replace(expected, name=name, fields=fields)


def plain(fields: ClaimFields) -> ClaimFields:
    """As a certificate carries it: tuples become lists."""
    return dict(json.loads(json.dumps(fields)))
