"""What a certificate has to carry of a claim about neighbourhoods: everything exact, nothing rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from conspect.core.digests import digest_arrays, digest_json
from conspect.core.json_value import JsonValue
from conspect.core.spaces import Float64, Floats
from conspect.language.syntax.tree import Near
from conspect.verification.certificates.formula_claim import ClaimFields, ClaimOfFormula, readouts_record
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.proving import ProofCase
from conspect.verification.regions.readouts import ReadoutKinds


@dataclass(frozen=True, eq=False)
class NeighbourhoodClaim(ClaimOfFormula):
    """A formula in the neighbourhoods of images: around which it is proved, by what, and around which refuted.

    The neighbourhood of image k is all z with |F^-1 (v(z) - c_k)| <= radius: v are the readouts of `reads`, F is
    `factor [V, V]` (float64, exact), c_k row k of `centres` (integers over a power of two, within one unit of the
    readouts of `embeddings [image, D]`, row k). `proved [image]` are those for which `tree` closes (see
    `neighbourhoods.proving.Case`; multipliers are by literal of the negated formula, as in region proofs). `refuted`: by
    image, an embedding `[D]` inside at which the formula is false. `share`: of images, tested at `level`; None for a claim
    about one image.
    """

    class_name: str | None
    split: str
    image_ids: tuple[str, ...]
    near: Near
    reads: ReadoutKinds
    factor: Float64
    radius: Fraction
    centres: Centres
    embeddings: Floats
    tree: ProofCase
    proved: NDArray[np.bool_]
    refuted: Mapping[int, Float64]
    share: Fraction | None
    level: Fraction

    kind: ClassVar[str] = "near"

    def fields(self) -> ClaimFields:
        """Everything that the claim says, as plain JSON without its evidence (tree, and the refuting embeddings)."""
        return super().fields() | {
            "class": self.class_name,
            "split": self.split,
            "images": digest_json(list(self.image_ids)),
            "changes": self.near.changes,
            "near": str(self.near.share),
            "reads": readouts_record(self.reads),
            "radius": str(self.radius),
            "region_digest": digest_json(
                {"arrays": self.arrays_digest, "cut": None, "shape": "near", "size": str(self.radius)}
            ),
            "trials": len(self.image_ids),
            "proved": int(self.proved.sum()),
            "refuted": len(self.refuted),
            "share": None if self.share is None else str(self.share),
            "level": str(self.level),
            **({"image": self.image_ids[0]} if self.share is None else {}),
        }

    @property
    def arrays_digest(self) -> str:
        """Of the centres, and of the ellipsoid around 0."""
        zero = np.zeros(len(self.factor))
        return digest_arrays({"centre": self.centres.floats}) + digest_arrays({"centre": zero, "factor": self.factor})


def tree_record(case: ProofCase) -> list[JsonValue]:
    """A case as a certificate carries it: choices of multipliers, the disjunction opened or None, its cases."""
    return [case.alternatives, case.which, [tree_record(branch) for branch in case.branches]]
