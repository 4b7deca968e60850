"""A study's monitor: fitted on images beside those reported on, thresholds with guarantees, kept in STUDY/monitor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conspect.adapters.store.places import Store
from conspect.core.diagnostics import OutsideError
from conspect.core.protocols import ProgressBar, VisionModel
from conspect.monitor.evaluation import Detectors, Training
from conspect.monitor.fitting.calibration import calibrate
from conspect.monitor.fitting.fusion import Readout
from conspect.monitor.fitting.second_look import FittedSecondLook
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.guarantee import Guarantee, TargetRates
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.looks import LOOKS
from conspect.monitor.runtime.second_look import Looks
from conspect.monitor.runtime.storage import read_guarantee
from conspect.statistics.threads import one_thread
from conspect.study.config import MonitorConfig
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.monitor.defects import DefectSource, attacks_to_learn_from
from conspect.study.monitor.sizes import sizes_of
from conspect.study.monitor.splits import Split, Splits, measure_splits
from conspect.study.recording.concepts import ConceptSample, Explainer, believed, graded

MONITOR_FOLDER = "monitor"
# The baselines that need training images take so many at most, drawn at random.
TRAINING_IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class FittedMonitor:
    """The monitor, what was certified of it, and what it is compared with.

    `taught`: attacked images that it was taught to flag, or why there are none.
    """

    monitor: Monitor
    guarantee: Guarantee
    detectors: Detectors
    splits: Splits
    place: DefectSource
    taught: Split | str


def fit_monitor(
    config: MonitorConfig,
    inputs: StudyInputs,
    measured: Measurements,
    folder: Path,
    *,
    store: Store,
    seed: int,
    wanted: TargetRates,
    bar: ProgressBar,
) -> FittedMonitor:
    """Fits all detectors on the first split, sets thresholds on the second and writes `folder`/monitor.

    Raises UserError MONITOR002 or MONITOR003 when the splits are too small or hold too few wrong outputs.
    """
    sizes = sizes_of(config, len(inputs.test))
    splits = measure_splits(sizes, inputs, measured, store, seed=seed, bar=bar)
    place = DefectSource(sizes, inputs, measured, folder, store, bar)
    taught = attacks_to_learn_from(place, splits.fit)
    also = None if isinstance(taught, str) else (taught.inputs, taught.looked)
    head = inputs.model.head
    training = measured.train.sample(TRAINING_IMAGES, seed)
    advance = bar("monitor", 2)
    with one_thread():
        detectors = Detectors.fit(
            Readout.of(measured.lens, measured.class_directions),
            Training(
                measured.train.model_embeddings(training),
                measured.train.labels[training],
                head.layers[0] if head.is_linear else None,
            ),
            splits.fit.inputs,
            splits.fit.labels,
            witnessed=splits.fit.witnessed,
            looked=splits.fit.looked,
            also_suspect=also,
            further=LOOKS,
        )
        advance(1)
        silent, own = _silent_and_own(inputs, measured)
        monitor, guarantee = calibrate(
            detectors.fused,
            (splits.fit.inputs, splits.fit.labels),
            (splits.calibration.inputs, splits.calibration.labels),
            class_names=inputs.model.class_names,
            concept_names=measured.lens.concept_names,
            wanted=wanted,
            second_look=_with_looks(detectors, splits.calibration),
            identity=_identity(inputs.model, splits.fit, measured),
            silent=silent,
            own=own,
        )
    monitor.save(folder / MONITOR_FOLDER, guarantee=guarantee)
    advance(1)
    return FittedMonitor(monitor, guarantee, detectors, splits, place, taught)


def _silent_and_own(inputs: StudyInputs, measured: Measurements) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Concepts that take no part in explanations, and so are no reason of a verdict either; and those that each class shows."""
    sample = ConceptSample.of(measured)
    grades = graded(inputs, measured, sample)
    names, speaks = inputs.concepts.names, believed(grades)
    silent = tuple(names[place] for place in np.flatnonzero(~speaks))
    shows = Explainer.of(inputs, sample, grades).vocabulary.shows
    return silent, tuple(tuple(names[place] for place in np.flatnonzero(row)) for row in shows)


def _with_looks(detectors: Detectors, calibration: Split) -> tuple[FittedSecondLook, Looks] | None:
    if detectors.second_look is None or calibration.looked is None:
        return None
    return detectors.second_look, calibration.looked


def _identity(model: VisionModel, split: Split, measured: Measurements) -> Identity:
    return Identity.of(model, model.prepare(split.dataset.image(0)), measured.lens.digest)


def rates_of(folder: Path) -> TargetRates | None:
    """The rates that the monitor in `folder` was fitted for; None when none can be read there."""
    try:
        guarantee = read_guarantee(folder)
    except OutsideError:
        return None
    return None if guarantee is None else guarantee.wanted
