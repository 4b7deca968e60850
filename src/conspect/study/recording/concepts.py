"""Grades of the study's concepts, and its failures explained in those that may be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.concepts.grades import ConceptEvidence, Grade, GradedConcept, grade_concepts
from conspect.analysis.explanation.contrast import belonging_by_strength, belonging_by_table, contrast, sentence
from conspect.core.capabilities import concept_labels_of
from conspect.core.spaces import Float64
from conspect.results.concepts import Concept, ConceptMeasures, ConceptScores
from conspect.results.localization import Explanation, Reason
from conspect.study.inputs import Inputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.shares import finite_or_none

RANK_CUTOFF = 1e-4


def graded(inputs: Inputs, measured: Measurements) -> list[GradedConcept]:
    """A grade for each concept of the study, on its test images."""
    lens = measured.lens
    return grade_concepts(
        ConceptEvidence(
            by_vlm=lens.cosines(measured.vlm_embeddings),
            by_model=lens.strengths(measured.embeddings),
            labels=measured.labels,
            classes=_cosines(measured.vlm_embeddings, measured.class_directions),
            variants=[_cosines(measured.vlm_embeddings, variants) for variants in measured.variant_directions],
            table=inputs.attributes,
            presence=_presence(inputs, measured),
        )
    )


def _presence(inputs: Inputs, measured: Measurements) -> Float64 | None:
    """Labels `[image, concept]` where the test images carry any: 1, 0, NaN for not known."""
    labelled = concept_labels_of(inputs.test)
    names = inputs.concepts.names
    if not set(names) & set(labelled.names):
        return None
    presence = np.full((len(measured.rows), len(names)), np.nan)
    for place, name in enumerate(names):
        if name in labelled.names:
            presence[:, place] = labelled.presence[measured.rows, labelled.names.index(name)]
    return presence


def words_rank(measured: Measurements) -> int:
    """In how many independent ways the concepts' strengths vary over the images, seen by the VLM: at most their number."""
    strengths = measured.lens.cosines(measured.vlm_embeddings)
    values = np.linalg.svd(strengths - strengths.mean(axis=0), compute_uv=False)
    return int((values > RANK_CUTOFF * values.max(initial=0.0)).sum())


def _cosines(embeddings: NDArray[np.float32], directions: Float64) -> Float64:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings @ directions.T / np.where(lengths > 0, lengths, 1.0), dtype=np.float64)


def concept_results(inputs: Inputs, grades: list[GradedConcept]) -> tuple[Concept, ...]:
    """The records of results.json."""
    names = inputs.concepts.names
    return tuple(
        Concept(
            name=concept.name,
            phrases=concept.phrases,
            grade=found.grade.value,
            reasons=found.reasons,
            not_told_from=tuple(names[k] for k in found.measures.group),
            measures=ConceptMeasures(
                separation=_rounded(found.measures.separation),
                shown=_rounded(found.measures.shown),
                stability=_rounded(found.measures.stability),
                agreement=round(found.measures.agreement, 4),
                r2=round(found.measures.r2, 4),
                beyond_classes=round(found.measures.beyond_classes, 4),
                tolerance=round(found.measures.tolerance, 4),
            ),
        )
        for concept, found in zip(inputs.concepts.concepts, grades, strict=True)
    )


def concept_scores(inputs: Inputs, measured: Measurements) -> ConceptScores:
    """The grades of a study's concepts alone."""
    return ConceptScores(concepts=concept_results(inputs, graded(inputs, measured)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else finite_or_none(round(value, 4))


def believed(grades: list[GradedConcept]) -> NDArray[np.bool_]:
    """`[concept]`: takes part in summaries and explanations."""
    return np.array([found.grade is not Grade.NOT_SEEN for found in grades], dtype=bool)


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains failures of one study: strengths read off the model, and what is usual of each class's right images."""

    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    strengths: Float64
    belongs: NDArray[np.bool_]
    believed: NDArray[np.bool_]
    usual: tuple[Float64, ...]

    @classmethod
    def of(cls, inputs: Inputs, measured: Measurements, may_speak: NDArray[np.bool_]) -> Explainer:
        """`may_speak [concept]`: see `believed`."""
        strengths = measured.lens.strengths(measured.embeddings)
        classes = inputs.model.class_names
        belongs = (
            belonging_by_strength(measured.lens.cosines(measured.vlm_embeddings), measured.labels, len(classes))
            if inputs.attributes is None
            else belonging_by_table(inputs.attributes)
        )
        right = measured.labels == measured.outputs
        usual = tuple(strengths[right & (measured.labels == index)] for index in range(len(classes)))
        return cls(classes, inputs.concepts.names, strengths, belongs, may_speak, usual)

    def explanation(self, row: int, label: int, output: int) -> Explanation:
        """Why the test image in `row` was taken for `output`."""
        reasons = contrast(
            self.strengths[row], self.usual[label], self.belongs, self.believed, label=label, output=output
        )
        return Explanation(
            sentence=sentence(reasons, self.concepts, self.classes[label], self.classes[output]),
            reasons=tuple(
                Reason(concept=self.concepts[reason.concept], side=reason.side.value, share=round(reason.share, 4))
                for reason in reasons
            ),
        )
