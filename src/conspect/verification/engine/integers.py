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

DIGIT = 16
# Beyond so many products of digits Python's own integers are as fast.
MOST_DIGITS = 1024


@dataclass(frozen=True, slots=True)
class ScaledVector:
    """The vector `integers / 2**shift`, shift >= 0."""

    integers: list[int]
    shift: int

    def at(self, shift: int) -> list[int]:
        """Integers of the same vector at a larger shift."""
        extra = shift - self.shift
        return self.integers if extra == 0 else [value << extra for value in self.integers]


def scaled(values: Float64) -> ScaledVector:
    """The exact integers of a float64 array of any shape, flattened in C order."""
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("exact arithmetic needs finite numbers")
    mantissa, exponent = np.frexp(flat)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    present = whole != 0
    if not present.any():
        return ScaledVector([0] * flat.size, 0)
    # The lowest bit that is set anywhere decides the shift, so short numbers stay short.
    lowest_bit = np.frexp((whole[present] & -whole[present]).astype(np.float64))[1] - 1
    shift = max(0, -int((exponent[present] - 53 + lowest_bit).min()))
    lifts = (exponent - 53 + shift).tolist()
    return ScaledVector([v << e if e >= 0 else v >> -e for v, e in zip(whole.tolist(), lifts, strict=True)], shift)


def scaled_rows(values: Float64) -> tuple[list[list[int]], int]:
    """Exact integers of a matrix, row by row, with one shift for all."""
    whole = scaled(values)
    width = values.shape[1]
    return [whole.integers[k : k + width] for k in range(0, len(whole.integers), width)], whole.shift


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    """Exact inner product."""
    return sum(map(mul, left, right))


def products(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> list[list[int]]:
    """All inner products of rows of `left` with rows of `right`, exactly: `[left][right]`.

    Integers are cut into digits of 16 bits, and the products of digits are added up by matrix products in float64, which
    are exact below 2**53; longer sums than that are left to Python.
    """
    if not left or not right or not left[0]:
        return [[0] * len(right) for _ in left]
    first, second = _digits(left), _digits(right)
    if len(first) * len(second) > MOST_DIGITS or not _adds_up_in_floats(len(left[0]), min(len(first), len(second))):
        return [[dot(row, column) for column in right] for row in left]
    # Digits i and j multiply into place i + j, as by hand, with 2**16 for ten.
    total = [[0] * len(right) for _ in left]
    for place in range(len(first) + len(second) - 1):
        pairs = [(i, place - i) for i in range(len(first)) if 0 <= place - i < len(second)]
        part = sum(first[i] @ second[j].T for i, j in pairs)
        lift = DIGIT * place
        for row, more in zip(total, np.asarray(part).astype(np.int64).tolist(), strict=True):
            row[:] = [value + (extra << lift) for value, extra in zip(row, more, strict=True)]
    return total


def _adds_up_in_floats(terms: int, pairs: int) -> bool:
    """Whether float64 holds all that meets in one place exactly: so many pairs of digits, each a sum of `terms` products.

    A product of two digits lies below 2**32, and whole numbers are floats up to 2**53.
    """
    return terms * pairs <= 1 << 53 - 2 * DIGIT


def _digits(rows: Sequence[Sequence[int]]) -> list[Float64]:
    """Signed digits of 16 bits, lowest first, each as a float64 matrix."""
    count = max(1, -(-max(value.bit_length() for row in rows for value in row) // DIGIT))
    raw = b"".join(abs(value).to_bytes(2 * count, "little") for row in rows for value in row)
    signs = np.array([[-1.0 if value < 0 else 1.0 for value in row] for row in rows])
    digits = np.frombuffer(raw, dtype="<u2").reshape(len(rows), len(rows[0]), count)
    return [digits[:, :, k] * signs for k in range(count)]


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
