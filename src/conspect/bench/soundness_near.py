"""Random properties about neighbourhoods: each image against an independent decision, each refutation in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from conspect.bench.oracles.images import share_shown, true_of
from conspect.bench.oracles.neighbourhoods import Polyhedra, lies_inside, readouts_of
from conspect.bench.tally import Tally
from conspect.bench.workloads.random_properties import near_obligations, subject_with_changes
from conspect.language.syntax.tree import ForShareNear
from conspect.verification.certificates.claims import Claim
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.queries.formula_table import leads_asked
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation
from conspect.verification.verify import Verification


def around_images(
    generator: np.random.Generator, count: int, options: VerifyOptions, tally: Tally
) -> tuple[VerificationModel, list[Claim]]:
    """Claims about `count` properties of one model, after comparison."""
    subject = subject_with_changes(generator)
    verification = Verification(subject, options)
    claims: list[Claim] = []
    for job in near_obligations(generator, subject, count):
        tally.counts["with a lead"] += bool(leads_asked(job.table))
        (result,) = verification.run([job])  # alone: no correction for several
        claim = result.claim
        assert isinstance(claim, NeighbourhoodClaim)
        _compare_images(job, subject, claim, tally)
        _compare_verdict(job, claim, options, tally)
        claims.append(claim)
    return subject, claims


def _compare_images(job: Obligation, subject: VerificationModel, claim: NeighbourhoodClaim, tally: Tally) -> None:
    polyhedra = Polyhedra(subject, claim.reads, claim.factor, claim.radius)
    centres = claim.centres.floats
    for place, true in enumerate(polyhedra.true_around(job.formula, centres)):
        verdict = "holds" if claim.proved[place] else "violated" if place in claim.refuted else "unknown"
        tally.compare("near image", f"{job.name} around {claim.image_ids[place]}", verdict, true)
        exact = readouts_of(subject, claim.reads, claim.embeddings[place])
        unit = Fraction(1, 1 << claim.centres.shift)
        if any(not -unit <= Fraction(c) - v <= unit for c, v in zip(centres[place].tolist(), exact, strict=True)):
            tally.wrong(f"{job.name}: the neighbourhood of {claim.image_ids[place]} is around something else")
    for place, embedding in claim.refuted.items():
        moved = readouts_of(subject, claim.reads, embedding)
        offset = [v - Fraction(c) for v, c in zip(moved, centres[place].tolist(), strict=True)]
        tally.counts["near refutations"] += 1
        if true_of(job.formula, embedding, subject) or not lies_inside(offset, claim.factor, claim.radius):
            tally.wrong(f"{job.name}: what is said to refute it around {claim.image_ids[place]} does not")


def _compare_verdict(job: Obligation, claim: NeighbourhoodClaim, options: VerifyOptions, tally: Tally) -> None:
    """What the counts decide, by the definition of the binomial distribution; of one image the count itself."""
    proved, n = int(claim.proved.sum()), len(claim.proved)
    spared = n - len(claim.refuted)
    shown = proved == n if proved + len(claim.refuted) == n else None
    if isinstance(job.quantifier, ForShareNear):
        shown = share_shown((proved, spared), n, job.quantifier.share, options.confidence)
    expected = {True: "holds", False: "violated", None: "unknown"}[shown]
    tally.counts["near"] += 1
    tally.counts[f"near {claim.verdict}"] += 1
    if claim.verdict != expected:
        tally.wrong(f"{job.name} (near): said {claim.verdict}, should be {expected}")
