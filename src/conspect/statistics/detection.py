"""How well a score tells suspect samples from normal ones: AUROC, AUPR, FPR at 95 % TPR, AURC, e-AURC, AUGRC.

The suspect samples are the positives: for failure detection the inputs whose output is wrong. Ties are exact: what a
metric depends on is only how many samples of each kind share a score, so a tie counts as the mean over all orders of
the tied samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from conspect.core.diagnostics import user_error

Float64: TypeAlias = NDArray[np.float64]
Direction: TypeAlias = Literal["suspect", "normal"]
MetricName: TypeAlias = Literal["auroc", "aupr", "fpr95", "aurc", "eaurc", "augrc"]
TPR = 0.95


@dataclass(frozen=True, eq=False)
class Score:
    """One value per sample `values [sample]`, float64, and what a high value means. Two scores mix only by direction.

    Raises UserError MONITOR001 for a value that is not a number (infinities are allowed: they order well).
    """

    values: Float64
    higher_means: Direction

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1 or np.isnan(values).any():
            fix = "one number per sample; leave out the samples without a result"
            raise user_error("MONITOR001", f"a score of shape {values.shape} with NaN, or not one value a sample", fix)
        object.__setattr__(self, "values", values)

    @property
    def suspicion(self) -> Float64:
        """`[sample]`, higher = more suspect, whatever the direction of the score."""
        return self.values if self.higher_means == "suspect" else -self.values


@dataclass(frozen=True, eq=False)
class ScoreTally:
    """How many samples of each kind share a score, most suspect score first.

    `suspect`, `normal`: `[..., group]`, groups of equal scores along the last axis, float64 (whole numbers).
    """

    suspect: Float64
    normal: Float64

    @property
    def size(self) -> int:
        """Number of samples, the same for each leading index."""
        return round(float(np.sum(self.suspect[..., :] + self.normal, axis=-1).flat[0]))


Metric: TypeAlias = Callable[[ScoreTally], Float64]


def grouped(score: Score, suspect: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_], int]:
    """Group of each sample (0 = most suspect score), which samples are suspect, and the number of groups.

    Raises UserError MONITOR002 when one kind of sample is missing, MONITOR001 when the lengths differ.
    """
    positive = np.asarray(suspect)
    if positive.dtype != np.bool_ or positive.shape != score.values.shape:
        fix = "suspect is a boolean array with one entry per score"
        raise user_error("MONITOR001", f"{score.values.shape} scores for {positive.shape} {positive.dtype} marks", fix)
    hits = int(positive.sum())
    if hits in (0, len(positive)):
        missing = "suspect" if hits == 0 else "normal"
        fix = "detection is measured between two kinds of sample: give some of each"
        raise user_error("MONITOR002", f"none of the {len(positive)} samples is {missing}", fix)
    distinct, group = np.unique(-score.suspicion, return_inverse=True)
    return np.asarray(group, dtype=np.int64), positive, len(distinct)


def tally(score: Score, suspect: ArrayLike) -> ScoreTally:
    """Counts the samples of each kind that share a score. Raises as `grouped`."""
    group, positive, groups = grouped(score, suspect)
    counts = [np.bincount(group[kind], minlength=groups).astype(np.float64) for kind in (positive, ~positive)]
    return ScoreTally(counts[0], counts[1])


def auroc(counts: ScoreTally) -> Float64:
    """Probability that a suspect sample scores above a normal one, ties half; 0..1, higher = better, 0.5 = chance.

    Source: Mann and Whitney (1947), U over the product of the sample sizes.
    """
    below = _total(counts.normal) - np.cumsum(counts.normal, axis=-1)
    wins = np.sum(counts.suspect * (below + counts.normal / 2), axis=-1)
    return np.asarray(wins / (_total(counts.suspect) * _total(counts.normal))[..., 0])


def aupr(counts: ScoreTally) -> Float64:
    """Average precision with the suspect samples as positives; 0..1, higher = better, chance = their share.

    Sum over thresholds of (recall gained) x (precision there), no interpolation, as scikit-learn computes it.
    """
    hits, flagged = np.cumsum(counts.suspect, axis=-1), np.cumsum(counts.suspect + counts.normal, axis=-1)
    precision = hits / np.maximum(flagged, 1.0)
    return np.asarray(np.sum(counts.suspect * precision, axis=-1) / hits[..., -1])


def fpr95(counts: ScoreTally) -> Float64:
    """Share of normal samples flagged when at least 95 % of the suspect ones are; 0..1, lower = better."""
    hits, false = np.cumsum(counts.suspect, axis=-1), np.cumsum(counts.normal, axis=-1)
    first = np.argmax(hits / hits[..., -1:] >= TPR, axis=-1)
    return np.asarray(np.take_along_axis(false, first[..., None], -1)[..., 0] / false[..., -1])


def aurc(counts: ScoreTally) -> Float64:
    """Mean over coverages k/n, k = 1..n, of the share of suspect among the k least suspect; 0..1, lower = better.

    Source: Geifman and El-Yaniv (NeurIPS 2017), Geifman et al. (ICLR 2019), AURC with 0/1 loss. Ties: expected value.
    """
    wrong, sizes = counts.suspect[..., ::-1], (counts.suspect + counts.normal)[..., ::-1]
    end = np.cumsum(sizes, axis=-1)
    start = end - sizes
    share = wrong / np.maximum(sizes, 1.0)
    offset = np.cumsum(wrong, axis=-1) - wrong - start * share
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, counts.size + 1))])
    # Within a group the expected number wrong among the first k is offset + share * k: divide by k and add up.
    summed = offset * (harmonic[end.astype(np.int64)] - harmonic[start.astype(np.int64)]) + share * sizes
    return np.asarray(summed.sum(axis=-1) / counts.size)


def eaurc(counts: ScoreTally) -> Float64:
    """AURC minus the AURC of the perfect order of the same samples; 0 = perfect, lower = better.

    Source: Geifman et al. (ICLR 2019); the perfect AURC is exact here, not their logarithmic approximation of it.
    """
    wrong = _total(counts.suspect)
    nothing = np.zeros_like(wrong)
    perfect = ScoreTally(np.concatenate([wrong, nothing], -1), np.concatenate([nothing, counts.size - wrong], -1))
    return np.asarray(aurc(counts) - aurc(perfect))


def augrc(counts: ScoreTally) -> Float64:
    """Area under the share of all samples that are accepted and suspect, over coverage; 0..0.5, lower = better.

    Source: Traub et al. (NeurIPS 2024), AUGRC with 0/1 loss: trapezoids between the distinct thresholds.
    """
    wrong, sizes = counts.suspect[..., ::-1], (counts.suspect + counts.normal)[..., ::-1]
    after = np.cumsum(wrong, axis=-1)
    return np.asarray(np.sum(sizes * (after - wrong / 2), axis=-1) / counts.size**2)


METRICS: dict[MetricName, Metric] = {
    "auroc": auroc,
    "aupr": aupr,
    "fpr95": fpr95,
    "aurc": aurc,
    "eaurc": eaurc,
    "augrc": augrc,
}
HIGHER_IS_BETTER: dict[MetricName, bool] = {
    "auroc": True,
    "aupr": True,
    "fpr95": False,
    "aurc": False,
    "eaurc": False,
    "augrc": False,
}


def measure(score: Score, suspect: ArrayLike) -> dict[MetricName, float]:
    """All six metrics. Raises UserError MONITOR002 when one kind of sample is missing."""
    counts = tally(score, suspect)
    return {name: float(metric(counts)) for name, metric in METRICS.items()}


def _total(counts: Float64) -> Float64:
    return np.asarray(counts.sum(axis=-1, keepdims=True))
