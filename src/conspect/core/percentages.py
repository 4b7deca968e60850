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


def level(share: float, unit: str = " %") -> str:
    """A share that was asked for, such as a coverage, with the digits that it has: 0.9 is "90 %", 0.975 is "97.5 %"."""
    return f"{round(100 * share, 10):.12g}{unit}"


def percent_range(low: float, high: float, digits: int = 1, unit: str = " %") -> str:
    """An interval of shares: "93.1 to 95.0 %". Where it does not reach 1 or 0 its ends are not printed as 100 or 0."""
    step = 10**-digits
    ends = [100 * low, 100 * high]
    if low < 1 and round(ends[0], digits) == 100:
        ends[0] = 100 - step
    if high > 0 and round(ends[1], digits) == 0:
        ends[1] = step
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}{unit}"


def rounded_share(share: float, digits: int = 4) -> float:
    """A share (0..1) with few digits for a record. What is less than 1 stays less, and what is more than 0 more."""
    step, value = 10**-digits, round(float(share), digits)
    return min(max(value, step if share > 0 else 0.0), 1 - step if share < 1 else 1.0)
