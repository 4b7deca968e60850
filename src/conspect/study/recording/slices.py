"""What a study's metadata columns and concept labels add to the results: slices, and how well concepts are seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conspect.analysis.concept_detection import ConceptDetection, detect
from conspect.analysis.localization import Localization
from conspect.analysis.slices import Slice, by_slice
from conspect.core.capabilities import concept_labels_of, metadata_of
from conspect.results import slices as records
from conspect.results.shares import CulpritCounts
from conspect.study.config import StudyConfig
from conspect.study.inputs import StudyInputs, check_slices
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.shares import share

# An AUROC needs every strength at once; of so many images its interval is narrow enough.
LABELLED = 50_000


def slice_results(
    config: StudyConfig, inputs: StudyInputs, measured: Measurements, verdicts: Sequence[Localization]
) -> records.Slices:
    """Every value of the columns that [data] slices names, lowest accuracy first, with the lens's `verdicts` on failures."""
    metadata = metadata_of(inputs.test)
    asked = config.data.slices or ()
    check_slices(asked, inputs.test)
    columns = {name: [metadata[name][row] for row in measured.test.rows] for name in asked}
    by_lens: list[str | None] = [None] * len(measured.test)
    for verdict in verdicts:
        by_lens[verdict.row] = verdict.by_vlm.value
    slices = by_slice(
        columns,
        measured.labels == measured.outputs,
        by_lens,
        measured.answers.satisfied,
    )
    return records.Slices(
        columns=tuple(
            records.SliceColumn(name=name, unknown=sum(value is None for value in columns[name])) for name in asked
        ),
        slices=tuple(_slice(part, config.settings.confidence) for part in slices),
    )


def concept_label_results(
    inputs: StudyInputs, measured: Measurements, confidence: float, *, seed: int
) -> records.ConceptLabels | None:
    """AUROC of each labelled concept, through the lens and by the VLM itself.

    Of at most `LABELLED` images, drawn with `seed`. None when the test images carry no labels of the study's concepts.
    """
    labelled = concept_labels_of(inputs.test)
    shared = [name for name in inputs.concepts.names if name in labelled.names]
    if not shared:
        return None
    images = measured.test.sample(LABELLED, seed)
    presence = labelled.presence[measured.test.rows[images]][:, [labelled.names.index(name) for name in shared]]
    columns = np.asarray([inputs.concepts.names.index(name) for name in shared])
    lens, vlm = (
        detect(strengths[:, columns], presence, measured.labels[images], confidence=confidence)
        for strengths in (
            measured.lens.strengths(measured.test.model_embeddings(images)),
            measured.lens.cosines(measured.test.vlm_embeddings(images)),
        )
    )
    return records.ConceptLabels(
        concepts=tuple(
            records.LabelledConcept(
                concept=name,
                shown=through.shown,
                not_shown=through.not_shown,
                lens=_auroc(through),
                vlm=_auroc(direct),
            )
            for name, through, direct in zip(shared, lens, vlm, strict=True)
        ),
        mean_lens=_mean(lens),
        mean_vlm=_mean(vlm),
        mean_vlm_within_classes=_mean_within(vlm),
        not_asked=tuple(name for name in labelled.names if name not in shared),
    )


def _auroc(detection: ConceptDetection) -> records.Auroc:
    return records.Auroc(
        auroc=detection.value, low=detection.low, high=detection.high, within_classes=detection.within_classes
    )


def _mean(detections: list[ConceptDetection]) -> float | None:
    values = [detection.value for detection in detections if detection.value is not None]
    return float(np.mean(values)) if values else None


def _mean_within(detections: list[ConceptDetection]) -> float | None:
    values = [detection.within_classes for detection in detections if detection.within_classes is not None]
    return float(np.mean(values)) if values else None


def _slice(part: Slice, confidence: float) -> records.Slice:
    return records.Slice(
        column=part.column,
        value=part.value,
        accuracy=share(part.correct, part.images, confidence),
        rest=part.rest_correct / part.rest_images if part.rest_images else None,
        p_value=part.p_value,
        failures=CulpritCounts(
            head=part.failures.get("head", 0),
            encoder=part.failures.get("encoder", 0),
            undecided=part.failures.get("undecided", 0),
        ),
        satisfied=part.satisfied,
    )
