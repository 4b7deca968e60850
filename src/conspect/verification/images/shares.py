"""Verdicts about shares of images, by exact binomial tests, and satisfaction rates with exact intervals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language import Readouts, holds
from conspect.language.syntax.tree import Formula
from conspect.statistics.testing import holm
from conspect.verification.queries.model import VerificationModel


def readings(subject: VerificationModel, split: str) -> Readouts:
    """A split as the reference semantics reads it."""
    embeddings = subject.splits[split].embeddings
    thresholds = np.array([subject.thresholds.get(name, np.nan) for name in subject.concept_names], dtype=np.float64)
    return Readouts(
        subject.class_names,
        subject.concept_names,
        subject.head.logits(embeddings),
        subject.lens.strengths(embeddings),
        thresholds,
    )


def satisfied(formula: Formula, reading: Readouts) -> NDArray[np.bool_]:
    """Where a formula is true `[image]`."""
    return np.asarray(holds(formula, reading))


def share_verdicts(
    counts: Sequence[tuple[int, int]], shares: Sequence[Fraction], confidence: float
) -> list[tuple[Verdict, float]]:
    """Verdicts on "at least this share", with the adjusted p-value that decided, for `counts` (successes, trials).

    "holds" rejects that the true share is below p, "violated" that it is at least p; each family is corrected by Holm
    (1979) on its own. Of the two errors only one is possible for each property, so the probability that the file has
    any wrong verdict of a kind is at most 1 - confidence.
    """
    if not counts:
        return []
    k = np.array([c[0] for c in counts])
    n = np.array([c[1] for c in counts])
    p = np.array([float(share) for share in shares])
    above = holm(stats.binom.sf(k - 1, n, p))
    below = holm(stats.binom.cdf(k, n, p))
    level = 1 - confidence
    found: list[tuple[Verdict, float]] = []
    for index, (successes, trials) in enumerate(counts):
        if trials and above[index] <= level:
            found.append((HOLDS, float(above[index])))
        elif trials and below[index] <= level:
            found.append((VIOLATED, float(below[index])))
        else:
            why = f"{successes} of {trials} images do not decide it at confidence {confidence:g}"
            found.append((unknown(why if trials else "there are no images"), 1.0))
    return found
