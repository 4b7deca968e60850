"""Bootstrap intervals of detection metrics, and of the difference between two scores on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from conspect.core.diagnostics import user_error
from conspect.statistics.detection import METRICS, Float64, MetricName, Score, ScoreTally, grouped

# Resamples tallied at once: bounds the memory at this many arrays of one number per sample.
BLOCK = 64


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ResampledMetrics:
    """Metrics of several scores on the samples and on resamples of them: `values[name][metric] [1 + resample]`.

    Entry 0 is the value on the samples themselves. Resample r is the same for every score, so differences are paired.
    """

    values: Mapping[str, Mapping[MetricName, Float64]]

    def estimate(self, name: str, metric: MetricName, confidence: float = 0.95) -> Estimate:
        """The metric of one score with its percentile interval."""
        return _percentiles(self.values[name][metric], confidence)

    def difference(self, first: str, second: str, metric: MetricName, confidence: float = 0.95) -> Estimate:
        """Metric of the first minus that of the second score, paired, with its percentile interval."""
        return _percentiles(self.values[first][metric] - self.values[second][metric], confidence)


def resample(
    scores: Mapping[str, Score], suspect: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> ResampledMetrics:
    """Draws samples with replacement, `resamples` times, and computes all metrics of all scores on each draw.

    Samples are drawn regardless of kind, because AURC and AUGRC depend on the share of suspect ones; a draw that lacks
    a kind is drawn again. Same seed and number of samples: same draws. Source: Efron (1979), percentile interval.
    Raises UserError MONITOR002 when one kind of sample is missing, MONITOR001 when lengths differ.
    """
    if not scores or resamples < 1:
        raise user_error("MONITOR001", "no score to resample", "give at least one score and one resample")
    groups = {name: grouped(score, suspect) for name, score in scores.items()}
    positive = next(iter(groups.values()))[1]
    weights = _draws(positive, resamples, seed)
    values: dict[str, dict[MetricName, Float64]] = {}
    for name, (group, _, number) in groups.items():
        drawn: dict[MetricName, list[Float64]] = {metric: [] for metric in METRICS}
        for start in range(0, len(weights), BLOCK):
            counts = _tallies(weights[start : start + BLOCK], group, positive, number)
            for metric, function in METRICS.items():
                drawn[metric].append(function(counts))
        values[name] = {metric: np.concatenate(parts) for metric, parts in drawn.items()}
    return ResampledMetrics(values)


def _draws(positive: NDArray[np.bool_], resamples: int, seed: int) -> NDArray[np.uint16]:
    """How often each sample is in each draw, `[1 + resample, sample]`; row 0 is the samples themselves."""
    generator = np.random.default_rng(seed)
    number = len(positive)
    weights = np.ones((1 + resamples, number), dtype=np.uint16)
    for row in weights[1:]:
        while True:
            row[:] = np.bincount(generator.integers(number, size=number), minlength=number)
            if 0 < row[positive].sum() < number:
                break
    return weights


def _tallies(
    weights: NDArray[np.uint16], group: NDArray[np.int64], positive: NDArray[np.bool_], groups: int
) -> ScoreTally:
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    counted = weights[:, order].astype(np.float64)
    of_suspect = np.where(positive[order], counted, 0.0)
    suspect = np.add.reduceat(of_suspect, starts, axis=1)
    return ScoreTally(suspect, np.add.reduceat(counted - of_suspect, starts, axis=1))


def _percentiles(values: Float64, confidence: float) -> Estimate:
    low, high = np.quantile(values[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(values[0]), float(low), float(high))
