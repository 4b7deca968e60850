"""Does the verifier ever lie? Random properties against independent exact decisions, certificates, and mutations."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypedDict

import numpy as np

from conspect.bench.forging.mutations import mutated
from conspect.bench.forging.mutations_near import CertificateTree
from conspect.bench.oracles.decisions import Independent, Over
from conspect.bench.oracles.images import holds_at_least, true_at
from conspect.bench.rows import Row, row
from conspect.bench.soundness_near import around_images
from conspect.bench.tally import Tally
from conspect.bench.workloads.random_properties import (
    PropertyCase,
    batches,
    image_properties,
    make_job,
    random_formula,
    readout_obligations,
    subject_with_images,
)
from conspect.checker import check
from conspect.language.syntax.tree import Focus, ForAll, Not
from conspect.verification.certificates.claims import Claim, ExtentClaim, RegionClaim, coverage_claim, region_claim
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.engine.decider import Decider, RegionDecision
from conspect.verification.engine.sizes import SizeSearch
from conspect.verification.extents.search import ExtentSearch
from conspect.verification.queries.formula_table import leads_asked
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.regions.provable import ProvableCoverage
from conspect.verification.verify import Verification

OPTIONS = VerifyOptions(search_gamma=False, node_budget=2000, seconds_budget=5.0)
DEPTHS = (1, 2, 3, 4)
# Ends of the curve over sizes are compared for one property in so many.
ENDS = 10


class Choices(TypedDict, total=False):
    """What the random properties of a batch are about, as `random_properties.batches` takes it."""

    has_concept: bool
    depth: int


class Figures(TypedDict):
    """What was seen in a run or a part of one: `counts` by what was counted, `bad`: the first things that should not be."""

    properties: int
    wrong_verdicts: int
    unknown_share_linear: float
    certificates_refused: int
    witnesses_replayed: int
    mutated: int
    mutated_accepted: int
    mutated_new: int
    counts: dict[str, int]
    bad: list[str]


class RunFigures(Figures):
    """With the time that the whole run took."""

    seconds: float


def run(properties: int, mutations: int, seed: int = 0, workers: int = 1) -> RunFigures:
    """Figures of one run: wrong verdicts, unknowns, refused certificates, accepted mutations, seconds.

    Three in ten properties have linear atoms in 2 to 64 dimensions. The rest, in 2 to 5 dimensions: a tenth with
    `hasCon`, a fifth over heads with one to four hidden layers (with dead, always active and zero neurons), three twentieths
    over spans and bands, a twentieth about extents, a tenth about neighbourhoods of images, and a tenth about single images
    and shares of images. A quarter of the predictions ask for a lead. Every certificate of every batch goes through the
    checker; mutations are made from all of them, half of them from spans, bands, extents and neighbourhoods.
    `workers` processes take equal shares, each with a seed of its own.
    """
    started = time.perf_counter()
    if workers == 1:
        tally = part(properties, mutations, seed)
    else:
        shares = [(-(-properties // workers), -(-mutations // workers), seed * 1000 + k) for k in range(workers)]
        with ProcessPoolExecutor(workers) as pool:
            tally = sum(pool.map(part, *zip(*shares, strict=True)), Tally())
    return {**figures(tally), "seconds": round(time.perf_counter() - started, 1)}


def figures(tally: Tally) -> Figures:
    """The figures of a tally, or of the sum of those of several parts."""
    counts = tally.counts
    return {
        "properties": sum(counts[kind] for kind in KINDS),
        "wrong_verdicts": counts["wrong"],
        "unknown_share_linear": counts["linear unknown"] / max(1, counts["linear"]),
        "certificates_refused": counts["refused"],
        "witnesses_replayed": counts["replayed"],
        "mutated": counts["mutated"],
        "mutated_accepted": counts["mutated accepted"],
        "mutated_new": sum(counts[f"{kind} mutated"] for kind in NEW_KINDS),
        "counts": dict(sorted(counts.items())),
        "bad": tally.bad[:20],
    }


def part(properties: int, mutations: int, seed: int) -> Tally:
    """One part of a run: tallies of parts with different seeds add up."""
    tally = Tally()
    rng = random.Random(seed)
    made = list(bodies(properties, seed, tally))
    for new in (False, True):
        own, left = (
            [entry for entry in made if (entry[0] in NEW_KINDS) is new],
            mutations // 2 if new else -(-mutations // 2),
        )
        for place, (kind, body) in enumerate(own):
            share = -(-left // (len(own) - place))
            left -= _mutate(kind, body, share, rng, tally)
    return tally


KINDS = (
    "linear",
    "hasCon",
    *(f"{depth} hidden" for depth in DEPTHS),
    "span",
    "band",
    "span asked",
    "band asked",
    "extent",
    "image",
    "share",
    "near",
)
# Kinds that came with regions of what formulas read: as many mutations are made of them as of all others.
NEW_KINDS = ("band", "extent", "near")


def rows(*, properties: int = 20_000, mutations: int = 20_000, seed: int = 0, workers: int = 0) -> list[Row]:
    """A run against Z3 and plain fractions: what was wrong, unknown, refused, and accepted though mutated, by kind.

    `workers`: processes that share the work; 0 for one on each core.
    """
    return rows_of(run(properties, mutations, seed, workers or os.cpu_count() or 1), properties, mutations)


def rows_of(figures: RunFigures, properties: int, mutations: int) -> list[Row]:
    """The figures of a run, with so many properties and mutations asked for, as rows."""
    counts = figures["counts"]
    undecided = sum(count for what, count in counts.items() if "undecided" in what)
    by_kind = [
        line
        for kind in KINDS
        for line in (
            row(f"{kind}: properties compared", counts.get(kind, 0), "properties"),
            row(f"{kind}: claims accepted by the checker", counts.get(f"{kind} accepted", 0), "claims"),
            row(f"{kind}: certificates mutated", counts.get(f"{kind} mutated", 0), "certificates"),
        )
        if line["value"]
    ]
    return [
        row("random properties", figures["properties"], "properties", (">=", properties)),
        row("of them with a lead", counts.get("with a lead", 0), "properties"),
        row("wrong verdicts", figures["wrong_verdicts"], "verdicts", ("<=", 0)),
        row("unknown among linear atoms", figures["unknown_share_linear"], "share", ("<=", 0.01)),
        row("ends of the curve over sizes compared", counts.get("end", 0), "ends"),
        row("certificates refused", figures["certificates_refused"], "files", ("<=", 0)),
        row("witnesses replayed", figures["witnesses_replayed"], "witnesses"),
        row("mutated certificates", figures["mutated"], "certificates", (">=", mutations)),
        row(
            "of spans, bands, extents and neighbourhoods",
            figures["mutated_new"],
            "certificates",
            (">=", mutations // 2),
        ),
        row("mutated certificates accepted", figures["mutated_accepted"], "certificates", ("<=", 0)),
        row("not decided independently in its time (verdict not compared)", undecided, "properties"),
        row("neighbourhoods of images compared", counts.get("near image", 0), "images"),
        row("refutations inside them evaluated in fractions", counts.get("near refutations", 0), "embeddings"),
        *by_kind,
        row("time", figures["seconds"], "s"),
    ]


def bodies(properties: int, seed: int, tally: Tally) -> Iterator[tuple[str, CertificateTree | None]]:
    """Every batch decided, compared and checked; its certificate, with the kind of its properties."""
    tenth, twentieth = properties // 10, properties // 20
    plans: list[tuple[str, int, Choices]] = [("hasCon", tenth, {"has_concept": True})]
    plans += [(f"{depth} hidden", twentieth, {"depth": depth}) for depth in DEPTHS]
    others = twentieth, twentieth, twentieth, twentieth, tenth, tenth
    plans.append(("linear", properties - sum(count for _, count, _ in plans) - sum(others), {}))
    for kind, count, choices in plans:
        for subject, cases in batches(count, seed, leads=True, **choices):
            yield kind, over_regions(kind, subject, cases, tally)
    generator = np.random.default_rng(seed)
    while tally.counts["span"] + tally.counts["band"] < 2 * twentieth:
        yield "band", _over_readouts(generator, 2 * twentieth - tally.counts["span"] - tally.counts["band"], tally)
    while tally.counts["extent"] < twentieth:
        yield "extent", _over_extents(generator, twentieth - tally.counts["extent"], tally)
    while tally.counts["image"] + tally.counts["share"] < tenth:
        yield "image", _over_images(generator, tenth - tally.counts["image"] - tally.counts["share"], tally)
    while tally.counts["near"] < tenth:
        yield "near", _over_neighbourhoods(generator, tenth - tally.counts["near"], tally)


def over_regions(
    kind: str, subject: VerificationModel, cases: Sequence[PropertyCase], tally: Tally
) -> CertificateTree | None:
    """The certificate of cases that were decided, compared with Z3 and checked; with both ends of sizes of some of them."""
    leads = tuple(sorted({lead for case in cases for lead in leads_asked(case.job.table)}))
    decider = Decider(subject, OPTIONS, leads=leads)
    answers = decider.decide([(case.job, case.region) for case in cases])
    independent = Independent(subject)
    search = SizeSearch(decider)
    claims: list[Claim] = []
    for number, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        outcome = answer.outcome.verdict.outcome
        tally.counts[f"{kind} by {answer.outcome.decided_by}"] += 1
        tally.counts[f"{kind} at a tie"] += case.at_tie
        tally.counts["with a lead"] += bool(leads_asked(case.job.table))
        tally.compare(kind, case.job.name, outcome, independent.holds(case.job.formula, case.region))
        if outcome == "unknown":
            tally.counts[f"unknown: {answer.outcome.verdict.reason[:60]}"] += 1
        claims.append(region_claim(case.job, case.region, answer.outcome))
        if (number + 1) % ENDS == 0:
            claims += _ends(case, answer, search, independent, tally)
    return _accepted(kind, subject, claims, tally)


def _ends(
    case: PropertyCase, answer: RegionDecision, search: SizeSearch, independent: Independent, tally: Tally
) -> Iterator[RegionClaim]:
    """Both ends of the bracket of sizes, each as a claim of its own: proved at the lower, refuted at the upper."""
    bracket = search.bracket(case.job, case.region, answer.outcome, OPTIONS.seconds_budget)
    for name, end in (("low", bracket.low), ("high", bracket.high)):
        if end is None:
            continue
        outcome = end.outcome.verdict.outcome
        tally.compare("end", f"{case.job.name} {name}", outcome, independent.holds(case.job.formula, end.region))
        claim = region_claim(case.job, end.region, end.outcome)
        yield RegionClaim(**(vars(claim) | {"name": f"{claim.name} {name}"}))


def _over_readouts(generator: np.random.Generator, count: int, tally: Tally) -> CertificateTree | None:
    """Spans and bands against Z3 on the embeddings themselves: what is provable, and verdicts at a coverage asked for."""
    subject = subject_with_images(generator)
    jobs = readout_obligations(generator, subject, min(count, 20))
    proved = ProvableCoverage.of(jobs, subject, OPTIONS).search(jobs, ("span", "band"))
    independent, verification = Independent(subject), Verification(subject, OPTIONS)
    claims: list[Claim] = []
    shapes: tuple[Literal["span", "band"], ...] = ("span", "band")
    for number, (job, by_shape) in enumerate(zip(jobs, proved, strict=True)):
        tally.counts["with a lead"] += bool(leads_asked(job.table))
        for shape in shapes:
            if shape not in by_shape:
                tally.counts[shape] += 1
                continue
            proof = by_shape[shape]
            assert proof.kinds is not None
            over = Over(shape, proof.region, proof.kinds, proof.premise_dropped)
            tally.compare(shape, job.name, "holds", independent.holds_over_readouts(job.formula, over))
            claims.append(coverage_claim(job, shape, proof, "test"))
        shape = shapes[number % 2]
        coverage = Fraction(int(generator.integers(1, 10)), 10)
        asked = replace(job, quantifier=ForAll(Focus(subject.class_names[0], shape=shape, coverage=coverage)))
        (result,) = verification.run([asked])
        claim = result.claim
        assert isinstance(claim, RegionClaim)
        assert claim.reads is not None
        over = Over(shape, claim.region, claim.reads, claim.premise_dropped)
        truth = None if claim.verdict == "unknown" else independent.holds_over_readouts(job.formula, over)
        tally.compare(f"{shape} asked", job.name, claim.verdict, truth)
        claims.append(claim)
    return _accepted("band", subject, claims, tally)


def _over_extents(generator: np.random.Generator, count: int, tally: Tally) -> CertificateTree | None:
    """How far a concept may change in an image, against Z3: true all along, false just outside."""
    subject = subject_with_images(generator)
    search, independent = ExtentSearch(subject), Independent(subject)
    claims: list[Claim] = []
    split = subject.splits["test"]
    for index in range(min(count, 20)):
        job = make_job(subject, random_formula(generator, subject, 2, has_concept=False, leads=True), f"e{index}")
        tally.counts["with a lead"] += bool(leads_asked(job.table))
        concept = int(generator.integers(0, len(subject.concept_names)))
        row = int(generator.integers(0, len(split.ids)))
        embedding = np.asarray(split.embeddings[row], dtype=np.float64)
        direction = search.direction(subject.concept_names[concept])
        extent = search.extent(job.table, search.ray(embedding, direction, [job.table]))
        if extent is None:
            tally.counts["extent"] += 1
            continue
        kept = job.formula if extent.table == job.table else Not(job.formula)
        tally.compare("extent", job.name, "holds", independent.holds_along(kept, extent))
        claims.append(
            ExtentClaim(job.name, job.file, "", extent.table, "holds", "test", split.ids[row], concept, extent)
        )
    return _accepted("extent", subject, claims, tally)


def _over_neighbourhoods(generator: np.random.Generator, count: int, tally: Tally) -> CertificateTree | None:
    """Neighbourhoods of images: every image, every refutation and the verdict of their counts."""
    subject, claims = around_images(generator, min(count, 20), OPTIONS, tally)
    return _accepted("near", subject, claims, tally)


def _over_images(generator: np.random.Generator, count: int, tally: Tally) -> CertificateTree | None:
    """Single images and shares, against fractions and the definition of the binomial distribution."""
    subject = subject_with_images(generator)
    jobs = image_properties(generator, subject, min(count, 20))
    claims: list[Claim] = []
    verification = Verification(subject, OPTIONS)
    for job in jobs:
        (result,) = verification.run([job])
        assert result.claim is not None
        outcome = result.verdict.outcome
        if result.kind == "image":
            tally.compare("image", job.name, outcome, true_at(job, subject))
        else:
            truth = holds_at_least(job, subject, OPTIONS.confidence)
            expected = {True: "holds", False: "violated", None: "unknown"}[truth]
            tally.counts["share"] += 1
            tally.counts[f"share {outcome}"] += 1
            if outcome != expected:
                tally.wrong(f"{job.name} (share): said {outcome}, should be {expected}")
        claims.append(result.claim)
    return _accepted("image", subject, claims, tally)


def _accepted(kind: str, subject: VerificationModel, claims: Sequence[Claim], tally: Tally) -> CertificateTree | None:
    """The certificate of the claims, as it is read back; the checker has to accept it. None without claims."""
    if not claims:
        return None
    data = sealed(bundle(subject, claims))
    try:
        accepted = check.check_data(data)
        tally.counts["replayed"] += sum(claim.verdict == "violated" for claim in accepted)
        tally.counts[f"{kind} accepted"] += len(accepted)
    except check.Refused as reason:
        tally.counts["refused"] += 1
        tally.bad.append(f"certificate refused ({kind}): {reason}")
    body: CertificateTree = json.loads(data)
    return body


def _mutate(kind: str, body: CertificateTree | None, count: int, rng: random.Random, tally: Tally) -> int:
    if body is None or count <= 0:
        return 0
    for how, data in mutated(body, count, rng):
        tally.counts["mutated"] += 1
        tally.counts[f"{kind} mutated"] += 1
        tally.counts[f"mutated: {how}"] += 1
        try:
            check.check_data(data)
        except check.Refused:
            continue
        tally.counts["mutated accepted"] += 1
        tally.bad.append(f"a mutated certificate was accepted ({kind}): {how}")
    return count
