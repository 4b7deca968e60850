"""Certificates: what makes a verdict checkable by somebody else. Read by `conspect.checker.check`, written here.

One bundle carries the head, the lens, the regions and any number of claims about them, so arrays are stored once. All
numbers are integers, fractions as text, or little-endian float64 in base64: nothing is rounded on the way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from conspect.core.digests import digest_arrays, digest_json
from conspect.core.files import write_atomically
from conspect.core.regions import Region
from conspect.verification.certificates.encoding import encoded
from conspect.verification.engine.points import Witness
from conspect.verification.engine.prover import Outcome
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.model import VerificationModel
from conspect.verification.results import PropertyResult

FORMAT = "conspect-certificate-1"


def region_claim(table: FormulaTable, region: Region, outcome: Outcome) -> dict[str, object] | None:
    """The claim about a region without its name and digests; None for an unknown verdict."""
    claim: dict[str, object] = {
        "kind": "region",
        "verdict": outcome.verdict.outcome,
        "formula": [list(node) for node in table],
        "size": str(region.size),
        "cut": region.cut,
        "region_digest": region.digest,
    }
    if outcome.verdict.outcome == "holds" and outcome.proof is not None:
        return claim | {"proof": [step.record() for step in outcome.proof.steps]}
    if outcome.verdict.outcome == "violated" and outcome.witness is not None:
        return claim | {"witness": witness_json(outcome.witness)}
    return None


def share_claim(verdict: str, share: Fraction, counts: tuple[int, int], level: Fraction) -> dict[str, object]:
    """A statistical claim: `counts` are successes and trials; the binomial tail is at most `level`."""
    return {
        "kind": "share",
        "verdict": verdict,
        "share": str(share),
        "level": str(level),
        "successes": counts[0],
        "trials": counts[1],
    }


def witness_json(witness: Witness) -> dict[str, object]:
    """A witness as the certificate carries it: floats where they are exact, else integers over a denominator."""
    if witness.exact is not None:
        return {"kind": witness.kind, "float64": encoded(witness.exact)}
    return {"kind": witness.kind, "numerators": witness.vector.integers, "denominator": witness.vector.denominator}


def bundle(subject: VerificationModel, results: Sequence[PropertyResult]) -> dict[str, object]:
    """The certificate of all results that have a claim, ready to be written as JSON."""
    tie = tie_of(subject)
    regions: dict[str, int] = {}
    carried: list[dict[str, object]] = []
    claims: list[dict[str, object]] = []
    for result in results:
        if result.claim is None:
            continue
        claim: dict[str, object] = {"name": result.name} | result.claim
        if result.region is not None:
            key = _arrays_key(result.region)
            if key not in regions:
                regions[key] = len(carried)
                carried.append(_region_json(result.region))
            claim["region"] = regions[key]
        claims.append(claim | {"digest": claim_digest(claim, tie)})
    alignment = subject.lens.alignment
    body: dict[str, object] = {
        "format": FORMAT,
        "names": tie["names"],
        "dimension": subject.dimension,
        "head": [
            {"weight": encoded(layer.weight), "offset": encoded(layer.offset), "outputs": int(layer.offset.shape[0])}
            for layer in subject.head.layers
        ],
        "lens": {
            "weight": encoded(alignment.weight),
            "offset": encoded(alignment.offset),
            "directions": encoded(subject.lens.directions),
            "width": int(alignment.offset.shape[0]),
        },
        "thresholds": tie["thresholds"],
        "regions": carried,
        "claims": claims,
        "digests": {"head": tie["head"], "lens": tie["lens"]},
        "study": dict(subject.digests),
    }
    return body | {"seal": digest_json(body)}


def tie_of(subject: VerificationModel) -> dict[str, object]:
    """What every claim of a subject is tied to: digests of head and lens, names, thresholds."""
    known = set(subject.concept_names)
    return {
        "head": subject.head.digest,
        "lens": subject.lens.digest,
        "names": {"classes": list(subject.class_names), "concepts": list(subject.concept_names)},
        "thresholds": {name: str(Fraction(value)) for name, value in subject.thresholds.items() if name in known},
    }


def claim_digest(claim: dict[str, object], tie: dict[str, object]) -> str:
    """What a claim says, apart from its proof, tied to head, lens, names and thresholds."""
    said = {key: value for key, value in claim.items() if key not in ("digest", "proof", "region", "witness")}
    return digest_json(said | tie)


def write_bundle(path: Path, body: dict[str, object]) -> None:
    """Writes a bundle as JSON; a half-written certificate never has the name."""
    write_atomically(path, json.dumps(body, separators=(",", ":"), sort_keys=True).encode())


def _arrays_key(region: Region) -> str:
    return digest_arrays({"centre": region.centre, "factor": region.factor}) + region.shape


def _region_json(region: Region) -> dict[str, object]:
    return {"shape": region.shape, "centre": encoded(region.centre), "factor": encoded(region.factor)}
