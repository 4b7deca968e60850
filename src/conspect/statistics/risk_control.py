"""Thresholds with finite-sample guarantees: false alarms by order statistics, errors among accepted by risk control.

A sample is flagged when its suspicion exceeds a threshold and accepted when it does not. All guarantees assume that
calibration samples and new ones are exchangeable (for the two with a confidence: independent, from one distribution).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from conspect.core.diagnostics import user_error

Float64 = NDArray[np.float64]


def false_alarm_threshold(normal: Float64, rate: float, *, confidence: float | None = None) -> float:
    """The threshold that a new normal sample exceeds with probability at most `rate`; infinite with too few samples.

    `normal [sample]`: suspicion of normal calibration samples. Without `confidence` the probability is over calibration
    set and new sample together: the ceil((n + 1)(1 - rate))-th smallest (Vovk et al. 2005). With it, the false-alarm
    rate of this very threshold is at most `rate` with that confidence over calibration sets: the smallest order
    statistic k with P(Beta(n - k + 1, k) <= rate) >= confidence (Wilks 1941).
    """
    check_share(rate, "the false-alarm rate")
    ordered = np.sort(np.asarray(normal, dtype=np.float64))
    size = len(ordered)
    if confidence is None:
        rank = math.ceil((size + 1) * (1 - rate) - 1e-9)
    else:
        check_share(confidence, "the confidence")
        ranks = np.arange(1, size + 1)
        enough = special.betainc(size - ranks + 1, ranks, rate) >= confidence
        rank = int(ranks[enough][0]) if enough.any() else size + 1
    return float(ordered[rank - 1]) if rank <= size else math.inf


def accepted_error_threshold(suspicion: Float64, wrong: NDArray[np.bool_], share: float) -> float:
    """The largest threshold at which an input is accepted *and* wrong with probability at most `share` of all inputs.

    Conformal risk control (Angelopoulos et al. 2022, theorem 1) with the loss 1{accepted and wrong}, which only grows
    with the threshold: in expectation over calibration set and new sample. Minus infinity with too few samples.
    """
    check_share(share, "the share of accepted errors")
    allowed = math.floor(share * (len(suspicion) + 1) - 1 + 1e-9)
    if allowed < 0:
        return -math.inf
    errors = np.sort(suspicion[wrong])
    return math.inf if allowed >= len(errors) else float(np.nextafter(errors[allowed], -np.inf))


@dataclass(frozen=True, eq=False)
class SelectiveRisk:
    """Thresholds at which the share of errors among accepted inputs is at most `share`, all at once with `confidence`."""

    thresholds: Float64
    share: float
    confidence: float

    def at_most(self, limit: float) -> float:
        """The largest certified threshold that does not exceed `limit`; minus infinity when there is none."""
        return float(self.thresholds[self.thresholds <= limit].max(initial=-np.inf))


def selective_risk(
    candidates: Float64,
    guess: tuple[Float64, NDArray[np.bool_]],
    calibration: tuple[Float64, NDArray[np.bool_]],
    *,
    share: float,
    confidence: float = 0.95,
) -> SelectiveRisk:
    """Certifies thresholds by Learn-then-Test: P(wrong | accepted) <= `share` for every returned one, with `confidence`.

    Each candidate is a hypothesis, tested on the calibration samples by the exact binomial tail of the errors among the
    accepted. `guess` (suspicion, wrong) comes from other samples than `calibration` and orders the tests, most promising
    first; testing stops at the first that fails, which keeps the family-wise error below 1 - confidence. Candidates must
    not depend on the calibration samples. Source: Angelopoulos et al. (2021), fixed-sequence testing.
    """
    check_share(share, "the share of errors among accepted inputs")
    check_share(confidence, "the confidence")
    distinct = np.unique(candidates)
    promise = _tail(distinct, *guess, share)
    order = np.lexsort((-distinct, promise))
    certified = []
    for index, p_value in zip(order, _tail(distinct, *calibration, share)[order], strict=True):
        if p_value > 1 - confidence:
            break
        certified.append(distinct[index])
    return SelectiveRisk(np.sort(np.asarray(certified, dtype=np.float64)), share, confidence)


def check_share(value: float, what: str) -> None:
    """Raises UserError MONITOR005 unless 0 < value < 1."""
    if not 0 < value < 1:
        raise user_error("MONITOR005", f"{what} is {value}", "give a share between 0 and 1, for example 0.05")


def _tail(thresholds: Float64, suspicion: Float64, wrong: NDArray[np.bool_], share: float) -> Float64:
    """P(Binomial(accepted, share) <= errors among accepted) at each threshold: small when the risk is below `share`."""
    accepted = np.searchsorted(np.sort(suspicion), thresholds, side="right")
    errors = np.searchsorted(np.sort(suspicion[wrong]), thresholds, side="right")
    return np.asarray(stats.binom.cdf(errors, accepted, share))
