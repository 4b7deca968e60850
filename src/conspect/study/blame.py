"""The default answer to "encoder or head?": by the model's own evidence, or by the swap test when a sound version is at hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import embedded_shards
from conspect.adapters.store.pairs import StoredPairs
from conspect.adapters.store.places import Store
from conspect.analysis.fault_evidence import FEATURES, Departure, OwnEvidence
from conspect.analysis.localization import Blame, Culprit, EvidenceWeights, blame_of, swap_test
from conspect.assets import read_bytes
from conspect.core.capabilities import with_records
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset, ProgressBar, VisionModel, silent
from conspect.core.spaces import Float64, Head
from conspect.results.localization import DefaultVerdicts, SwappedFailure, SwapTest
from conspect.results.shares import CulpritCounts
from conspect.statistics.logistic import LogisticModel
from conspect.statistics.threads import one_thread
from conspect.study.inputs import Inputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.streaming import blocks

# Evidence is fitted on at most so many training images, and batch norms are compared with their records on so many of each split.
EVIDENCE_IMAGES, RECORD_IMAGES, BATCH = 4000, 384, 128
# Failures whose evidence is weighed at once: their embeddings are in memory meanwhile.
FAILURES_AT_ONCE = 20_000
# Below this accuracy of the sound head on the model's embeddings the two encoders do not share a space.
LEAST_SHARED = 0.5

# Norms of sound networks depart by up to this (0.03 and 0.09 in docs/faults.md); planted faults begin at 0.09.
SOUND_DEPARTURE = 0.1


def blame_results(inputs: Inputs, measured: Measurements, *, seed: int) -> tuple[DefaultVerdicts, list[Blame]]:
    """What results.json says of the default method, and a verdict for each failure, in the order of the images."""
    failures = np.flatnonzero(measured.outputs != measured.labels)
    departure = _departure(inputs, measured)
    blames: list[Blame] = []
    if len(failures):
        train = measured.train
        rows = np.random.default_rng([seed, 2]).permutation(len(train))[:EVIDENCE_IMAGES]
        own = OwnEvidence(train.model_embeddings(rows), train.labels[rows], inputs.model.head.logits, departure, seed)
        for start in range(0, len(failures), FAILURES_AT_ONCE):
            part = failures[start : start + FAILURES_AT_ONCE]
            with one_thread():
                evidence = own.of(measured.test.model_embeddings(part), measured.labels[part])
            chances = evidence_weights().head_probabilities(evidence, recorded=departure is not None)
            blames += [blame_of(round(float(head), 4)) for head in chances]
    return DefaultVerdicts(
        method="evidence without records" if departure is None else "evidence",
        counts=counts(blames),
        departure_train=None if departure is None else round(float(departure.train), 6),
        departure_test=None if departure is None else round(float(departure.test), 6),
        within_sound=None if departure is None else bool(departure.test < SOUND_DEPARTURE),
    ), blames


@cache
def evidence_weights() -> EvidenceWeights:
    """The weights that ship, fitted on planted faults by training/fit_fault_evidence.py."""
    table = json.loads(read_bytes("fault_evidence.json"))
    if tuple(table["features"]) != FEATURES:
        raise ValueError("fault_evidence.json is of other features; run training/fit_fault_evidence.py")
    with_record, without_record = (
        LogisticModel(np.asarray(table[name]["weight"]), np.asarray(table[name]["bias"]))
        for name in ("with_record", "without_record")
    )
    return EvidenceWeights(with_record, without_record)


def swap_results(
    inputs: Inputs, measured: Measurements, sound: VisionModel, store: Path | Store, bar: ProgressBar = silent
) -> SwapTest:
    """The swap test on every failure that `sound`, an earlier version of the model, does not share.

    Raises UserError STUDY002 when the two have other classes or embeddings of other sizes, or do not share a space: then
    the sound head is right on less than half of the images with the model's embeddings.
    """
    model = inputs.model
    if (sound.class_names, sound.embedding_size) != (model.class_names, model.embedding_size):
        problem = f"{sound.name} and {model.name} differ in their classes or in the size of their embeddings"
        raise user_error("STUDY002", problem, "give an earlier version of the same model")
    labels, outputs = measured.labels, measured.outputs
    progress = bar(f"sound model ({inputs.test.split})", len(inputs.test))
    shards = embedded_shards(sound, inputs.test, store, progress=progress)
    pairs = StoredPairs(shards, measured.test.pairs.z, measured.test.rows)
    logits, shared = _swapped(pairs, sound.head, model.head, labels, outputs)
    if shared < LEAST_SHARED:
        problem = f"the head of {sound.name} is right on {100 * shared:.1f} % of the images with the embeddings of {model.name}"
        raise user_error("STUDY002", problem, "give an earlier version of the same model, not one trained anew")
    failures = np.flatnonzero(outputs != labels)
    blames = swap_test(
        labels[failures],
        sound=logits.sound,
        other_head=logits.other_head,
        other_encoder=logits.other_encoder,
        other=logits.other,
    )
    old = logits.right
    return SwapTest(
        model=model.name,
        sound=sound.name,
        method="swap test",
        accuracy=float((outputs == labels).mean()),
        sound_accuracy=float(old.mean()),
        failures=len(failures),
        new_failures=int(old[failures].sum()),
        counts=counts([blame for blame, known in zip(blames, old[failures], strict=True) if known]),
        images=tuple(
            SwappedFailure(
                id=measured.ids[row],
                label=model.class_names[int(labels[row])],
                output=model.class_names[int(outputs[row])],
                new=bool(old[row]),
                blame=blame.culprit.value,
                head_probability=None if blame.head is None else round(blame.head, 4),
            )
            for row, blame in zip(failures, blames, strict=True)
        ),
    )


@dataclass(frozen=True, eq=False)
class _SwappedLogits:
    """Of each failure, the logits `[failure, class]` that `swap_test` takes; of each image, is the sound model `right`."""

    sound: Float64
    other_head: Float64
    other_encoder: Float64
    other: Float64
    right: NDArray[np.bool_]


def _swapped(
    pairs: StoredPairs, sound: Head, head: Head, labels: NDArray[np.int64], outputs: NDArray[np.int64]
) -> tuple[_SwappedLogits, float]:
    """`pairs`: embeddings by the sound encoder and by the failing one. Also how often the sound head is right on the latter."""
    parts: list[tuple[Float64, Float64, Float64, Float64]] = []
    right, shared = [], 0
    for block in blocks(len(pairs)):
        z, other = pairs.read(block)
        own = slice(block.start, block.stop)
        given, crossed = sound.logits(z), sound.logits(other)
        right.append(given.argmax(1) == labels[own])
        shared += int((crossed.argmax(1) == labels[own]).sum())
        failed = outputs[own] != labels[own]
        parts.append((given[failed], head.logits(z[failed]), crossed[failed], head.logits(other[failed])))
    given, other_head, crossed, other_logits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _SwappedLogits(given, other_head, crossed, other_logits, np.concatenate(right)), shared / len(pairs)


def counts(blames: list[Blame]) -> CulpritCounts:
    """How many images fall to the head, to the encoder, and to neither."""
    blamed = Counter(blame.culprit for blame in blames)
    return CulpritCounts(
        head=blamed[Culprit.HEAD], encoder=blamed[Culprit.ENCODER], undecided=blamed[Culprit.UNDECIDED]
    )


def _departure(inputs: Inputs, measured: Measurements) -> Departure | None:
    """Of the model's batch norms on training and on test images; None for a model that keeps no record."""
    recording = with_records(inputs.model)
    if recording is None:
        return None
    on_train, on_test = (
        recording.departure(_batches(inputs.model, split.dataset, split.rows[:RECORD_IMAGES]))
        for split in (measured.train, measured.test)
    )
    return None if on_train is None or on_test is None else Departure(on_train, on_test)


def _batches(model: VisionModel, dataset: ImageDataset, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return [np.stack([model.prepare(dataset.image(int(row))) for row in part]) for part in parts]
