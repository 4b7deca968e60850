"""Extents: the interval by which a concept may be strengthened or weakened in an image before a formula changes there.

The direction is that in which the concept's strength q'y rises fastest for its length, scaled so that moving by w changes
the strength by w. Compare arXiv 2606.18839, which asks for the interval of one concept's score under a linear head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from conspect.core.diagnostics import user_error
from conspect.core.regions import Region
from conspect.core.spaces import Float64
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.steps import Step
from conspect.verification.extents.ray import Direction, Ray
from conspect.verification.queries.formula_table import FormulaTable, NodeKind, concepts_asked, leads_asked
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.negation import AtomRows

# Nobody moves a strength further than this many lengths of its own range.
LIMIT = Fraction(64)


class Segment(Region):
    """Embeddings centre + factor w for numbers w between two ends: one column, the direction."""

    shape = "segment"
    norm = "max"


@dataclass(frozen=True, eq=False)
class Extent:
    """Between `low` <= 0 <= `high` the formula keeps the value that it has in the image; rounded inwards, and proved.

    `before` and `after`: just outside, where it has another value; None where it has none as far as `LIMIT`. Units: the
    concept's unnormalised strength q'y.
    """

    table: FormulaTable
    low: Fraction
    high: Fraction
    before: Fraction | None
    after: Fraction | None
    proof: Sequence[Step]
    segment: Segment

    @property
    def reach(self) -> Fraction:
        """By how much the concept may change either way."""
        return min(-self.low, self.high)


@dataclass(eq=False)
class ExtentSearch:
    """Extents in the images of one model. VERIFY015 for a head with hidden layers, VERIFY002 for an unknown concept."""

    model: VerificationModel
    _exact: ExactModel = field(init=False, repr=False)

    def __post_init__(self) -> None:
        head = self.model.head
        if not head.is_linear:
            raise user_error(
                "VERIFY015",
                "extents are known in closed form for linear heads only, and this one has hidden layers",
                "ask for regions instead, or verify a model with a linear head",
            )
        self._exact = ExactModel.of(head.layers[0], head.classes, self.model.lens)

    def direction(self, concept: str) -> Direction:
        """The step that raises the concept's strength q'y by 1 along its gradient, each entry rounded once."""
        names = self.model.concept_names
        if concept not in names:
            raise user_error(
                "VERIFY002", f"the study's lens has no concept {concept!r}", f"use one of: {', '.join(names)}"
            )
        strengths = self._exact.strengths
        gradient = strengths.rows[names.index(concept)]
        squared = sum(v * v for v in gradient)
        if not squared:
            raise user_error(
                "VERIFY015",
                f"no change of an embedding changes the strength of {concept!r}",
                "ask for a concept that the lens sees",
            )
        # Each entry is the float next to the exact one, so that the checker finds the gradient's direction again.
        return Direction(np.array([(v << strengths.shift) / squared for v in gradient], dtype=np.float64))

    def ray(self, embedding: Float64, direction: Direction, tables: Sequence[FormulaTable]) -> Ray:
        """One embedding `[D]` moved in a direction, for formulas that may ask for leads."""
        names, thresholds = self.model.concept_names, self.model.thresholds
        known = {k: Fraction(thresholds[name]) for k, name in enumerate(names) if name in thresholds}
        leads = sorted({lead for table in tables for lead in leads_asked(table)})
        rows = AtomRows(self.model.head.classes, len(names), known, tuple(leads))
        return Ray(self._exact, rows, embedding, direction)

    def extent(self, table: FormulaTable, ray: Ray) -> Extent | None:
        """The interval in which a formula keeps its value; None where it changes with the smallest step."""
        self._require_linear(table, ray.rows.thresholds)
        value = ray.makes_true(table, Fraction(0))
        places = [place for place in ray.crossings(table) if abs(place) < LIMIT]
        high, after = _end(ray, table, [p for p in places if p >= 0], value=value)
        low, before = _end(ray, table, [p for p in reversed(places) if p <= 0], value=value, sign=-1)
        if high is None or low is None:
            return None
        kept = table if value else (*table, ("not", len(table) - 1))
        proof = ray.proof(kept, low, high)
        assert proof is not None
        segment = Segment(ray.embedding, ray.direction.step[:, None], max(-low, high))
        return Extent(kept, low, high, before, after, proof, segment)

    @staticmethod
    def _require_linear(table: FormulaTable, thresholds: dict[int, Fraction]) -> None:
        if any(thresholds.get(concept) != 0 for concept in concepts_asked(table)):
            raise user_error(
                "VERIFY015",
                "the extent of a property with hasCon is not known in closed form: its threshold bends with the length",
                "compare strengths instead, or ask for the extent of the output",
            )


def output_table(class_index: int) -> FormulaTable:
    """The formula that a class is predicted."""
    return ((NodeKind.PREDICT, class_index),)


def _end(
    ray: Ray, table: FormulaTable, places: Sequence[Fraction], *, value: bool, sign: int = 1
) -> tuple[Fraction | None, Fraction | None]:
    """How far the value keeps, outwards through the places where it may change, and a place just beyond with another one."""
    for number, place in enumerate(places):
        following = places[number + 1] if number + 1 < len(places) else place + sign
        for candidate in (place, _outwards(place, sign, (place + following) / 2)):
            if ray.makes_true(table, candidate) == value:
                continue
            kept = _inwards(place, sign)
            if kept * sign < 0 or ray.makes_true(table, kept) != value:
                return None, candidate
            return kept, candidate
    return sign * LIMIT, None


def _inwards(place: Fraction, sign: int) -> Fraction:
    """The float next to a place on the side of 0."""
    nearest = float(place)
    while sign * (Fraction(nearest) - place) >= 0:
        nearest = math.nextafter(nearest, -sign * math.inf)
    return Fraction(nearest)


def _outwards(place: Fraction, sign: int, limit: Fraction) -> Fraction:
    """The float next to a place on the other side, or the limit where even that one is too far."""
    nearest = float(place)
    while sign * (Fraction(nearest) - place) <= 0:
        nearest = math.nextafter(nearest, sign * math.inf)
    beyond = Fraction(nearest)
    return beyond if sign * (limit - beyond) >= 0 else limit
