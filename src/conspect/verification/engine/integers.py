"""Floats as integers over a common power of two: the exact arithmetic that verdicts rest on.

A finite float64 is a dyadic rational, so an array of them is a list of Python integers and one exponent, and sums of
products of such arrays need no rounding at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from operator import mul

import numpy as np

from conspect.core.spaces import Float64


@dataclass(frozen=True, slots=True)
class Scaled:
    """The vector `integers / 2**shift`, shift >= 0."""

    integers: list[int]
    shift: int

    def at(self, shift: int) -> list[int]:
        """Integers of the same vector at a larger shift."""
        extra = shift - self.shift
        return self.integers if extra == 0 else [value << extra for value in self.integers]


def scaled(values: Float64) -> Scaled:
    """The exact integers of a float64 array of any shape, flattened in C order."""
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("exact arithmetic needs finite numbers")
    mantissa, exponent = np.frexp(flat)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    present = whole != 0
    if not present.any():
        return Scaled([0] * flat.size, 0)
    # The lowest bit that is set anywhere decides the shift, so short numbers stay short.
    lowest_bit = np.frexp((whole[present] & -whole[present]).astype(np.float64))[1] - 1
    shift = max(0, -int((exponent[present] - 53 + lowest_bit).min()))
    lifts = (exponent - 53 + shift).tolist()
    return Scaled([v << e if e >= 0 else v >> -e for v, e in zip(whole.tolist(), lifts, strict=True)], shift)


def scaled_rows(values: Float64) -> tuple[list[list[int]], int]:
    """Exact integers of a matrix, row by row, with one shift for all."""
    whole = scaled(values)
    width = values.shape[1]
    return [whole.integers[k : k + width] for k in range(0, len(whole.integers), width)], whole.shift


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    """Exact inner product."""
    return sum(map(mul, left, right))


def combine(weights: Sequence[int], rows: Sequence[Sequence[int]]) -> list[int]:
    """sum_r weights[r] * rows[r]; an empty combination of no rows is refused."""
    total = [weights[0] * value for value in rows[0]]
    for weight, row in zip(weights[1:], rows[1:], strict=True):
        total = [value + weight * more for value, more in zip(total, row, strict=True)]
    return total


@dataclass(frozen=True, slots=True)
class RationalVector:
    """The vector `integers / denominator`, denominator > 0."""

    integers: list[int]
    denominator: int


def rational_vector(values: Sequence[Fraction]) -> RationalVector:
    """A vector of fractions over their least common denominator."""
    denominator = lcm(*(value.denominator for value in values)) if values else 1
    return RationalVector([v.numerator * (denominator // v.denominator) for v in values], denominator)


def float_vector(values: Float64) -> RationalVector:
    """A float vector as integers over a power of two."""
    whole = scaled(values)
    return RationalVector(whole.integers, 1 << whole.shift)
