"""How far an integer row can rise within an ellipsoid, exactly: radius |F'g| in integers, rounded up."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

from conspect.core.spaces import Float64
from conspect.verification.engine.integers import products, scaled_rows
from conspect.verification.neighbourhoods.rows import IntegerRow


@dataclass(eq=False)
class Extents:
    """Extents of rows over one factor `F [V, V]`; the integers of F F' are computed once."""

    factor: Float64
    _gram: list[list[int]] = field(init=False)
    _shift: int = field(init=False)
    _squares: dict[tuple[tuple[int, int], ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, shift = scaled_rows(self.factor)
        self._gram = products(rows, rows)
        self._shift = 2 * shift

    def rise(self, row: IntegerRow, radius: Fraction, shift: int) -> int:
        """The smallest integer not below 2**`shift` radius |F'g|."""
        square = self._square(row.coefficients)
        above = square * radius.numerator**2 << (2 * shift)
        below = radius.denominator**2 << self._shift
        least = -(-above // below)  # its root, rounded up, is the same as that of the exact quotient
        root = isqrt(least)
        return root if root * root == least else root + 1

    def _square(self, coefficients: tuple[tuple[int, int], ...]) -> int:
        if coefficients not in self._squares:
            gram = self._gram
            self._squares[coefficients] = sum(a * b * gram[i][j] for i, a in coefficients for j, b in coefficients)
        return self._squares[coefficients]
