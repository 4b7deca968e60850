"""Hypothesis tests on counts and corrections for testing many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def fisher_two_sided(
    successes_1: ArrayLike, trials_1: ArrayLike, successes_2: ArrayLike, trials_2: ArrayLike
) -> NDArray[np.float64]:
    """p-value that two shares are equal: twice the smaller exact tail of the hypergeometric law, at most 1.

    Vectorised; 1 where either sample is empty. Source: Fisher (1935), with the doubling rule for the second side.
    """
    k1, n1, k2, n2 = (np.asarray(a, dtype=np.int64) for a in (successes_1, trials_1, successes_2, trials_2))
    total, hits = n1 + n2, k1 + k2
    lower = stats.hypergeom.cdf(k1, total, hits, n1)
    upper = stats.hypergeom.sf(k1 - 1, total, hits, n1)
    p = np.minimum(1.0, 2 * np.minimum(lower, upper))
    return np.where((n1 > 0) & (n2 > 0), p, 1.0)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for the family-wise error rate over all entries, any shape. Source: Holm (1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")
    scaled = flat[order] * np.arange(flat.size, 0, -1)
    adjusted = np.empty_like(flat)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted.reshape(p.shape)
