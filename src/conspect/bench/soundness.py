"""Does the verifier ever lie? Random properties against an independent exact decision, certificates, and mutations."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from conspect.bench.independent import Independent
from conspect.bench.mutations import mutated
from conspect.bench.random_properties import Case, batches
from conspect.bench.rows import Row, row
from conspect.checker import check
from conspect.verification.certificates.claims import region_claim
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.engine.decider import Answer, Decider
from conspect.verification.queries.model import VerificationModel, VerifyOptions


@dataclass(eq=False)
class Tally:
    """Counts of a run; everything under `bad` must stay zero."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


def run(properties: int, mutations: int, seed: int = 0) -> dict[str, object]:
    """Figures of one run: wrong verdicts, unknowns, refused certificates, accepted mutations, seconds.

    A tenth of the properties each speak of `hasCon` and of ReLU heads, in 2 or 3 dimensions; the rest have linear atoms
    in 2 to 64. Every certificate of every batch goes through the checker, mutations are spread over the batches.
    """
    started = time.perf_counter()
    tally = Tally()
    plans = [
        ("linear", properties - 2 * (properties // 10), {}),
        ("hasCon", properties // 10, {"has_concept": True}),
        ("relu", properties // 10, {"relu": True}),
    ]
    rng = random.Random(seed)
    left = mutations
    total = sum(-(-count // 40) for _, count, _ in plans)
    for kind, count, choices in plans:
        for subject, cases in batches(count, seed, **choices):
            body = _batch(kind, subject, cases, tally)
            share = -(-left // max(1, total))
            total -= 1
            left -= _mutate(body, share, rng, tally)
    unknown, decided = tally.counts["linear unknown"], tally.counts["linear"]
    return {
        "properties": sum(tally.counts[kind] for kind, _, _ in plans),
        "wrong_verdicts": tally.counts["wrong"],
        "unknown_share_linear": unknown / max(1, decided),
        "certificates_refused": tally.counts["refused"],
        "witnesses_replayed": tally.counts["replayed"],
        "mutated": tally.counts["mutated"],
        "mutated_accepted": tally.counts["mutated accepted"],
        "counts": dict(sorted(tally.counts.items())),
        "bad": tally.bad[:20],
        "seconds": round(time.perf_counter() - started, 1),
    }


def rows(*, properties: int = 20_000, mutations: int = 10_000, seed: int = 0) -> list[Row]:
    """A run against Z3: what was wrong, unknown, refused, and accepted though mutated."""
    found = run(properties, mutations, seed)
    counts = cast("dict[str, int]", found["counts"])
    undecided = sum(count for what, count in counts.items() if "undecided" in what)

    def number(key: str) -> float:
        return float(cast("float", found[key]))

    return [
        row("random properties", number("properties"), "properties", (">=", properties)),
        row("wrong verdicts", number("wrong_verdicts"), "verdicts", ("<=", 0)),
        row("unknown among linear atoms", number("unknown_share_linear"), "share", ("<=", 0.01)),
        row("certificates refused", number("certificates_refused"), "files", ("<=", 0)),
        row("witnesses replayed", number("witnesses_replayed"), "witnesses"),
        row("mutated certificates", number("mutated"), "certificates", (">=", mutations)),
        row("mutated certificates accepted", number("mutated_accepted"), "certificates", ("<=", 0)),
        row("not decided by Z3 in its time (verdict not compared)", undecided, "properties"),
        row("time", number("seconds"), "s"),
    ]


def _batch(kind: str, subject: VerificationModel, cases: Sequence[Case], tally: Tally) -> dict[str, object]:
    options = VerifyOptions(search_gamma=False, node_budget=2000, seconds_budget=5.0)
    answers = Decider(subject, options).decide([(case.job, case.region) for case in cases])
    independent = Independent(subject)
    for case, answer in zip(cases, answers, strict=True):
        tally.counts[kind] += 1
        outcome = answer.outcome.verdict.outcome
        tally.counts[f"{kind} {outcome}"] += 1
        tally.counts[f"{kind} by {answer.outcome.decided_by}"] += 1
        if case.at_tie:
            tally.counts[f"{kind} at a tie"] += 1
        truth = independent.holds(case.job.formula, case.region)
        if truth is None:
            tally.counts[f"{kind} undecided independently"] += 1
        elif outcome != "unknown" and (outcome == "holds") != truth:
            tally.counts["wrong"] += 1
            tally.bad.append(f"{case.job.name} ({kind}, {case.region.shape}): said {outcome}, truth {truth}")
        if outcome == "unknown":
            tally.counts[f"unknown: {answer.outcome.verdict.reason[:60]}"] += 1
    data = sealed(_bundle(subject, cases, answers))
    try:
        accepted = check.check_data(data)
        tally.counts["replayed"] += sum(claim.verdict == "violated" for claim in accepted)
    except check.Refused as reason:
        tally.counts["refused"] += 1
        tally.bad.append(f"certificate refused ({kind}): {reason}")
    return dict(json.loads(data))


def certificate_of(subject: VerificationModel, cases: Sequence[Case]) -> dict[str, object]:
    """The certificate of a batch of cases, as it is written."""
    options = VerifyOptions(search_gamma=False)
    answers = Decider(subject, options).decide([(case.job, case.region) for case in cases])
    return _bundle(subject, cases, answers)


def _bundle(subject: VerificationModel, cases: Sequence[Case], answers: Sequence[Answer]) -> dict[str, object]:
    pairs = zip(cases, answers, strict=True)
    return bundle(subject, [region_claim(c.job, c.region, a.outcome) for c, a in pairs])


def _mutate(body: dict[str, object], count: int, rng: random.Random, tally: Tally) -> int:
    for how, data in mutated(body, count, rng):
        tally.counts["mutated"] += 1
        tally.counts[f"mutated: {how}"] += 1
        try:
            check.check_data(data)
        except check.Refused:
            continue
        tally.counts["mutated accepted"] += 1
        tally.bad.append(f"a mutated certificate was accepted: {how}")
    return count
