"""One region at one size, exactly and in floats, and exact points inside it for the coordinates that floats propose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from conspect.core.spaces import AffineMap, Float64, Head
from conspect.verification.engine.batch import RegionForms
from conspect.verification.engine.exact import ExactRegion
from conspect.verification.engine.exact_point import ExactPoint
from conspect.verification.engine.integers import RationalVector, float_vector
from conspect.verification.engine.relu import ReluHead
from conspect.verification.queries.negation import AtomRows

# A corner rounded to floats may lie outside by a few units in the last place; it is drawn inwards by these shares.
SHRINKS = (1e-15, 1e-14, 1e-12, 0.0)
KEPT_POINTS = 4096


@dataclass(frozen=True, eq=False)
class Witness:
    """A checked counterexample: an embedding in floats, or exact coordinates w of centre + factor w, perhaps a corner.

    `vector` is what was checked, `exact` the same in floats where they can say it, `floats` the embedding, rounded. At a
    corner all coordinates are plus or minus the size.
    """

    kind: Literal["embedding", "coordinates", "corner"]
    vector: RationalVector
    floats: Float64
    exact: Float64 | None = None


class WitnessPoint(NamedTuple):
    """A witness with the exact values of all forms there."""

    witness: Witness
    point: ExactPoint


@dataclass(eq=False)
class SizedRegion:
    """A region at `size` with the base forms over it; points met twice are evaluated once."""

    region: ExactRegion
    forms: RegionForms
    size: Fraction
    rows: AtomRows
    head: Head
    alignment: AffineMap
    _points: dict[bytes, WitnessPoint | None] = field(default_factory=dict)
    _relu: ReluHead | None = None

    @property
    def relu(self) -> ReluHead | None:
        """The head over this region when it has hidden layers; its bounds take a moment."""
        if self._relu is None and not self.head.is_linear:
            self._relu = ReluHead(self.head, self.region, self.size)
        return self._relu

    def inside(self, unit: Float64) -> WitnessPoint | None:
        """The exact point for float coordinates in units of the size, moved inside; None when it will not go inside."""
        key = unit.tobytes()
        if key not in self._points:
            if len(self._points) > KEPT_POINTS:
                self._points.clear()
            corner = self.region.region.norm == "max" and self.head.is_linear and bool((np.abs(unit) == 1.0).all())
            self._points[key] = self._corner(unit) if corner else self._moved_inside(unit)
        return self._points[key]

    def at_coordinates(self, vector: RationalVector, exact: Float64 | None = None) -> WitnessPoint:
        """The point at exact coordinates w, which the caller knows to lie inside."""
        embedding = self.region.frame.point(vector)
        floats = np.array([value / embedding.denominator for value in embedding.integers])
        point = self._point(embedding, vector, from_region=True)
        return WitnessPoint(Witness("coordinates", vector, floats, exact), point)

    def _moved_inside(self, unit: Float64) -> WitnessPoint | None:
        region = self.region.region
        coordinates = unit * float(self.size)
        if not np.isfinite(coordinates).all():
            return None
        if region.shape == "box":
            # A box is checked at the float embedding itself, so that its witness can be fed to the model as it is.
            for shrink in SHRINKS:
                embedding = region.points((coordinates * (1 - shrink))[None, :])[0]
                if not np.isfinite(embedding).all():
                    return None
                if shrink:
                    embedding = np.nextafter(embedding, region.centre)
                vector = float_vector(embedding)
                if self.region.has_embedding(vector, self.size):
                    witness = Witness("embedding", vector, embedding, embedding)
                    return WitnessPoint(witness, self._point(vector, vector))
            return None
        if region.norm == "euclid" or float(self.size) > self.size:
            coordinates = coordinates * (1 - 1e-14)
        vector = float_vector(coordinates)
        if not self.region.has_coordinates(vector, self.size):
            return None
        return self.at_coordinates(vector, coordinates)

    def _corner(self, unit: Float64) -> WitnessPoint:
        """A corner of a box, where most witnesses lie: forms are sums of half the axes there.

        What is shown of it is drawn inwards by a few units in the last place, so that it lies in the region as it is.
        """
        region = self.region.region
        floats = region.points((unit * float(self.size) * (1 - SHRINKS[0]))[None, :])[0]
        floats = np.nextafter(floats, region.centre) if region.shape == "box" else floats
        plus = (unit > 0).tolist()
        p, q = self.size.numerator, self.size.denominator
        vector = RationalVector([p if up else -p for up in plus], q)
        point = ExactPoint(
            self.region.model,
            lambda: self.region.frame.point(vector),
            lambda row: self.region.forms.at_corner(row, plus, self.size),
            self.rows,
        )
        return WitnessPoint(Witness("corner", vector, floats), point)

    def _point(self, embedding: RationalVector, vector: RationalVector, *, from_region: bool = False) -> ExactPoint:
        """Base rows come from the region's forms at w, or from the model's at z; logits behind ReLU from the layers."""
        value: Callable[[int], int | Fraction]
        if from_region:
            value = lambda row: self.region.forms.value(row, vector)  # noqa: E731
        else:
            value = lambda row: self.region.model.value(row, vector)  # noqa: E731
        if self.head.is_linear and (from_region or not self.rows.leads):
            return ExactPoint(self.region.model, lambda: embedding, value, self.rows)
        # What the affine rows are multiplied by, so that logits compare with raised logits.
        unit = (1 << (self.region.forms.shift if from_region else self.region.model.shift)) * vector.denominator
        logits: list[Fraction] = []
        if not self.head.is_linear:
            assert self.relu is not None
            logits = self.relu.logits([Fraction(v, embedding.denominator) for v in embedding.integers])

        def row_value(row: int) -> int | Fraction:
            logit = self.rows.logit(row)
            if logit is None:
                return value(row)
            if not logits:  # raised logits are no rows of the model
                return value(logit.class_index) + logit.lead * unit
            return (logits[logit.class_index] + logit.lead) * unit

        return ExactPoint(self.region.model, lambda: embedding, row_value, self.rows)
