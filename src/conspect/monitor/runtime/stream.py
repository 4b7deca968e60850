"""What a monitor remembers of a stream, in constant space: alarm rate, windows per class, drift of the strengths.

Part of the run-time half: imports NumPy and nothing else outside Conspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.monitor.runtime.decisions import SUSPECT, Decisions
from conspect.monitor.runtime.detector import Detector

Float64: TypeAlias = NDArray[np.float64]
# Fractions of the largest allowed bet; the evidence is the mean over all, so no bet has to be chosen.
BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.4])
# A factor is below 1.8, so that so many of them times LARGEST stay below the largest float.
IMAGES_AT_ONCE, LARGEST = 64, 1e250


class DriftWatch:
    """Bets that the mean rank of a reading has left that of the calibration split; winnings are evidence of drift.

    Each reading of a new input is turned into its mid-rank U in 0..1 among `reference [calibration image, reading]`. If
    new inputs come from the calibration split's distribution, E[U] is within `slack` of 1/2 for all readings at once,
    with probability 1 - `doubt` over calibration splits: a mid-rank mean is sub-Gaussian with variance proxy 1/12, hence
    slack = sqrt(log(2 readings / doubt) / (6 images)). On that event each factor 1 + bet * (U - 1/2 - slack), and its
    mirror image, has mean 1 or less given the past. Two summaries of these factors:

    - `wealth`: mean of their products, a test supermartingale: with probability 1 - a it stays below 1/a for ever
      (Ville 1939).
    - `evidence`: mean of Shiryaev-Roberts sums R = (R + 1) * factor, an e-detector: the expected time until it first
      reaches 1/a without drift is at least 1/a inputs, however late drift begins (Shin, Ramdas, Rinaldo 2022).

    Assumes that inputs follow one another independently; a video is no such stream unless thinned.
    """

    def __init__(self, reference: NDArray[np.floating], *, doubt: float = 0.01) -> None:
        if reference.ndim != 2 or len(reference) < 1 or not np.isfinite(reference).all() or not 0 < doubt < 1:
            fix = "give finite readings [calibration image, reading] and a doubt between 0 and 1"
            raise user_error("MONITOR001", f"a drift reference of shape {reference.shape}, doubt {doubt}", fix)
        self.reference = np.sort(np.asarray(reference, dtype=np.float32), axis=0).T.copy()
        readings, images = self.reference.shape
        self.slack = float(np.sqrt(np.log(2 * readings / doubt) / (6 * images)))
        self.seen = 0
        self._products = np.ones((2, readings, len(BETS)))
        self._sums = np.zeros((2, readings, len(BETS)))
        # A bet of 1 / (1/2 + slack) could lose everything at once; nothing is bet when the slack leaves no room.
        self._bets = BETS / (0.5 + self.slack) if self.slack < 0.5 else np.zeros(len(BETS))

    def ranks(self, readings: NDArray[np.floating]) -> Float64:
        """Mid-ranks `[reading, image]` of `readings [reading, image]`, 0..1; a NaN ranks highest."""
        images = self.reference.shape[1]
        values = np.empty(readings.shape)
        for rank, column, new in zip(values, self.reference, np.asarray(readings, dtype=np.float32), strict=True):
            rank[:] = np.searchsorted(column, new, "left") + np.searchsorted(column, new, "right")
        return np.asarray(values / (2 * images))

    def update(self, readings: NDArray[np.floating]) -> float:
        """Takes in `readings [reading, image]`, in order of arrival; the most `evidence` there was after any of them."""
        above = self.ranks(readings).T - 0.5
        highest = 0.0
        for start in range(0, len(above), IMAGES_AT_ONCE):
            gaps = above[start : start + IMAGES_AT_ONCE]
            factors = 1 + np.stack([gaps - self.slack, -gaps - self.slack], axis=1)[..., None] * self._bets
            self._products = np.minimum(self._products * factors.prod(axis=0), LARGEST)
            for factor in factors:
                self._sums += 1
                self._sums *= factor
                np.minimum(self._sums, LARGEST, out=self._sums)
                highest = max(highest, self.evidence)
        self.seen += len(above)
        return highest

    @property
    def wealth(self) -> float:
        """Evidence of drift since the start: 1/wealth bounds the probability of a false alarm ever."""
        return float(self._products.mean())

    @property
    def evidence(self) -> float:
        """Evidence of drift since some time in the past: alarm at `t` gives at least `t` inputs between false alarms."""
        return float(self._sums.mean())

    def drifted(self, limit: int = 3) -> list[tuple[int, int]]:
        """Readings with the most evidence, as (reading, +1 for higher or -1 for lower than in calibration), most first."""
        by_side = self._sums.mean(axis=2)
        order = np.argsort(-by_side.max(axis=0), kind="stable")[:limit]
        return [(int(k), 1 if by_side[0, k] >= by_side[1, k] else -1) for k in order]


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot. Rates in 0..1, NaN before the first input; `window_*` `[class]` over the last inputs of each class."""

    seen: int
    alarms: int
    alarm_rate: float
    window_counts: tuple[int, ...]
    window_alarm_rates: tuple[float, ...]
    drift_evidence: float
    drift_wealth: float
    drift_alarm: bool
    drifted: tuple[tuple[str, str], ...]


