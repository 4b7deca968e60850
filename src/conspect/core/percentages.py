"""Shares as percentages that people read: what is nearly all is not called all, and what is nearly none not none."""

from __future__ import annotations


def percent(share: float | None, digits: int = 1, unit: str = " %") -> str:
    """A share (0..1) in words, a dash where there is none.

    0.9999 is "over 99.9 %", not "100.0 %"; 0.0001 is "under 0.1 %". Only 1 itself and more is 100, only 0 itself 0.
    """
    if share is None:
        return "–"
    text, step = f"{100 * share:.{digits}f}", 10**-digits
    if share < 1 and float(text) == 100:
        return f"over {100 - step:.{digits}f}{unit}"
    return f"under {step:.{digits}f}{unit}" if share > 0 and float(text) == 0 else f"{text}{unit}"


def narrow(share: float | None, digits: int = 1) -> str:
    """The same without a space, as terminals print it."""
    return percent(share, digits, "%")
