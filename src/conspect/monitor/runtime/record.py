"""What a monitor is made of, without what it does: what storage reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.monitor.runtime.decisions import Thresholds
from conspect.monitor.runtime.detector import Detector
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.parameters import Float32
from conspect.monitor.runtime.second_look import SecondLook


@dataclass(frozen=True, eq=False)
class MonitorRecord:
    """A detector with its thresholds and what it needs to give reasons and to watch for drift.

    `right_shares`, `wrong_shares` `[class, concept * concept]`: shrunken shares of i > j among right and wrong outputs.
    `reference [calibration image, concept + 1]`: strength numerators and, last, the suspicion. `second_look` and its
    thresholds: an optional tier for several looks at each image. `identity`: the model and lens that it belongs to; None
    where it was fitted on arrays alone. `silent`: names of concepts that are given as no reason, since they are not seen.
    `own [class]`: names of the concepts that images of the class show, of which a reason against that class names one as
    the weaker of its pair; empty where nobody knows.
    """

    detector: Detector
    thresholds: Thresholds
    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    right_shares: Float32
    wrong_shares: Float32
    reference: Float32
    second_look: SecondLook | None = None
    second_thresholds: Thresholds | None = None
    identity: Identity | None = None
    silent: tuple[str, ...] = ()
    own: tuple[tuple[str, ...], ...] = ()
