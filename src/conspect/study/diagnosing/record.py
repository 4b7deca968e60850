"""A study's diagnosis: the evidence gathered, weighed, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from conspect.adapters.engines.local import LocalEngine
from conspect.adapters.store.embeddings import NOT_FINITE
from conspect.analysis.diagnosis.blame import BlameWeights, DiagnosisTable
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.images import (
    CauseCount,
    ImageDiagnosis,
    count_causes,
    diagnose_images,
    views_of,
)
from conspect.analysis.diagnosis.weighing import SUSPECTS, EvidenceWeights, ModelDiagnosis, diagnose
from conspect.analysis.diagnosis.words import evidence_sentences, headline, named_sentence, not_finite_sentence
from conspect.assets import read_bytes
from conspect.core.protocols import Engine, Progress, VisionModel, unseen
from conspect.results.diagnosis import CauseCounted, ChangeEffect, Diagnosis, InputChange, NormDeparture, SuspectChance
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.further import FurtherFailures
from conspect.study.diagnosing.gathering import Images, gather, vlm_probe, vlm_scores
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.split import StoredSplit

ASSET = "diagnosis.json"
# Images that each change of the input is tried on in a run; the doctor takes more, the default of `gather`.
RUN_CHANGED = 100
# Images of each split that a diagnosis reads at once, so that its memory does not grow with the study; failures beyond them are
# judged in parts, beside some of these.
MOST_IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class StudyDiagnosis:
    """The answer about the model and about each failure, and the record of both."""

    model: ModelDiagnosis
    images: list[ImageDiagnosis]
    record: Diagnosis


@cache
def _shipped() -> DiagnosisTable:
    return msgspec.json.decode(read_bytes(ASSET), type=DiagnosisTable)


@cache
def evidence_weights() -> EvidenceWeights:
    """The weights of the evidence about a model that ship, fitted on planted faults by training/fit_diagnosis.py."""
    return EvidenceWeights.from_table(_shipped().model)


@cache
def blame_weights() -> BlameWeights:
    """Those of the evidence about a failure."""
    return BlameWeights.from_table(_shipped().failures)


def diagnose_study(
    inputs: StudyInputs,
    measured: Measurements,
    *,
    seed: int,
    changed: int = RUN_CHANGED,
    reported: float | None = None,
    own: VisionModel | None = None,
    engine: Engine | None = None,
    advance: Progress = unseen,
) -> StudyDiagnosis:
    """The diagnosis of the model under study from its measurements; some images go through the model again.

    `changed`: images that each change of the input is tried on; 0 leaves the input out. `reported`: the accuracy that the
    model is said to have; `own`: the model as its own configuration prepares images, where study.toml names another file.
    Failures beyond `MOST_IMAGES` are judged by the `engine`, here where none is given.
    """
    tested = measured.test.sample(MOST_IMAGES, seed)
    train = images_of(measured.train, measured.train.sample(MOST_IMAGES, seed))
    test = images_of(measured.test, tested)
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
            reported=reported,
            not_finite=not_finite(measured, inputs.model.name),
            own=None if own is None or not other_preparation(inputs.model, own) else own.prepare,
            advance=advance,
        )
        model = diagnose(evidence, evidence_weights())
        # Images without a finite embedding are left out: the failures of the others are not for want of one.
        of_finite = diagnose(replace(evidence, not_finite=0), evidence_weights())
        by_vlm = vlm_scores(test.vlm, measured.class_directions, probe)
        views = views_of(evidence, test.labels, by_vlm)
        images = _at(tested, diagnose_images(of_finite, views, measured.outputs[tested], blame_weights()))
        further = FurtherFailures.of(
            measured, test, inputs.model.head, of_finite, probe=probe, weights=blame_weights(), seed=seed
        )
    images += further.judged(measured, tested, engine or LocalEngine())
    images.sort(key=lambda image: image.row)
    facts = (*not_finite_sentence(not_finite(measured)), *other_preparation(inputs.model, own))
    return StudyDiagnosis(model, images, _record(model, images, inputs.model.class_names, facts))


def other_preparation(model: VisionModel, own: VisionModel | None) -> tuple[str, ...]:
    """A sentence where the study prepares images otherwise than the model's own configuration."""
    if own is None or own.preprocessing == model.preprocessing:
        return ()
    said = f"Images are prepared otherwise than the model's own configuration says: {model.preprocessing}"
    return (f"{said}; its own: {own.preprocessing}.",)


def images_of(split: StoredSplit, chosen: NDArray[np.int64]) -> Images:
    """The chosen images of a split, their embeddings read from the store."""
    return Images(
        lambda row: split.dataset.image(int(split.rows[chosen[row]])),
        split.labels[chosen],
        split.model_embeddings(chosen),
        split.vlm_embeddings(chosen),
    )


def _at(rows: NDArray[np.int64], images: Sequence[ImageDiagnosis]) -> list[ImageDiagnosis]:
    return [replace(image, row=int(rows[image.row])) for image in images]


def not_finite(measured: Measurements, encoder: str = "") -> int:
    """Images of both splits for which a model, or the one called `encoder`, gave NaN or infinity."""
    return sum(f"{encoder} {NOT_FINITE}" in reason for _, _, reason in measured.unreadable)


def _record(
    model: ModelDiagnosis, images: list[ImageDiagnosis], class_names: tuple[str, ...], facts: tuple[str, ...]
) -> Diagnosis:
    evidence, counts = model.evidence, count_causes(images)
    return Diagnosis(
        headline=headline(model, len(images), counts),
        sentence=named_sentence(model, counts),
        named=tuple(suspect.value for suspect in model.named),
        confidence=round(model.confidence, 4),
        suspects=tuple(
            SuspectChance(suspect=suspect.value, probability=round(float(chance), 4))
            for suspect, chance in zip(SUSPECTS, model.posterior, strict=True)
        ),
        evidence=(*facts, *evidence_sentences(evidence, class_names)),
        causes=counted_causes(counts),
        corrected_head=_exchanged(evidence.head.corrected),
        other_biases=_exchanged(evidence.head.biases),
        labels_expected_wrong=0.0 if evidence.labels is None else round(evidence.labels.expected, 2),
        input_changes=tuple(
            InputChange(
                name=mending.name,
                fix=mending.fix,
                exchanged=_exchanged(mending.exchange),
                p_value=mending.p_value,
                named=evidence.shows_input(mending),
            )
            for mending in evidence.mendings
        ),
        norms=tuple(
            NormDeparture(layer=departure.name, departure=round(departure.value, 5))
            for departure in evidence.departures
        ),
    )


def counted_causes(counts: Sequence[CauseCount]) -> tuple[CauseCounted, ...]:
    """Counts of causes as records."""
    return tuple(
        CauseCounted(cause=count.cause.value, count=count.count, low=count.low, high=count.high) for count in counts
    )


def _exchanged(exchange: Exchange) -> ChangeEffect:
    return ChangeEffect(fixes=exchange.fixes, breaks=exchange.breaks, images=exchange.images, p_value=exchange.p_value)
