"""How a p-value is written: never as 0, which says that something cannot happen."""

from __future__ import annotations

# Floats below have lost digits, or all of them: what stands here as 0 was positive before it was rounded.
SMALLEST = 1e-300


def p_value_words(p: float, digits: int = 2, name: str = "p") -> str:
    """`p = 0.031`, or `p < 1e-300` where the float says no more; `digits` significant ones."""
    return f"{name} < {SMALLEST:.0e}" if p < SMALLEST else f"{name} = {p:.{digits}g}"


def p_value_cell(p: float, digits: int = 2) -> str:
    """The same for a column that says by itself what it holds: `0.031` or `< 1e-300`."""
    return f"< {SMALLEST:.0e}" if p < SMALLEST else f"{p:.{digits}g}"
