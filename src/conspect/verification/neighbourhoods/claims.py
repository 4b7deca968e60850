"""What a certificate has to carry of a claim about neighbourhoods: everything exact, nothing rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.core.verdicts import Outcome
from conspect.language.syntax.tree import Near
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.proving import Case
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.regions.readouts import ReadoutKinds


@dataclass(frozen=True, eq=False)
class NeighbourhoodClaim:
    """A formula in the neighbourhoods of images: around which it is proved, by what, and around which refuted.

    The neighbourhood of image k is all z with |F^-1 (v(z) - c_k)| <= radius: v are the readouts of `reads`, F is
    `factor [V, V]` (float64, exact), c_k row k of `centres` (integers over a power of two, within one unit of the
    readouts of `embeddings [image, D]`, row k). `proved [image]` are those for which `tree` closes (see
    `neighbourhoods.proving.Case`; multipliers are by literal of the negated formula, as in region proofs). `refuted`: by
    image, an embedding `[D]` inside at which the formula is false. `share`: of images, tested at `level`; None for a claim
    about one image.
    """

    name: str
    file: str
    statement: str
    formula: FormulaTable
    verdict: Outcome
    class_name: str | None
    split: str
    image_ids: tuple[str, ...]
    near: Near
    reads: ReadoutKinds
    factor: Float64
    radius: Fraction
    centres: Centres
    embeddings: Floats
    tree: Case
    proved: NDArray[np.bool_]
    refuted: Mapping[int, Float64]
    share: Fraction | None
    level: Fraction
