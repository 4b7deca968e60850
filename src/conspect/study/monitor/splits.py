"""The three splits of a study's monitor: fit, calibration, report. No image is in two of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.views.subsets import Subset
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.places import Store
from conspect.core.protocols import ImageDataset, ProgressBar
from conspect.core.spaces import Floats
from conspect.core.vectors import unit
from conspect.monitor.detectors.vlm_tier import VlmEvidence
from conspect.monitor.fitting.fusion import ModelOutputs
from conspect.monitor.runtime.looks import LOOKS
from conspect.monitor.runtime.second_look import Looks
from conspect.study.inputs import StudyInputs, labels_in_model_order
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.split import StoredSplit
from conspect.study.monitor.looking import LookingEncoder
from conspect.study.monitor.sizes import MonitorSizes

# Without held-out images the study's own are split so; only the last part is reported on.
FIT_SHARE, CALIBRATION_SHARE = 0.4, 0.2
# Of a larger study a random sample of so many images is reported on.
REPORTED_IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class Split:
    """Images with what the model makes of them; `labels [image]` in the model's order.

    `witnessed`: what the VLM says of the first so many of them; None: it was not asked. `looked`: several looks at each.
    """

    dataset: ImageDataset
    inputs: ModelOutputs
    labels: NDArray[np.int64]
    witnessed: VlmEvidence | None = None
    looked: Looks | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Where the output is not the label `[image]`."""
        return np.asarray(self.inputs.outputs != self.labels)

    def take(self, rows: NDArray[np.integer]) -> Split:
        """The chosen rows; of the VLM's word only where it covers all of them."""
        witnessed = None
        if self.witnessed is not None and (len(rows) == 0 or rows.max() < len(self.witnessed.strengths)):
            witnessed = self.witnessed.take(rows)
        return Split(
            Subset(self.dataset, np.asarray(rows, dtype=np.int64)),
            self.inputs.take(rows),
            self.labels[rows],
            witnessed,
            None if self.looked is None else self.looked.take(rows),
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """`source`: "held-out" when fit and calibration are test images beside the study's, else "split"."""

    fit: Split
    calibration: Split
    report: Split
    source: str


def measure_splits(
    sizes: MonitorSizes,
    inputs: StudyInputs,
    measured: Measurements,
    store: Path | Store,
    *,
    seed: int,
    bar: ProgressBar,
) -> Splits:
    """The study's test images to report on, at most `REPORTED_IMAGES`; to learn from held-out ones, or a part of these.

    The VLM sees the report split and the first `vlm` of the fit split.
    """
    test = measured.test
    chosen = test.sample(REPORTED_IMAGES, seed)
    embeddings = test.model_embeddings(chosen)
    own = Split(
        inputs.test if len(chosen) == len(inputs.test) else Subset(inputs.test, test.rows[chosen]),
        ModelOutputs(embeddings, inputs.model.head.logits(embeddings)),
        test.labels[chosen],
        vlm_evidence_of(measured, embeddings, test.vlm_embeddings(chosen)),
    )
    own = look_again(own, inputs, store, stage="second look", bar=bar)
    if inputs.held_out is None:
        fit, calibration, report = (own.take(rows) for rows in parts_of(len(own), seed))
        return Splits(fit, calibration, report, "split")
    wanted = sizes.fit + sizes.calibration
    images = min(wanted, len(inputs.held_out))
    taken = Subset(inputs.held_out, np.arange(images))
    held_out = measure_images(taken, inputs, store, stage="held-out images", bar=bar)
    held_out = look_again(held_out, inputs, store, stage="second look (held-out)", bar=bar)
    cut = min(len(held_out), round(images * sizes.fit / max(wanted, 1)))
    fit, calibration = held_out.take(np.arange(cut)), held_out.take(np.arange(cut, len(held_out)))
    seen = fit.take(np.arange(min(sizes.vlm, len(fit))))
    fit = replace(fit, witnessed=witness(seen, inputs, measured, store, stage="VLM on held-out images", bar=bar))
    return Splits(fit, calibration, own, "held-out")


def parts_of(images: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which of the study's own images fit, calibrate and report where nothing is held out beside them."""
    order = np.random.default_rng([seed, 2]).permutation(images)
    ends = round(FIT_SHARE * images), round((FIT_SHARE + CALIBRATION_SHARE) * images)
    fit, calibration, report = np.split(order, ends)
    return fit, calibration, report


def reported(test: StoredSplit, *, held_out: bool, seed: int) -> NDArray[np.int64]:
    """The test images that the monitor neither learnt from nor was calibrated on; `held_out`: it had others for that."""
    chosen = test.sample(REPORTED_IMAGES, seed)
    return chosen if held_out else chosen[parts_of(len(chosen), seed)[2]]


def measure_images(
    dataset: ImageDataset,
    inputs: StudyInputs,
    store: Path | Store,
    *,
    stage: str,
    bar: ProgressBar,
    labelled: bool = True,
) -> Split:
    """The readable images of `dataset` through the model, from the store where they are there.

    Images of no class, not `labelled`, get the label -1, so that every output is wrong.
    """
    model = inputs.model
    embedded = embed(model, dataset, store, progress=bar(stage, len(dataset)))
    rows = np.flatnonzero(embedded.readable)
    embeddings = embedded.values[rows]
    labels = np.full(len(rows), -1, dtype=np.int64)
    if labelled:
        labels = labels_in_model_order(dataset, model.class_names)[rows]
    kept = dataset if len(rows) == len(dataset) else Subset(dataset, rows)
    return Split(kept, ModelOutputs(embeddings, model.head.logits(embeddings)), labels)


def look_again(split: Split, inputs: StudyInputs, store: Path | Store, *, stage: str, bar: ProgressBar) -> Split:
    """The split with `LOOKS` at each image beside the image itself, from the store where they are there."""
    model, advance = inputs.model, bar(stage, len(LOOKS) * len(split))
    views = [split.inputs.embeddings]
    views += [embed(LookingEncoder(model, look), split.dataset, store, progress=advance).values for look in LOOKS]
    logits = [split.inputs.logits, *(model.head.logits(embeddings) for embeddings in views[1:])]
    return replace(split, looked=Looks(np.stack(views, axis=1), np.stack(logits, axis=1)))


def witness(
    split: Split, inputs: StudyInputs, measured: Measurements, store: Path | Store, *, stage: str, bar: ProgressBar
) -> VlmEvidence:
    """What the VLM says of the images of a split, from the store where it is there."""
    embedded = embed(inputs.vlm, split.dataset, store, progress=bar(stage, len(split.dataset)))
    return vlm_evidence_of(measured, split.inputs.embeddings, embedded.values)


def vlm_evidence_of(measured: Measurements, embeddings: Floats, vlm_embeddings: Floats) -> VlmEvidence:
    """From the model's and the VLM's embeddings `[image, D]` and `[image, E]` of the same images."""
    units = unit(vlm_embeddings)
    return VlmEvidence(
        units @ measured.class_directions.T, units @ measured.lens.directions.T, measured.lens.strengths(embeddings)
    )
