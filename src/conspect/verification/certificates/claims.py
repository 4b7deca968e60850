"""Claims: what a certificate says of one property, and the evidence for it.

What is said (`fields`) can be rebuilt from a study and a specification; the evidence (a proof, a witness, an embedding)
only has to convince the checker. An open claim says what was asked and that it was not decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.claim_names import END_NAMES, over_shape
from conspect.core.digests import digest_json
from conspect.core.regions import Region, Shape
from conspect.core.spaces import Float64, Floats
from conspect.core.verdicts import Outcome as Decided
from conspect.verification.certificates.formula_claim import ClaimFields, ClaimOfFormula, readouts_record
from conspect.verification.engine.points import Witness
from conspect.verification.engine.prover import Outcome, Proof
from conspect.verification.engine.sizes import Bracket
from conspect.verification.extents.search import Extent
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.queries.planning import Obligation
from conspect.verification.regions.provable import ProvedCoverage
from conspect.verification.regions.readout_verdicts import ReadoutVerdict
from conspect.verification.regions.readouts import ReadoutKinds


@dataclass(frozen=True, eq=False)
class RegionClaim(ClaimOfFormula):
    """A formula over all embeddings of a region. `coverage`: images of the class inside, images, and their split.

    `reads`: what the region is made of, if not of embeddings. `premise_dropped`: the formula is the property's conclusion.
    """

    class_name: str
    region: Region
    coverage: tuple[int, int, str] | None = None
    proof: Proof | None = None
    witness: Witness | None = None
    reads: ReadoutKinds | None = None
    premise_dropped: bool = False

    kind: ClassVar[str] = "region"

    def fields(self) -> ClaimFields:
        """See `ClaimOfFormula`; the region by its digest, which covers arrays, shape, size and cut."""
        names = ("inside", "images", "split")
        return super().fields() | {
            "class": self.class_name,
            "size": str(self.region.size),
            "cut": self.region.cut,
            "region_digest": self.region.digest,
            "reads": readouts_record(self.reads),
            "part": "conclusion" if self.premise_dropped else "whole",
            "coverage": None if self.coverage is None else dict(zip(names, self.coverage, strict=True)),
        }


@dataclass(frozen=True, eq=False)
class ShareClaim(ClaimOfFormula):
    """At least a share of images satisfies a formula: `outcomes [image]` decide it by an exact binomial test at `level`."""

    class_name: str | None
    split: str
    image_ids: tuple[str, ...]
    outcomes: NDArray[np.bool_]
    share: Fraction
    level: Fraction

    kind: ClassVar[str] = "share"

    def fields(self) -> ClaimFields:
        """See `ClaimOfFormula`; which images and which of them satisfy the formula by digests, in the order of the split."""
        return super().fields() | {
            "class": self.class_name,
            "split": self.split,
            "images": digest_json(list(self.image_ids)),
            "outcomes": hashlib.sha256(np.where(self.outcomes, b"1", b"0").tobytes()).hexdigest(),
            "successes": int(self.outcomes.sum()),
            "trials": len(self.outcomes),
            "share": str(self.share),
            "level": str(self.level),
        }


@dataclass(frozen=True, eq=False)
class ImageClaim(ClaimOfFormula):
    """A formula at the embedding `[D]` of one image."""

    split: str
    image_id: str
    embedding: Float64

    kind: ClassVar[str] = "image"

    def fields(self) -> ClaimFields:
        """See `ClaimOfFormula`; the embedding by its digest."""
        return super().fields() | {
            "split": self.split,
            "image": self.image_id,
            "embedding": array_digest(self.embedding),
        }


@dataclass(frozen=True, eq=False)
class ExtentClaim(ClaimOfFormula):
    """By how much a concept may change in one image, from `low` to `high`, while the formula stays true there.

    `before`, `after`: just outside, where it is false; None where nothing changes as far as anybody looks.
    """

    split: str
    image_id: str
    concept: int
    extent: Extent

    kind: ClassVar[str] = "extent"

    def fields(self) -> ClaimFields:
        """See `ClaimOfFormula`; embedding and direction by their digests, which are centre and factor of the segment."""
        extent = self.extent
        return super().fields() | {
            "split": self.split,
            "image": self.image_id,
            "concept": self.concept,
            "embedding": array_digest(extent.segment.centre),
            "direction": array_digest(extent.segment.factor),
            "low": str(extent.low),
            "high": str(extent.high),
            "before": None if extent.before is None else str(extent.before),
            "after": None if extent.after is None else str(extent.after),
        }


Claim: TypeAlias = RegionClaim | ShareClaim | ImageClaim | ExtentClaim | NeighbourhoodClaim


def array_digest(values: Floats) -> str:
    """SHA-256 of an array's float64 bytes, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()


