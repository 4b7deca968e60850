"""Verdicts about shares of images, by exact binomial tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy import stats

from conspect.core.chances import p_value_words
from conspect.core.verdicts import HOLDS, VIOLATED, Outcome, Verdict, unknown
from conspect.statistics.testing import holm
from conspect.verification.images.binomial import tail_at_most


def share_verdicts(
    counts: Sequence[tuple[int, int]], shares: Sequence[Fraction], confidence: float
) -> list[tuple[Verdict, float]]:
    """Verdicts on "at least this share", with the adjusted p-value that decided, for `counts` (successes, trials).

    "holds" rejects that the true share is below p, "violated" that it is at least p; each family is corrected by Holm
    (1979) on its own. Of the two errors only one is possible for each property, so the probability that the file has
    any wrong verdict of a kind is at most 1 - confidence. Tails are compared with their limits exactly; the p-value
    that is returned is for reading.
    """
    if not counts:
        return []
    k = np.array([c[0] for c in counts])
    n = np.array([c[1] for c in counts])
    p = np.array([float(share) for share in shares])
    level = Fraction(1) - Fraction(str(confidence))
    tails = {True: stats.binom.sf(k - 1, n, p), False: stats.binom.cdf(k, n, p)}
    rejected = {
        upper: _rejected(np.asarray(tails[upper]), counts, shares, level, upper=upper) for upper in (True, False)
    }
    above, below = holm(tails[True]), holm(tails[False])
    verdicts: list[tuple[Verdict, float]] = []
    for index, (successes, trials) in enumerate(counts):
        if not trials:
            verdicts.append((unknown("there are no images"), 1.0))
        elif rejected[True][index]:
            verdicts.append((HOLDS, float(above[index])))
        elif rejected[False][index]:
            verdicts.append((VIOLATED, float(below[index])))
        elif rejected[True][index] is None or rejected[False][index] is None:
            verdicts.append((unknown("the share is so close to its limit that deciding it takes too much work"), 1.0))
        else:
            why = f"{successes} of {trials} images do not decide it at confidence {confidence:g}"
            verdicts.append((unknown(why), 1.0))
    return verdicts


def p_value_of_share(outcome: Outcome, share: Fraction, p_value: float) -> str:
    """How the p-value of a decided share is written. It is exactly 0 only where one image refutes "all"."""
    if share == 1 and outcome == "violated":
        return "one image that fails refutes a share of 100 %, with no chance of error (p is exactly 0)"
    return f"Holm-corrected {p_value_words(p_value, 3)}"


def _rejected(
    tails: np.ndarray, counts: Sequence[tuple[int, int]], shares: Sequence[Fraction], level: Fraction, *, upper: bool
) -> list[bool | None]:
    """Holm's steps: from the smallest tail on, the j-th (from 0) of m is compared with level / (m - j)."""
    order = np.argsort(tails, kind="stable").tolist()
    verdicts: list[bool | None] = [False] * len(counts)
    for step, index in enumerate(order):
        successes, trials = counts[index]
        if not trials:
            continue
        limit = level / (len(counts) - step)
        verdicts[index] = tail_at_most(successes, trials, shares[index], limit, upper=upper)
        if not verdicts[index]:
            break  # once one is not rejected, none of the larger ones is
    return verdicts
