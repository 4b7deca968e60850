"""Hypothesis tests on counts and corrections for testing many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.stats import binom


def fisher_two_sided(
    successes_1: ArrayLike, trials_1: ArrayLike, successes_2: ArrayLike, trials_2: ArrayLike
) -> NDArray[np.float64]:
    """p-value that two shares are equal: twice the smaller exact tail of the hypergeometric law, at most 1.

    Vectorised; 1 where either sample is empty. Its work grows with the square root of the trials: from the observed count
    outwards the terms of the tail only fall. Source: Fisher (1935), with the doubling rule for the second side.
    """
    k1, n1, k2, n2 = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.int64) for a in (successes_1, trials_1, successes_2, trials_2))
    )
    swapped = k1.astype(np.float64) * n2 > k2.astype(np.float64) * n1
    k, n = np.where(swapped, k2, k1), np.where(swapped, n2, n1)  # the sample with the smaller share: its lower tail
    hits, misses = k1 + k2, n1 + n2 - k1 - k2
    first = np.exp(_log_choose(hits, k) + _log_choose(misses, n - k) - _log_choose(hits + misses, n))
    # The other tail is never the smaller one by so much that it counts: k is not above the mean, and so not above the median,
    # which lies within 1 of it (Siegel 2001); P(X >= k) is one half at least.
    return np.asarray(np.minimum(1.0, 2 * _tail_below(first, k, n, hits, misses)))


def _tail_below(
    first: NDArray[np.float64],
    k: NDArray[np.int64],
    n: NDArray[np.int64],
    hits: NDArray[np.int64],
    misses: NDArray[np.int64],
) -> NDArray[np.float64]:
    """P(X <= k) of n draws out of hits + misses, for k not above the mean; `first` = P(X = k)."""
    term, total, count = first.copy(), first.copy(), k.astype(np.float64)
    while np.any(term > np.finfo(np.float64).eps / 16 * total):
        term *= np.maximum(count * (misses - n + count), 0.0) / ((hits - count + 1) * (n - count + 1))
        total += term
        count -= 1
    return total


def _log_choose(whole: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(special.gammaln(whole + 1.0) - special.gammaln(part + 1.0) - special.gammaln(whole - part + 1.0))


def sign_test(more: int, less: int) -> float:
    """P(at least `more` heads in `more + less` throws of a fair coin): small where `more` is more than chance. 0..1."""
    return float(binom.sf(more - 1, more + less, 0.5))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for the family-wise error rate over all entries, any shape. Source: Holm (1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")
    scaled = flat[order] * np.arange(flat.size, 0, -1)
    adjusted = np.empty_like(flat)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted.reshape(p.shape)
