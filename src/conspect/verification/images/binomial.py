"""Binomial tails in integers: P(X >= k) and P(X <= k) for X of n trials with a rational probability, compared exactly."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from scipy import stats

# Bits of arithmetic that one comparison may cost; about a second.
WORK = 3 * 10**9
# A float tail further than this (relatively) from the limit settles the comparison; scipy's are good to about 1e-12.
CLEAR = 1e-6


def tail_at_most(successes: int, trials: int, share: Fraction, limit: Fraction, *, upper: bool) -> bool | None:
    """Whether P(X >= successes) (upper) or P(X <= successes) is at most a limit. None: exact work beyond `WORK`."""
    approximate = float(
        stats.binom.sf(successes - 1, trials, float(share))
        if upper
        else stats.binom.cdf(successes, trials, float(share))
    )
    if abs(approximate - float(limit)) > CLEAR * max(float(limit), approximate):
        return approximate <= float(limit)
    low, high = (successes, trials) if upper else (0, successes)
    if high - low + 1 > (trials + 1) / 2:  # the other tail is shorter: P(X in tail) <= limit iff P(rest) >= 1 - limit
        rest = (0, successes - 1) if upper else (successes + 1, trials)
        total = _sum(*rest, trials, share)
        return None if total is None else total >= 1 - limit
    total = _sum(low, high, trials, share)
    return None if total is None else total <= limit


def _sum(low: int, high: int, trials: int, share: Fraction) -> Fraction | None:
    """Sum of n!/(i! (n-i)!) a^i (b-a)^(n-i) / b^n for low <= i <= high, each term from the one before."""
    if low > high:
        return Fraction(0)
    a, b = share.numerator, share.denominator
    if (high - low + 1) * trials * (b.bit_length() + 1) > WORK:
        return None
    if a == b:
        return Fraction(int(low <= trials <= high))
    term = comb(trials, low) * a**low * (b - a) ** (trials - low)
    total = term
    for i in range(low, high):
        term = term * ((trials - i) * a) // ((i + 1) * (b - a))
        total += term
    return Fraction(total, b**trials)
