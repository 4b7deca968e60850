"""A difference of shares in percentage points, with as many digits as tell it from what it is compared with."""

from __future__ import annotations

# Differences of shares below this are rounding of floating point (0.83 - 0.81 > 0.02), not of images.
ROUNDING = 1e-12
FEWEST_DIGITS, MOST_DIGITS = 2, 10


def points(difference: float, beside: float | None = None) -> str:
    """`0.40 points` of a difference of shares in [-1, 1]; one that is not `beside` never looks the same as it."""
    digits = FEWEST_DIGITS
    if beside is not None and abs(difference - beside) > ROUNDING:
        while digits < MOST_DIGITS and _written(difference, digits) == _written(beside, digits):
            digits += 1
    return f"{_written(difference, digits)} points"


def _written(difference: float, digits: int) -> str:
    return f"{round(100 * difference, digits) + 0.0:.{digits}f}"  # + 0.0: nothing is not written as -0.00
