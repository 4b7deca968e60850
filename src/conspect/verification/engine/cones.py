"""Linear bounds on `hasCon` literals, in floats to search with and exactly to claim with.

With y = M z + d and t the threshold, the literal says ±(q'y - t |y|) > 0 (>= 0 when denied). Where that is convex in z,
|y| >= p'y for every |p| <= 1 gives a cut; the best p is y / |y| at the point to be cut off. Where it is not, |y| <=
(|y|^2 + s^2) / 2s for every s > 0, and over a region where lo <= y_e <= hi each y_e^2 lies under its chord.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np

from conspect.core.spaces import Float64
from conspect.verification.engine.exact import ExactForms, ExactRegion
from conspect.verification.queries.negation import ConeLiteral

Limits = dict[int, tuple[Fraction, Fraction]]
Row = tuple[Float64, float]


@dataclass(frozen=True, eq=False)
class ConeForms:
    """y = slopes u + offsets `[E]` over a region in units of its size, and the strength forms beside it."""

    slopes: Float64
    offsets: Float64
    strength_slopes: Float64
    strength_offsets: Float64
    thresholds: dict[int, Fraction]

    def is_convex(self, literal: ConeLiteral) -> bool:
        """Whether the embeddings that satisfy a literal form a convex set."""
        return (self.thresholds[literal.concept] > 0) == literal.wanted

    def mapped(self, u: Float64) -> Float64:
        """y at u."""
        return np.asarray(self.slopes @ u + self.offsets)

    def cut(self, literal: ConeLiteral, vector: Float64) -> Row:
        """±q'y - |t| p'y, above a convex literal."""
        return self._row(literal, -vector)

    def inner(self, literal: ConeLiteral, vector: Float64) -> Row:
        """±q'y + |t| p'y, below a literal that is not convex: where this is positive the literal holds."""
        return self._row(literal, vector)

    def chord(self, literal: ConeLiteral, scale: float, low: Float64, high: Float64) -> Row:
        """Above a literal that is not convex, for low <= u <= high."""
        up, down = np.maximum(self.slopes, 0), np.minimum(self.slopes, 0)
        least = self.offsets + up @ low + down @ high
        most = self.offsets + up @ high + down @ low
        threshold = abs(float(self.thresholds[literal.concept]))
        sign = 1.0 if literal.wanted else -1.0
        ends = least + most
        slope = sign * self.strength_slopes[literal.concept] + threshold / (2 * scale) * (ends @ self.slopes)
        constant = float(ends @ self.offsets - least @ most) + scale**2
        return slope, sign * float(self.strength_offsets[literal.concept]) + threshold / (2 * scale) * constant

    def _row(self, literal: ConeLiteral, vector: Float64) -> Row:
        threshold = abs(float(self.thresholds[literal.concept]))
        sign = 1.0 if literal.wanted else -1.0
        slope = sign * self.strength_slopes[literal.concept] + threshold * (vector @ self.slopes)
        return slope, sign * float(self.strength_offsets[literal.concept]) + threshold * float(vector @ self.offsets)


def shortened(vector: Float64) -> Float64:
    """A vector of few digits whose exact length is at most 1."""
    norm = float(np.linalg.norm(vector))
    scale = min(1.0, 1.0 / norm) if norm else 0.0
    return np.asarray(np.trunc(vector * scale * (1 - 2.0**-44) * 2.0**48) / 2.0**48)


def exact_row(
    region: ExactRegion,
    mapped: ExactForms,
    literal: ConeLiteral,
    bound: Float64 | Fraction,
    *,
    size: Fraction,
    limits: Limits,
    threshold: Fraction,
) -> tuple[list[Fraction], Fraction]:
    """The cut of a vector or the chord of a scale, exactly, in units of the region's forms.

    `mapped`: y as forms in w. `limits`: the part of a box that is looked at, by axis.
    """
    strength = region.model.classes + literal.concept
    sign, unit = (1 if literal.wanted else -1), 1 << region.forms.shift
    if isinstance(bound, Fraction):
        factor = abs(threshold) * unit / (2 * bound)
        weights, constant = [], Fraction(0)
        for row, middle in zip(mapped.rows, mapped.constants, strict=True):
            low, high = _ends(row, middle, region.region.norm, size, limits)
            weights.append((low + high) * factor / (1 << 2 * mapped.shift))
            constant += ((low + high) * middle - low * high) / (1 << 2 * mapped.shift)
        constant = factor * (constant + bound**2)
    else:
        weights = [-abs(threshold) * Fraction(p) * unit / (1 << mapped.shift) for p in bound.tolist()]
        constant = sum((w * c for w, c in zip(weights, mapped.constants, strict=True)), Fraction(0))
    slope = [Fraction(sign * v) for v in region.forms.rows[strength]]
    for weight, row in zip(weights, mapped.rows, strict=True):
        if weight:
            slope = [a + weight * b for a, b in zip(slope, row, strict=True)]
    return slope, sign * region.forms.constants[strength] + constant


def _ends(row: list[int], middle: int, norm: str, size: Fraction, limits: Limits) -> tuple[Fraction, Fraction]:
    if norm == "euclid":
        reach = size * (isqrt(sum(v * v for v in row)) + 1)
        return middle - reach, middle + reach
    inside = size * sum(abs(v) for k, v in enumerate(row) if k not in limits)
    low = high = Fraction(middle)
    for axis, (start, end) in limits.items():
        low += min(row[axis] * start, row[axis] * end)
        high += max(row[axis] * start, row[axis] * end)
    return low - inside, high + inside
