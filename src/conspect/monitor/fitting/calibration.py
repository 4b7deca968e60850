"""Thresholds on a second split: a wanted false-alarm rate, and a bound on the share of errors among accepted inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from conspect.core.diagnostics import user_error
from conspect.monitor.detectors.paper import SHRINKAGE, StoredHeatmaps
from conspect.monitor.fitting.fusion import FittedDetector, ModelOutputs
from conspect.monitor.fitting.second_look import FittedSecondLook
from conspect.monitor.runtime import ACCEPT, SUSPECT, Monitor, Thresholds
from conspect.monitor.runtime.guarantee import Guarantee, TargetRates
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.second_look import Looks
from conspect.monitor.runtime.stream import stream_reference
from conspect.statistics.detection import Score
from conspect.statistics.intervals import clopper_pearson
from conspect.statistics.risk_control import accepted_error_threshold, false_alarm_threshold, selective_risk

# Candidate thresholds for acceptance: so many quantiles of the cross-fitted suspicion.
CANDIDATES, MOST_TIMES = 200, 1000.0


def thresholds(
    fitted: tuple[Score, NDArray[np.bool_]], calibration: tuple[Score, NDArray[np.bool_]], wanted: TargetRates
) -> tuple[Thresholds, Guarantee]:
    """From (score, wrong) of the fit split, cross-fitted, and of the calibration split.

    The fit split only proposes thresholds; all guarantees rest on the calibration split. Any detector's scores will do,
    a formula's margin too. Raises UserError MONITOR003 when the calibration split is too small for the false-alarm rate.
    """
    guess, checked = ((part[0].suspicion, np.asarray(part[1], dtype=np.bool_)) for part in (fitted, calibration))
    suspect = false_alarm_threshold(checked[0][~checked[1]], wanted.false_alarms, confidence=wanted.confidence)
    if not np.isfinite(suspect):
        least = int(np.ceil(np.log(1 - wanted.confidence) / np.log(1 - wanted.false_alarms)))
        problem = f"{int((~checked[1]).sum())} right outputs cannot certify a false-alarm rate of {wanted.false_alarms}"
        raise user_error("MONITOR003", problem, f"calibrate on at least {least}, or allow more false alarms")
    candidates = np.quantile(guess[0], np.linspace(0, 1, CANDIDATES + 1))
    certified = selective_risk(candidates, guess, checked, share=wanted.accepted_errors, confidence=wanted.confidence)
    limit = suspect
    if wanted.errors_of_all is not None:
        limit = min(limit, accepted_error_threshold(*checked, wanted.errors_of_all))
    # All certified thresholds hold at once, so the choice among them may depend on the calibration split.
    accept = certified.at_most(limit)
    accepts = bool(np.isfinite(accept))
    needed = None if accepts else inputs_needed(candidates, checked, wanted)
    guarantee = Guarantee(wanted, len(checked[1]), int(checked[1].sum()), accepts, needed)
    return Thresholds(accept, suspect), guarantee


def inputs_needed(
    candidates: NDArray[np.float64], checked: tuple[NDArray[np.float64], NDArray[np.bool_]], wanted: TargetRates
) -> int | None:
    """About how many calibration inputs would certify one of the thresholds, each error and right output so many times over.

    By the bound of Clopper and Pearson for a single threshold; None where the best one's share of errors is too large.
    """
    suspicion, wrong = checked
    accepted = (suspicion[:, None] <= candidates).sum(0)
    errors = ((suspicion[:, None] <= candidates) & wrong[:, None]).sum(0)
    for factor in np.geomspace(1, MOST_TIMES, 80):
        n, k = accepted * factor, errors * factor
        bound = special.betaincinv(k + 1, np.maximum(n - k, 1e-9), wanted.confidence)
        if (bound[accepted > 0] <= wanted.accepted_errors).any():
            return int(np.ceil(len(wrong) * factor / 10) * 10)
    return None


def calibrate(
    fitted: FittedDetector,
    fit_split: tuple[ModelOutputs, NDArray[np.integer]],
    calibration_split: tuple[ModelOutputs, NDArray[np.integer]],
    *,
    class_names: tuple[str, ...],
    concept_names: tuple[str, ...],
    wanted: TargetRates | None = None,
    second_look: tuple[FittedSecondLook, Looks] | None = None,
    identity: Identity | None = None,
    silent: tuple[str, ...] = (),
    own: tuple[tuple[str, ...], ...] = (),
) -> tuple[Monitor, Guarantee]:
    """The monitor with its thresholds and reasons, from (inputs, true labels) of both splits.

    `second_look`: that tier and the looks at the calibration split; its thresholds keep the same rates. `identity`: the
    model and lens that the monitor belongs to. `silent`: concepts that are given as no reason. `own [class]`: concepts
    that images of the class show, one of which is the weaker in each reason; empty where nobody knows.
    """
    wanted = wanted or TargetRates()
    detector = fitted.detector
    inputs, labels = fit_split
    wrong = inputs.outputs != labels
    held, held_labels = calibration_split
    suspicion, outputs = detector.suspicion(held.embeddings, held.logits)
    held_score = Score(suspicion.astype(np.float64), "suspect")
    limits, guarantee = thresholds(
        (fitted.cross_fitted, wrong), (held_score, np.asarray(outputs != held_labels)), wanted
    )
    tier, tier_limits = None, None
    if second_look is not None:
        tier = second_look[0].second_look
        looks, _ = tier.suspicion(second_look[1], suspicion, detector.folded)
        tier_limits, _ = thresholds(
            (second_look[0].of_fit_split, wrong),
            (Score(looks.astype(np.float64), "suspect"), np.asarray(outputs != held_labels)),
            wanted,
        )
    numerators = detector.folded.readings(inputs.embeddings)[: detector.folded.concepts].T
    right_shares, wrong_shares = _shrunken(
        StoredHeatmaps.count(numerators, inputs.outputs, wrong, detector.folded.classes)
    )
    reference = stream_reference(detector, held.embeddings, held.logits)
    arrays = right_shares, wrong_shares, reference
    monitor = Monitor(detector, limits, class_names, concept_names, *arrays, tier, tier_limits, identity, silent, own)
    return monitor, guarantee


@dataclass(frozen=True, slots=True)
class ObservedRates:
    """What a third split shows: shares of verdicts with their 95 % Clopper-Pearson intervals (value, low, high)."""

    accepted: tuple[float, float, float]
    suspect: tuple[float, float, float]
    false_alarms: tuple[float, float, float]
    errors_among_accepted: tuple[float, float, float]
    failures_flagged: tuple[float, float, float]


def report(verdicts: NDArray[np.integer], wrong: NDArray[np.bool_]) -> ObservedRates:
    """Verdict shares on a split that was neither fitted nor calibrated on."""
    accepted, suspect = verdicts == ACCEPT, verdicts == SUSPECT
    return ObservedRates(
        accepted=_share(accepted.sum(), len(wrong)),
        suspect=_share(suspect.sum(), len(wrong)),
        false_alarms=_share((suspect & ~wrong).sum(), (~wrong).sum()),
        errors_among_accepted=_share((accepted & wrong).sum(), accepted.sum()),
        failures_flagged=_share((suspect & wrong).sum(), wrong.sum()),
    )


def _share(hits: int, of: int) -> tuple[float, float, float]:
    low, high = clopper_pearson(hits, of)
    return (float(hits / of) if of else float("nan"), float(low), float(high))


def _shrunken(stored: StoredHeatmaps) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares of i > j among right and wrong outputs, drawn towards the class's overall share as in the paper's ratio."""
    images = (stored.correct_images + stored.incorrect_images)[:, None]
    overall = (stored.correct + stored.incorrect + 0.5) / (images + 1.0)
    halves = ((stored.correct, stored.correct_images), (stored.incorrect, stored.incorrect_images))
    right, wrong = ((counts + SHRINKAGE * overall) / (of[:, None] + SHRINKAGE) for counts, of in halves)
    return right.astype(np.float32), wrong.astype(np.float32)
