"""Failures beyond the images that the evidence is about: judged in parts beside a sample of these, by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import Shards
from conspect.analysis.class_order import ClassOrder
from conspect.analysis.diagnosis.blame import BlameWeights
from conspect.analysis.diagnosis.head import HeadEvidence
from conspect.analysis.diagnosis.images import ImageDiagnosis, Views, diagnose_images
from conspect.analysis.diagnosis.weighing import ModelDiagnosis, NamedSuspects
from conspect.core.protocols import Engine, Progress, unseen
from conspect.core.spaces import Float64, Head
from conspect.statistics.logistic import LogisticModel
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.gathering import Images, label_judgement, names_of, vlm_scores
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.streaming import sampled_rows

# Failures of a task, and images of the sample that stand beside them.
PART, CONTEXT = 5000, 5000
Labels: TypeAlias = NDArray[np.int64]
# Which test images, their places in the data set, labels and outputs, `[image]` each.
_Task: TypeAlias = tuple[Labels, Labels, Labels, Labels]


@dataclass(frozen=True, eq=False)
class FurtherFailures:
    """What a worker needs to judge failures by the measure of other images, as if among them.

    `labels [image]`, `z [image, D]` and `y [image, E]` are of those others; the failures' own are read from the shards.
    """

    model_shards: Shards
    vlm_shards: Shards
    labels: Labels
    z: NDArray[np.float32]
    y: NDArray[np.float32]
    head: Head
    evidence: HeadEvidence
    order: ClassOrder | None
    class_directions: Float64
    probe: LogisticModel
    answer: NamedSuspects
    weights: BlameWeights

    @classmethod
    def of(
        cls,
        measured: Measurements,
        test: Images,
        head: Head,
        model: ModelDiagnosis,
        *,
        probe: LogisticModel,
        weights: BlameWeights,
        seed: int,
    ) -> FurtherFailures:
        """Beside images drawn with `seed` from all of `test`, which the answer about the `model` comes from.

        Drawn, not the first of them: where a data set lists class after class those would be of few classes.
        """
        beside = sampled_rows(len(test.labels), CONTEXT, seed)
        # Logits of the images of the evidence are not needed, and grow with the classes.
        nothing = np.zeros((0, head.classes))
        evidence = replace(model.evidence.head, refitted_test=nothing, corrected_test=nothing, given_test=nothing)
        return cls(
            measured.test.pairs.z,
            measured.test.pairs.y,
            test.labels[beside],
            np.asarray(test.embeddings[beside], dtype=np.float32),
            np.asarray(test.vlm[beside], dtype=np.float32),
            head,
            evidence,
            names_of(model.evidence),
            measured.class_directions,
            probe,
            NamedSuspects(model.posterior, model.named),
            weights,
        )

    def judged(
        self, measured: Measurements, tested: Labels, engine: Engine, *, progress: Progress = unseen
    ) -> Iterator[ImageDiagnosis]:
        """What each failure that is not among the images `tested` is put down to, in the order of the images."""
        failed = measured.outputs != measured.labels
        failed[tested] = False
        images = np.flatnonzero(failed)
        parts = (images[start : start + PART] for start in range(0, len(images), PART))
        tasks = ((part, measured.test.rows[part], measured.labels[part], measured.outputs[part]) for part in parts)
        for said in engine.map(partial(_judged, self), tasks, progress):
            yield from said


def _judged(question: FurtherFailures, task: _Task, progress: Progress) -> list[ImageDiagnosis]:
    images, rows, own_labels, outputs = task
    first = len(question.labels)
    labels = np.concatenate([question.labels, own_labels])
    among = np.arange(len(labels)) < first
    with one_thread():
        z = np.concatenate([question.z, question.model_shards.rows(rows)])
        y = np.concatenate([question.y, question.vlm_shards.rows(rows)])
        by_vlm = vlm_scores(y, question.class_directions, question.probe)
        judgement = label_judgement(
            question.head, question.evidence, z, labels, by_vlm, among=among, order=question.order
        )
        corrected, given = question.evidence.corrected_logits(question.head, z), question.head.logits(z)
        views = Views(labels, judgement, corrected, given, by_vlm, among)
        # The others count as right: of them nothing is asked.
        said = diagnose_images(question.answer, views, np.concatenate([question.labels, outputs]), question.weights)
    progress(len(images))
    return [replace(diagnosis, row=int(images[diagnosis.row - first])) for diagnosis in said]
