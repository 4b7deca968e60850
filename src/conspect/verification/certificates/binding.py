"""What a certificate should claim, rebuilt from a study and its specifications, and where a given one says otherwise.

The checker shows that a certificate's claims are true of the numbers in it. Whether these are the numbers of the study,
the formulas those of the specification, and the claims complete, can only be told with both at hand: here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conspect.language.syntax.tree import ForAll, Specification
from conspect.verification.certificates.claims import RegionClaim, Said
from conspect.verification.certificates.writing import thresholds_of, tie_of
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.verify import READOUT_SHAPES, Verification

# What the certificate adds for its own use, and what only a proof or a witness can decide.
OWN = ("digest", "file", "point", "proof", "region", "witness")


@dataclass(frozen=True, eq=False)
class Source:
    """A specification file: its name, the SHA-256 of its text, and its tree."""

    name: str
    digest: str
    tree: Specification


def expected_claims(source: Source, subject: VerificationModel, options: VerifyOptions) -> list[Said]:
    """Everything that a certificate of a file should say, in source order; the verdicts about regions are left open."""
    verification = Verification(subject, options)
    jobs = plan(source.tree, subject, source.name)
    evaluated = verification.run([job for job in jobs if not isinstance(job.quantifier, ForAll)])
    known = {result.name: result.claim.said() for result in evaluated if result.claim is not None}
    for job in jobs:
        if isinstance(job.quantifier, ForAll) and has_claim(job.quantifier, options):
            known[job.name] = _about_region(job, job.quantifier, verification)
    return [_plain(known[job.name]) for job in jobs if job.name in known]


def has_claim(quantifier: ForAll, options: VerifyOptions) -> bool:
    """Whether a certificate speaks of such a region; spans and bands are decided, and not certified yet."""
    return (quantifier.region.shape or options.shape) not in READOUT_SHAPES


def differences(
    body: dict[str, Any], sources: Sequence[Source], subject: VerificationModel, options: VerifyOptions
) -> list[str]:
    """Where an accepted certificate is not that of the study and these files, in words; empty when it is."""
    told = _about_model(body, subject)
    carried = {digest: name for name, digest in body["sources"].items()}
    told += [f"{source.name}: its text is not among the sources" for source in sources if source.digest not in carried]
    wanted = {source.digest for source in sources}
    told += [
        f"the certificate also speaks of {name!a}, a text that was not given"
        for name, digest in body["sources"].items()
        if digest not in wanted
    ]
    claims = {(claim["file"], claim["name"]): claim for claim in body["claims"]}
    for source in sources:
        for said in expected_claims(source, subject, options):
            claim = claims.pop((carried.get(source.digest, source.name), said["name"]), None)
            if claim is None:
                told.append(f"{said['name']}: nothing is claimed of it")
                continue
            told += [f"{said['name']}: {line}" for line in _between(claim, said)]
    return told + [f"{name!a}: no property of this name is in the specification" for _, name in claims]


def _about_model(body: dict[str, Any], subject: VerificationModel) -> list[str]:
    told = []
    names = {"classes": list(subject.class_names), "concepts": list(subject.concept_names)}
    for kind, expected in names.items():
        if body["names"][kind] != expected:
            told.append(f"its {kind} are {body['names'][kind]!a:.200}, those of the study {expected!a:.200}")
    thresholds = thresholds_of(subject)
    for name in sorted(thresholds.keys() | body["thresholds"].keys()):
        here, there = body["thresholds"].get(name), thresholds.get(name)
        if here != there:
            told.append(f"the threshold of {name!a} is {here}, in the study {there}")
    tie = tie_of(subject)
    told += [f"its {part} is not that of the study" for part in tie if body["digests"][part] != tie[part]]
    if body["study"] != dict(subject.digests):
        told.append("the digests of the study (model, data, preprocessing) are others")
    return told


def _between(claim: dict[str, Any], said: Said) -> list[str]:
    told = []
    for key in sorted(said.keys() | claim.keys() - set(OWN)):
        if key in OWN or (key == "verdict" and said["kind"] == "region" == claim["kind"]):
            continue
        if claim.get(key) != said.get(key):
            told.append(f"{key} is {_short(claim.get(key))}, and should be {_short(said.get(key))}")
    return told


def _about_region(job: Obligation, quantifier: ForAll, verification: Verification) -> Said:
    region = verification.focus.region(quantifier.region)
    sizes, passed = verification.focus.measure(quantifier.region, region)
    inside = int(((sizes <= float(region.size)) & passed).sum())
    coverage = (inside, len(sizes), verification.subject.measure_split)
    claim = RegionClaim(job.name, job.file, job.statement, job.table, "unknown", job.class_name or "", region, coverage)
    return claim.said()


def _plain(said: Said) -> Said:
    return dict(json.loads(json.dumps(said)))


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else text[:120] + "..."