class Stream:
    """State of one stream of decisions; its size does not depend on how many there were.

    `mean_time_to_false_alarm`: least expected number of inputs until drift is reported without any. Once reported, the
    alarm stays until `acknowledge`. Not safe for use from several threads at once: give each its own, or a lock.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        concept_names: tuple[str, ...],
        reference: NDArray[np.floating],
        *,
        mean_time_to_false_alarm: int = 1_000_000,
        window: int = 200,
        doubt: float = 0.01,
    ) -> None:
        if reference.ndim != 2 or reference.shape[1] != len(concept_names) + 1 or window < 1:
            fix = "the reference has one column for each concept and one for the suspicion; windows hold at least one"
            raise user_error("MONITOR001", f"a stream reference of shape {reference.shape}, window {window}", fix)
        self._names = (*concept_names, "suspicion")
        self._reference, self._doubt = reference, doubt
        self._limit = mean_time_to_false_alarm
        self.drift = DriftWatch(reference, doubt=doubt)
        self.drift_alarm = False
        self.seen = self.alarms = 0
        self._window = np.zeros((len(class_names), window), dtype=np.bool_)
        self._counts = np.zeros(len(class_names), dtype=np.int64)

    def update(self, decisions: Decisions, numerators: NDArray[np.floating]) -> None:
        """Takes in decisions and their strength numerators `[concept, image]`, in order of arrival."""
        flagged = decisions.verdicts == SUSPECT
        self.seen += len(flagged)
        self.alarms += int(flagged.sum())
        width = self._window.shape[1]
        for output, flag in zip(decisions.outputs.tolist(), flagged.tolist(), strict=True):
            self._window[output, self._counts[output] % width] = flag
            self._counts[output] += 1
        readings = np.vstack([numerators, decisions.suspicion])
        self.drift_alarm = self.drift.update(readings) >= self._limit or self.drift_alarm

    def acknowledge(self) -> None:
        """Clears the drift alarm and begins to watch anew, against the same calibration split."""
        self.drift = DriftWatch(self._reference, doubt=self._doubt)
        self.drift_alarm = False

    def status(self) -> Status:
        """What the stream looks like now."""
        width = self._window.shape[1]
        held = np.minimum(self._counts, width)
        with np.errstate(invalid="ignore"):
            rates = self._window.sum(1) / held
        return Status(
            seen=self.seen,
            alarms=self.alarms,
            alarm_rate=self.alarms / self.seen if self.seen else float("nan"),
            window_counts=tuple(held.tolist()),
            window_alarm_rates=tuple(rates.tolist()),
            drift_evidence=self.drift.evidence,
            drift_wealth=self.drift.wealth,
            drift_alarm=self.drift_alarm,
            drifted=tuple((self._names[k], "higher" if side > 0 else "lower") for k, side in self.drift.drifted()),
        )


def stream_reference(
    detector: Detector, embeddings: NDArray[np.floating], logits: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Readings `[image, concept + 1]` of the calibration split: strength numerators and, last, the suspicion."""
    numerators = detector.folded.readings(embeddings)[: detector.folded.concepts]
    suspicion, _ = detector.suspicion(embeddings, logits)
    return np.ascontiguousarray(np.vstack([numerators, suspicion]).T)
