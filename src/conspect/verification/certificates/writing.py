"""Certificates as files: one bundle carries head, lens, regions, points and the claims about them.

Read by `conspect.checker.check`, written here. Arrays and witnesses that several claims share are stored once. All
numbers are integers, fractions as text, or little-endian float64 in base64: nothing is rounded on the way.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, assert_never

import numpy as np

from conspect.core.digests import digest_json
from conspect.core.files import write_atomically
from conspect.core.regions import Region
from conspect.verification.certificates.claims import Claim, ExtentClaim, ImageClaim, RegionClaim, ShareClaim
from conspect.verification.certificates.encoding import encoded
from conspect.verification.certificates.formula_claim import ClaimFields, readouts_record
from conspect.verification.engine.points import Witness
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim, tree_record
from conspect.verification.queries.model import VerificationModel
from conspect.verification.regions.readouts import ReadoutKinds

FORMAT = "conspect-certificate-3"


class Names(TypedDict):
    """What indices of classes and concepts mean."""

    classes: list[str]
    concepts: list[str]


class HeadLayer(TypedDict):
    """A layer of the head; arrays as `encoding.encoded` writes them."""

    weight: str
    offset: str
    outputs: int


class LensArrays(TypedDict):
    """Alignment and concept directions; `width`: dimensions of the VLM's space."""

    weight: str
    offset: str
    directions: str
    width: int


class CertificateBody(TypedDict):
    """A certificate without its seal: the very JSON that the checker reads, which says what each kind of region, point and claim
    must hold. `sources`: SHA-256 of texts by name; `digests`: of head and lens; `study`: of its model, data and preprocessing."""

    format: str
    names: Names
    dimension: int
    head: list[HeadLayer]
    lens: LensArrays
    thresholds: dict[str, str]
    regions: list[ClaimFields]
    points: list[ClaimFields]
    claims: list[ClaimFields]
    digests: dict[str, str]
    sources: dict[str, str]
    study: dict[str, str]


def bundle(
    subject: VerificationModel, claims: Sequence[Claim | None], sources: Mapping[str, str] | None = None
) -> CertificateBody:
    """The certificate of claims, without its seal. `sources`: SHA-256 of the text of each specification file, by name."""
    tie = tie_of(subject)
    shared = _Shared()
    carried = [_carried(claim, shared) for claim in claims if claim is not None]
    alignment = subject.lens.alignment
    return {
        "format": FORMAT,
        "names": {"classes": list(subject.class_names), "concepts": list(subject.concept_names)},
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
        "thresholds": thresholds_of(subject),
        "regions": shared.regions,
        "points": shared.points,
        "claims": [claim | {"digest": tied(claim, tie)} for claim in carried],
        "digests": tie,
        "sources": dict(sources or {}),
        "study": dict(subject.digests),
    }


def thresholds_of(subject: VerificationModel) -> dict[str, str]:
    """The exact threshold of each concept of the lens that has one."""
    known = set(subject.concept_names)
    return {name: str(Fraction(value)) for name, value in subject.thresholds.items() if name in known}


def tie_of(subject: VerificationModel) -> dict[str, str]:
    """What every claim of a subject is tied to: a digest of the head with its class names, one of the lens with its
    concept names and thresholds."""
    return {
        "head": digest_json([subject.head.digest, list(subject.class_names)]),
        "lens": digest_json([subject.lens.digest, thresholds_of(subject)]),
    }


# Evidence and places inside the file: not part of what a claim says.
EVIDENCE = ("digest", "point", "proof", "refutations", "region", "tree", "witness")


def tied(claim: ClaimFields, tie: Mapping[str, str]) -> str:
    """The digest of what a claim says, apart from its evidence, tied to head and lens."""
    return digest_json({key: value for key, value in claim.items() if key not in EVIDENCE} | dict(tie))


def text_digest(text: bytes) -> str:
    """SHA-256 of a specification's text."""
    return hashlib.sha256(text).hexdigest()


