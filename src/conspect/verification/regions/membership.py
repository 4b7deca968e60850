"""Which images lie in a region of readouts, exactly: what makes an image inside a counterexample beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from conspect.core.spaces import Floats
from conspect.verification.engine.exact import ExactModel
from conspect.verification.engine.exact_vertex import solve
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.negation import AtomRows
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions
from conspect.verification.regions.readouts import ReadoutSpace
from conspect.verification.regions.shapes import Band


@dataclass(eq=False)
class Membership:
    """Exact membership in the regions of readouts of one model."""

    model: VerificationModel
    _exact: ExactModel | None = None

    def holds(self, place: ClassRegion, readouts: ReadoutRegions, embedding: Floats) -> bool:
        """Whether the readouts of one embedding `[D]` lie in a region at its size.

        The length |y| lies between two rationals; regions are convex, so what holds with both holds with it.
        """
        space = readouts.space(place.kinds)
        ends = space.exactly(self._model(), np.asarray(embedding, dtype=np.float64))
        low, high = [end[0] for end in ends], [end[1] for end in ends]
        return all(self._inside(place, readouts, space, values) for values in ([low] if low == high else [low, high]))

    def _inside(
        self, place: ClassRegion, readouts: ReadoutRegions, space: ReadoutSpace, values: list[Fraction]
    ) -> bool:
        if isinstance(place.region, Band):
            return self._in_band(place, readouts, space, values)
        offset = [v - Fraction(c) for v, c in zip(values, place.region.centre.tolist(), strict=True)]
        factor = [[Fraction(v) for v in row] for row in place.region.factor.tolist()]
        scale = lcm(*(v.denominator for row in factor for v in row))
        w = solve([[int(v * scale) for v in row] for row in factor], [v * scale for v in offset], float("inf"))
        return isinstance(w, list) and sum((v * v for v in w), Fraction(0)) <= place.region.size**2

    def _in_band(
        self, place: ClassRegion, readouts: ReadoutRegions, space: ReadoutSpace, values: list[Fraction]
    ) -> bool:
        rows = readouts.decider(place.kinds).rows
        base = _base_rows(rows, space, values)
        region = place.region
        least = zip(region.centre.tolist(), region.factor.tolist(), readouts.pairs(place.kinds), strict=True)
        return all(
            base[first] - base[second] >= Fraction(middle) - region.size * Fraction(width)
            for middle, width, (first, second) in least
        )

    def _model(self) -> ExactModel:
        if self._exact is None:
            head = self.model.head
            self._exact = ExactModel.of(head.layers[0] if head.is_linear else None, head.classes, self.model.lens)
        return self._exact


def _base_rows(rows: AtomRows, space: ReadoutSpace, values: list[Fraction]) -> dict[int, Fraction]:
    """Base rows of readouts: a logit or strength that the others are read relative to is 0."""
    kinds, zero = space.kinds, Fraction(0)
    own = kinds.class_index
    base = dict.fromkeys(range(rows.zero_row), zero)
    others = [] if own is None else [k for k in range(rows.classes) if k != own]
    base |= dict(zip(others, values, strict=False))
    base |= {rows.classes + k: value for k, value in zip(kinds.strengths_read, values[len(others) :], strict=False)}
    if kinds.has_length:
        base |= {rows.threshold_row(k): threshold * values[-1] for k, threshold in rows.thresholds.items()}
    return base
