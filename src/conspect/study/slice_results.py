"""What a study's metadata columns and concept labels add to the results: slices, and how well concepts are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.concept_detection import ConceptDetection, detect
from conspect.analysis.slices import Slice, by_slice, satisfied_shares
from conspect.core.capabilities import concept_labels_of, metadata_of
from conspect.core.spaces import Float64
from conspect.statistics.intervals import wilson
from conspect.study.config import StudyConfig
from conspect.study.inputs import Inputs, check_slices
from conspect.study.measurements import Measurements

Json = dict[str, Any]


def slice_results(config: StudyConfig, inputs: Inputs, measured: Measurements, failures: Sequence[Json]) -> Json:
    """`results["slices"]`: every value of the columns that [data] slices names, lowest accuracy first.

    `failures`: `results["localization"]["images"]`, whose verdicts are counted.
    """
    metadata = metadata_of(inputs.test)
    asked = config.data.slices or ()
    check_slices(asked, inputs.test)
    columns = {name: [metadata[name][row] for row in measured.rows] for name in asked}
    verdict_of = {image["id"]: image["verdict"] for image in failures}
    found = by_slice(
        columns,
        measured.labels == measured.outputs,
        [verdict_of.get(name) for name in measured.ids],
        satisfied_shares(measured.lens_numerators, measured.labels, inputs.attributes),
    )
    return {
        "columns": [{"name": name, "unknown": sum(value is None for value in columns[name])} for name in asked],
        "slices": [_slice(one, config.settings.confidence) for one in found],
    }


def concept_label_results(inputs: Inputs, measured: Measurements, confidence: float) -> Json | None:
    """`results["concept_labels"]`: AUROC of each labelled concept, through the lens and by the VLM itself.

    None when the test images carry no labels of the study's concepts.
    """
    labelled = concept_labels_of(inputs.test)
    shared = [name for name in inputs.concepts.names if name in labelled.names]
    if not shared:
        return None
    presence = labelled.presence[measured.rows][:, [labelled.names.index(name) for name in shared]]
    columns = np.asarray([inputs.concepts.names.index(name) for name in shared])
    norms = np.linalg.norm(measured.vlm_embeddings, axis=1, keepdims=True)
    by_vlm = measured.vlm_numerators / np.where(norms > 0, norms, 1.0)
    lens, vlm = (
        _detected(strengths[:, columns], presence, measured, confidence)
        for strengths in (measured.lens.strengths(measured.embeddings), by_vlm)
    )
    return {
        "concepts": [
            {"concept": name, "shown": one.shown, "not_shown": one.not_shown, "lens": _auroc(one), "vlm": _auroc(other)}
            for name, one, other in zip(shared, lens, vlm, strict=True)
        ],
        "mean_lens": _mean(lens),
        "mean_vlm": _mean(vlm),
        "not_asked": [name for name in labelled.names if name not in shared],
    }


def _detected(
    strengths: NDArray[np.floating[Any]], presence: Float64, measured: Measurements, confidence: float
) -> list[ConceptDetection]:
    return detect(np.asarray(strengths, dtype=np.float64), presence, measured.labels, confidence=confidence)


def _auroc(one: ConceptDetection) -> Json:
    return {"auroc": one.value, "low": one.low, "high": one.high, "within_classes": one.within_classes}


def _mean(found: list[ConceptDetection]) -> float | None:
    values = [one.value for one in found if one.value is not None]
    return float(np.mean(values)) if values else None


def _slice(one: Slice, confidence: float) -> Json:
    low, high = wilson(one.correct, one.images, confidence)
    return {
        "column": one.column,
        "value": one.value,
        "accuracy": {
            "value": one.correct / one.images,
            "low": float(low),
            "high": float(high),
            "successes": one.correct,
            "n": one.images,
        },
        "rest": one.rest_correct / one.rest_images if one.rest_images else None,
        "p_value": one.p_value,
        "failures": {verdict: one.failures.get(verdict, 0) for verdict in ("head", "encoder", "undecided")},
        "satisfied": one.satisfied,
    }
