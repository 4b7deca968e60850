"""Centres of neighbourhoods as integers over a power of two, and exact values of rows at them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.verification.neighbourhoods.rows import IntegerRow

# Entries have at most so many bits, so that sums of several with small multipliers fit into 64.
ENTRY_BITS = 44
WORD = 1 << 62


@dataclass(frozen=True, eq=False)
class Centres:
    """Readouts of images, `integers [image, V]` int64 over 2**`shift`: they *are* the centres of the neighbourhoods.

    Each is within one unit of the readouts that the embedding has exactly.
    """

    integers: NDArray[np.int64]
    shift: int

    @classmethod
    def of(cls, readouts: Float64) -> Centres:
        """The centres nearest to `readouts [image, V]`, which are finite."""
        largest = float(np.abs(readouts).max(initial=0.0))
        shift = max(0, ENTRY_BITS - math.frexp(max(largest, 2.0**-16))[1])
        return cls(np.rint(np.ldexp(readouts, shift)).astype(np.int64), shift)

    def __len__(self) -> int:
        return len(self.integers)

    @property
    def floats(self) -> Float64:
        """The same, `[image, V]` float64: exact, because entries have fewer than 53 bits."""
        return np.asarray(np.ldexp(self.integers.astype(np.float64), -self.shift))

    def taken(self, images: NDArray[np.integer]) -> Centres:
        """Those of some images."""
        return Centres(self.integers[images], self.shift)

    def at_most(self, row: IntegerRow, images: NDArray[np.integer], limit: int) -> NDArray[np.bool_]:
        """Where 2**shift times the row's value at the centre is at most `limit`, exactly, `[image]`."""
        places = [place for place, _ in row.coefficients]
        factors = [factor for _, factor in row.coefficients]
        limit -= row.constant << self.shift
        largest = sum(map(abs, factors)) << (ENTRY_BITS + 1)
        chosen = self.integers[np.asarray(images)][:, places]
        if largest < WORD:
            values = chosen @ np.asarray(factors, dtype=np.int64).reshape(-1)
            return np.asarray(values <= max(-WORD, min(WORD, limit)))
        return np.asarray([_dot(entry, factors) <= limit for entry in chosen.tolist()], dtype=bool)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))