def region_claim(
    job: Obligation, region: Region, outcome: Outcome, coverage: tuple[int, int, str] | None = None
) -> RegionClaim:
    """The claim about a region, with the evidence of its outcome."""
    return RegionClaim(
        job.name,
        job.file,
        job.statement,
        job.table,
        outcome.verdict.outcome,
        job.class_name or "",
        region,
        coverage,
        outcome.proof,
        outcome.witness,
    )


def coverage_claim(job: Obligation, shape: Shape, proved: ProvedCoverage, split: str) -> RegionClaim:
    """The claim that a property, or its conclusion, holds over the largest region of a shape; `split`: where measured."""
    images = proved.measured.n
    return RegionClaim(
        over_shape(job.name, shape),
        job.file,
        job.statement,
        proved.table,
        "holds",
        job.class_name or "",
        proved.region,
        (round(proved.measured.rate * images), images, split) if images else None,
        proved.proof,
        reads=proved.kinds,
        premise_dropped=proved.premise_dropped,
    )


def readout_claim(
    job: Obligation, answer: ReadoutVerdict, witness: Witness | None, coverage: tuple[int, int, str] | None
) -> RegionClaim:
    """The claim about a region of readouts; `witness`: the image inside that refutes the property."""
    attempt = answer.attempt
    return RegionClaim(
        job.name,
        job.file,
        job.statement,
        attempt.table,
        answer.verdict.outcome,
        job.class_name or "",
        answer.region,
        coverage,
        answer.proof,
        witness,
        attempt.place.kinds,
        attempt.premise_dropped,
    )


def end_claims(
    job: Obligation, bracket: Bracket, coverage: Callable[[Region], tuple[int, int, str]]
) -> tuple[RegionClaim, ...]:
    """What is proved at the lower end of a bracket of sizes and refuted at the upper one, each as a claim of its own."""
    ends = ((END_NAMES.low, bracket.low), (END_NAMES.high, bracket.high))
    return tuple(
        replace(region_claim(job, end.region, end.outcome, coverage(end.region)), name=f"{job.name} {name}")
        for name, end in ends
        if end is not None
    )


def share_claim(
    job: Obligation,
    verdict: Decided,
    images: tuple[str, Sequence[str], NDArray[np.bool_]],
    share: Fraction,
    level: Fraction,
) -> ShareClaim:
    """A statistical claim; `images`: their split, their ids and which of them satisfy the formula."""
    split, ids, outcomes = images
    return ShareClaim(
        job.name,
        job.file,
        job.statement,
        job.table,
        verdict,
        job.class_name,
        split,
        tuple(ids),
        np.asarray(outcomes, dtype=bool),
        share,
        level,
    )


def image_claim(job: Obligation, verdict: Decided, place: tuple[str, str], embedding: Floats) -> ImageClaim:
    """A claim about one image; `place`: its split and id."""
    return ImageClaim(
        job.name, job.file, job.statement, job.table, verdict, *place, np.asarray(embedding, dtype=np.float64)
    )
