"""A study's diagnosis: the evidence gathered, weighed, and written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.images import Cause, CauseCount, ImageDiagnosis, count_causes, diagnose_images
from conspect.analysis.diagnosis.weighing import SUSPECTS, EvidenceWeights, ModelDiagnosis, diagnose
from conspect.analysis.diagnosis.words import evidence_sentences, headline, named_sentence
from conspect.assets import read_bytes
from conspect.core.protocols import Progress, unseen
from conspect.results.diagnosis import CauseCounted, Diagnosis, Exchanged, InputChange, NormDeparture, SuspectChance
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.gathering import COSINE_SCALE, Images, gather, vlm_probe
from conspect.study.inputs import Inputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.split import StoredSplit

ASSET = "diagnosis.json"
# Images that each change of the input is tried on, in a run and by the doctor.
RUN_CHANGED, DOCTOR_CHANGED = 100, 400
# Images of each split that a diagnosis reads, so that its memory does not grow with the study; other failures stay undecided.
MOST_IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class StudyDiagnosis:
    """The answer about the model and about each failure, and the record of both."""

    model: ModelDiagnosis
    images: list[ImageDiagnosis]
    record: Diagnosis


@cache
def evidence_weights() -> EvidenceWeights:
    """The weights that ship, fitted on planted faults by training/fit_diagnosis.py."""
    return EvidenceWeights.from_table(json.loads(read_bytes(ASSET)))


def diagnose_study(
    inputs: Inputs, measured: Measurements, *, seed: int, changed: int = RUN_CHANGED, advance: Progress = unseen
) -> StudyDiagnosis:
    """The diagnosis of the model under study from its measurements; some images go through the model again.

    `changed`: images that each change of the input is tried on; 0 leaves the input out.
    """
    tested = measured.test.sample(MOST_IMAGES, seed)
    train, test = (
        _images(split, images)
        for split, images in ((measured.train, measured.train.sample(MOST_IMAGES, seed)), (measured.test, tested))
    )
    with one_thread():
        probe = vlm_probe(train, inputs.model.head.classes, seed=seed)
        evidence = gather(
            inputs.model,
            train,
            test,
            class_directions=measured.class_directions,
            probe=probe,
            seed=seed,
            changed=changed,
            advance=advance,
        )
    model = diagnose(evidence, evidence_weights())
    seen = np.asarray(test.vlm, dtype=np.float64)
    by_vlm = (COSINE_SCALE * (seen @ measured.class_directions.T), seen @ probe.weight + probe.bias)
    said = {
        int(tested[one.row]): replace(one, row=int(tested[one.row]))
        for one in diagnose_images(model, test.labels, measured.outputs[tested], by_vlm)
    }
    failures = np.flatnonzero(measured.outputs != measured.labels).tolist()
    images = [said.get(row) or _not_looked_at(row, int(measured.outputs[row])) for row in failures]
    return StudyDiagnosis(model, images, _record(model, images, inputs.model.class_names))


def _images(split: StoredSplit, chosen: NDArray[np.int64]) -> Images:
    return Images(
        lambda row: split.dataset.image(int(split.rows[chosen[row]])),
        split.labels[chosen],
        split.model_embeddings(chosen),
        split.vlm_embeddings(chosen),
    )


def _not_looked_at(row: int, output: int) -> ImageDiagnosis:
    """A failure beyond the images that a very large study is diagnosed on."""
    return ImageDiagnosis(row, Cause.UNDECIDED, 0.0, output)


def _record(model: ModelDiagnosis, images: list[ImageDiagnosis], class_names: tuple[str, ...]) -> Diagnosis:
    evidence, counts = model.evidence, count_causes(images)
    return Diagnosis(
        headline=headline(model, len(images), counts),
        sentence=named_sentence(model),
        named=tuple(suspect.value for suspect in model.named),
        confidence=round(model.confidence, 4),
        suspects=tuple(
            SuspectChance(suspect=suspect.value, probability=round(float(chance), 4))
            for suspect, chance in zip(SUSPECTS, model.posterior, strict=True)
        ),
        evidence=evidence_sentences(evidence, class_names),
        causes=counted_causes(counts),
        corrected_head=_exchanged(evidence.head.corrected),
        other_biases=_exchanged(evidence.head.biases),
        labels_expected_wrong=0.0 if evidence.labels is None else round(evidence.labels.expected, 2),
        input_changes=tuple(
            InputChange(
                name=one.name, fix=one.fix, exchanged=_exchanged(one.exchange), p_value=one.p_value, named=one.is_named
            )
            for one in evidence.mendings
        ),
        norms=tuple(NormDeparture(layer=one.name, departure=round(one.value, 5)) for one in evidence.departures),
    )


def counted_causes(counts: Sequence[CauseCount]) -> tuple[CauseCounted, ...]:
    """Counts of causes as records."""
    return tuple(CauseCounted(cause=one.cause.value, count=one.count, low=one.low, high=one.high) for one in counts)


def restored_sentence(record: Diagnosis, accuracy: float, reported: float) -> str:
    """How much of what the model lost against its reported accuracy a corrected head restores, in words."""
    lost = reported - accuracy
    if lost <= 0:
        return f"Nothing is lost against the reported accuracy of {100 * reported:.1f} %."
    corrected = record.corrected_head
    restored = (corrected.fixes - corrected.breaks) / max(corrected.images, 1) / lost
    return (
        f"Against the reported accuracy of {100 * reported:.1f} % the model loses {100 * lost:.1f} points; a corrected head "
        f"restores {100 * restored:.0f} % of them: close to all where the head alone is broken, less where the encoder is."
    )


def _exchanged(one: Exchange) -> Exchanged:
    return Exchanged(fixes=one.fixes, breaks=one.breaks, images=one.images, p_value=one.p_value)
