"""Two shares of the same images: McNemar's test and Tango's interval for their difference."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.stats import binom

from conspect.statistics.intervals import normal_quantile


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p-value that images are fixed as often as broken, 0..1; 1 without any.

    Source: McNemar (1947), Psychometrika 12, with the binomial law in the place of its approximation.
    """
    return float(mcnemar_each(np.asarray([fixed]), np.asarray([broken]))[0])


def mcnemar_each(fixed: NDArray[np.integer], broken: NDArray[np.integer]) -> NDArray[np.float64]:
    """`mcnemar` of many comparisons at once: counts `[comparison]` to p-values `[comparison]`."""
    return np.asarray(np.minimum(1.0, 2 * binom.cdf(np.minimum(fixed, broken), fixed + broken, 0.5)), dtype=np.float64)


def tango(fixed: int, broken: int, images: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of (fixed - broken) / images, the difference of two shares of the same images; (-1, 1) without images.

    Keeps its confidence also where few images differ, unlike the interval of Wald. Source: Tango (1998), Statistics in
    Medicine 17, 891-908.
    """
    if images == 0:
        return -1.0, 1.0
    z = normal_quantile(confidence)
    estimate = (fixed - broken) / images

    def beyond(difference: float, sign: int) -> float:
        return sign * score(fixed, broken, images, difference) - z

    # The score falls in the hypothesised difference, from above z at -1 to below -z at 1, but at the ends it has no value.
    edge = 1 - 1e-12
    low = optimize.brentq(beyond, -edge, estimate, args=(1,)) if beyond(-edge, 1) > 0 > beyond(estimate, 1) else -1.0
    high = optimize.brentq(beyond, estimate, edge, args=(-1,)) if beyond(edge, -1) > 0 > beyond(estimate, -1) else 1.0
    return float(low), float(high)


def score(fixed: int, broken: int, images: int, difference: float) -> float:
    """Tango's z for a hypothesised `difference`: what was seen minus it, over its deviation there.

    The deviation takes the share of broken images that is likeliest under the hypothesis, the root of a quadratic (eq. 7).
    """
    a = 2 * images
    b = -fixed - broken + (2 * images - fixed + broken) * difference
    c = -broken * difference * (1 - difference)
    root = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    likeliest = max(root, 0.0, -difference)  # neither share is below 0, whatever rounding says
    variance = images * (2 * likeliest + difference * (1 - difference))
    surprise = fixed - broken - images * difference
    if variance <= 0:
        return 0.0 if surprise == 0 else math.copysign(math.inf, surprise)
    return surprise / math.sqrt(variance)