def certificate_name(files: Sequence[Path]) -> str:
    """The name of the certificate of specification files: of another file with the same stem it is another."""
    where = digest_json([str(file.resolve()) for file in files])
    return f"{files[0].stem}-{where[:12]}.json"


def sealed(body: Mapping[str, object]) -> bytes:
    """The file of a bundle: a seal (SHA-256 of all that follows it) and the bundle."""
    rest = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()[1:]
    return b'{"seal":"' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest


def write_bundle(path: Path, body: CertificateBody) -> None:
    """Writes a bundle as JSON; a half-written certificate never has the name."""
    write_atomically(path, sealed(body))


@dataclass(eq=False)
class _Shared:
    """Regions and points of a bundle, each stored once."""

    regions: list[ClaimFields] = field(default_factory=list)
    points: list[ClaimFields] = field(default_factory=list)
    places: dict[object, int] = field(default_factory=dict)

    def region(self, region: Region, reads: ReadoutKinds | None = None) -> int:
        """The number of a region's arrays."""
        key = ("region", region.arrays_digest, region.shape, reads)
        if key not in self.places:
            self.places[key] = len(self.regions)
            self.regions.append(
                {
                    "shape": region.shape,
                    "centre": encoded(region.centre),
                    "factor": encoded(region.factor),
                    "reads": readouts_record(reads),
                }
            )
        return self.places[key]

    def neighbourhoods(self, claim: NeighbourhoodClaim) -> int:
        """The number of the centres and the factor of a claim, which claims about the same images share."""
        key = ("near", claim.arrays_digest, claim.reads)
        if key not in self.places:
            self.places[key] = len(self.regions)
            self.regions.append(
                {
                    "shape": "near",
                    "centre": encoded(claim.centres.floats),
                    "factor": encoded(claim.factor),
                    "reads": readouts_record(claim.reads),
                    "images": len(claim.centres),
                }
            )
        return self.places[key]

    def witness(self, witness: Witness, region: int) -> int:
        """The number of a witness: floats where they are exact, else integers over a denominator."""
        if witness.kind == "corner":
            plus = np.packbits(np.array(witness.vector.integers, dtype=object) > 0, bitorder="little")
            size = Fraction(max(map(abs, witness.vector.integers)), witness.vector.denominator)
            signs = base64.b64encode(plus.tobytes()).decode()
            return self.point({"kind": "corner", "signs": signs, "size": str(size), "region": region})
        where: ClaimFields = {} if witness.kind == "embedding" else {"region": region}
        if witness.exact is not None:
            return self.point({"kind": witness.kind, "float64": encoded(witness.exact)} | where)
        vector = witness.vector
        numbers: ClaimFields = {"numerators": vector.integers, "denominator": vector.denominator}
        return self.point({"kind": witness.kind} | numbers | where)

    def point(self, point: ClaimFields) -> int:
        """The number of a point."""
        key = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in point.items())
        if key not in self.places:
            self.places[key] = len(self.points)
            self.points.append(point)
        return self.places[key]


def _carried(claim: Claim, shared: _Shared) -> ClaimFields:
    carried = claim.fields()
    match claim:
        case RegionClaim():
            region = shared.region(claim.region, claim.reads)
            carried["region"] = region
            if claim.verdict == "holds" and claim.proof is not None:
                carried["proof"] = [step.record() for step in claim.proof.steps]
            if claim.verdict == "violated" and claim.witness is not None:
                carried["witness"] = shared.witness(claim.witness, region)
        case ImageClaim():
            if claim.verdict != "unknown":
                carried["point"] = shared.point({"kind": "embedding", "float64": encoded(claim.embedding)})
        case ExtentClaim():
            carried["region"] = shared.region(claim.extent.segment)
            carried["proof"] = [step.record() for step in claim.extent.proof]
        case NeighbourhoodClaim():
            carried["region"] = shared.neighbourhoods(claim)
            carried["tree"] = tree_record(claim.tree)
            points = {k: shared.point({"kind": "embedding", "float64": encoded(z)}) for k, z in claim.refuted.items()}
            carried["refutations"] = sorted(points.items())
        case ShareClaim():
            pass
        case _:
            assert_never(claim)
    return carried
