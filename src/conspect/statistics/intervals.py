"""Confidence intervals for shares and for differences of shares, vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def normal_quantile(confidence: float) -> float:
    """z of a two-sided interval: the standard normal's share between -z and z is `confidence`, 0 < confidence < 1."""
    # By the lower tail, which keeps its digits: close to 1 the share below z is rounded to 1, whose quantile is infinite.
    return -float(special.ndtri((1 - confidence) / 2))


def wilson(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a share; (0, 1) where there are no trials.

    Arrays broadcast; shares in 0..1. Source: Wilson (1927), JASA 22, eq. for the score interval.
    """
    k, n = _checked(successes, trials)
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    # At the ends the exact bound is 0 or 1; rounding must not exclude it.
    low = np.where(k == 0, 0.0, low)
    high = np.where(k == n, 1.0, high)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Exact (conservative) interval of a share; (0, 1) where there are no trials.

    Source: Clopper and Pearson (1934), Biometrika 26, through quantiles of the beta distribution.
    """
    k, n = _checked(successes, trials)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, tail), 0.0)
        high = np.where(k < n, special.betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail), 1.0)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def newcombe(
    successes_1: ArrayLike, trials_1: ArrayLike, successes_2: ArrayLike, trials_2: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Interval of share 1 minus share 2 of two independent samples; (-1, 1) where either is empty.

    Source: Newcombe (1998), Statistics in Medicine 17, method 10 (Wilson limits combined by squares).
    """
    k1, n1 = _checked(successes_1, trials_1)
    k2, n2 = _checked(successes_2, trials_2)
    low1, high1 = wilson(k1, n1, confidence)
    low2, high2 = wilson(k2, n2, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = k1 / n1, k2 / n2
        low = p1 - p2 - np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
        high = p1 - p2 + np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    known = (n1 > 0) & (n2 > 0)
    return np.where(known, low, -1.0), np.where(known, high, 1.0)


def auroc_interval(value: float, positives: int, negatives: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of an AUROC (0..1) measured on so many samples of each kind; (0, 1) where one kind is missing.

    The values t with |value - t| <= z * s(t), where s(t)^2 = t (1 - t) (1 + n (1 - t) / (2 - t) + n t / (1 + t)) / (positives *
    negatives) and n = (positives + negatives) / 2 - 1. Source: Newcombe (2006), Statistics in Medicine 25, method 5, with the
    variance of Hanley and McNeil (1982). Like Wilson's it has a width also at 0 and at 1.
    """
    if not positives or not negatives:
        return 0.0, 1.0
    z = normal_quantile(confidence)
    mean = (positives + negatives) / 2 - 1

    def beyond(t: float) -> float:
        variance = t * (1 - t) * (1 + mean * (1 - t) / (2 - t) + mean * t / (1 + t)) / (positives * negatives)
        return (value - t) ** 2 - z**2 * variance

    tiny = 1e-12  # at 0 and 1 the value itself is a root, and not the one that is wanted
    low = 0.0 if value <= 0 else float(optimize.brentq(beyond, 0.0, min(value, 1 - tiny)))
    high = 1.0 if value >= 1 else float(optimize.brentq(beyond, max(value, tiny), 1.0))
    return low, high


def _checked(successes: ArrayLike, trials: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("successes must lie between 0 and trials")
    return k, n
