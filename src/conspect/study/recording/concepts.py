"""Grades of the study's concepts, and its failures explained in those that may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.concepts.grades import ConceptEvidence, Grade, GradedConcept, grade_concepts
from conspect.analysis.concepts.meaningless import (
    MOST_WORDS,
    Behaviour,
    length_in_words,
    meaningless_texts,
    p_values_of_meaning,
)
from conspect.analysis.explanation.contrast import (
    LEAST_USUAL,
    ContrastCase,
    Standing,
    Vocabulary,
    belonging_by_strength,
    contrast,
    nothing_stands_out,
    sentence,
    unusual_unknown,
)
from conspect.analysis.prompts import concept_directions, variant_directions
from conspect.core.capabilities import concept_labels_of
from conspect.core.concepts import Concept as Word
from conspect.core.spaces import Float64
from conspect.core.vectors import unit
from conspect.results.concepts import Concept, ConceptMeasures, ConceptScores
from conspect.results.localization import Explanation, Reason
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.shares import finite_or_none

RANK_CUTOFF = 1e-4
# Grades are of so many images at most, and what is usual of a class is read off them.
GRADED, SAMPLE_SEED = 20_000, 0
# Texts without meaning that concepts are held against are always the same ones: they are embedded once and kept. Longer ones take
# longer, and few concepts are so long.
MEANINGLESS, MEANINGLESS_LONG, MEANINGLESS_SEED = 300, 100, 0
TWO_WORDS = 2
LENGTHS = (TWO_WORDS, 4, MOST_WORDS)


@dataclass(frozen=True, eq=False)
class ConceptSample:
    """Strengths `[image, concept]` of at most `GRADED` test images, by the model and by the VLM itself.

    `images`: which of the test images; `labels` and `outputs [image]`; `embeddings [image, D]`
    and `vlm_embeddings [image, E]`.
    """

    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    outputs: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    vlm_embeddings: NDArray[np.float32]
    by_model: Float64
    by_vlm: Float64

    @classmethod
    def of(cls, measured: Measurements) -> ConceptSample:
        """All test images, or a sample: the same one wherever grades are asked for, or a study would have two of them."""
        images, lens = measured.test.sample(GRADED, SAMPLE_SEED), measured.lens
        z, seen = measured.test.model_embeddings(images), measured.test.vlm_embeddings(images)
        return cls(
            images,
            measured.labels[images],
            measured.outputs[images],
            z,
            seen,
            lens.strengths(z),
            lens.cosines(seen),
        )


def graded(inputs: StudyInputs, measured: Measurements, sample: ConceptSample) -> list[GradedConcept]:
    """A grade for each concept of the study, on its test images."""
    seen = unit(sample.vlm_embeddings)
    return grade_concepts(
        ConceptEvidence(
            by_vlm=sample.by_vlm,
            by_model=sample.by_model,
            labels=sample.labels,
            classes=seen @ measured.class_directions.T,
            variants=[seen @ variants.T for variants in measured.variant_directions],
            table=inputs.attributes,
            presence=_presence(inputs, measured.test.rows[sample.images]),
            phrases=[concept.phrases for concept in inputs.concepts.concepts],
            class_names=inputs.model.class_names,
            meaning=lambda concepts: _meaning(inputs, measured, seen, sample.labels, concepts),
        )
    )


def _meaning(
    inputs: StudyInputs, measured: Measurements, seen: Float64, labels: NDArray[np.int64], concepts: Sequence[int]
) -> Float64:
    """p-values of `concepts` behaving like words without meaning of their length; `seen [image, E]`: unit embeddings."""
    templates, p_values = inputs.concepts.concept_templates, np.ones(len(concepts))
    lengths = np.array([_length(inputs.concepts.concepts[k].phrases) for k in concepts])
    for length in np.unique(lengths):
        count = MEANINGLESS if length <= TWO_WORDS else MEANINGLESS_LONG
        nonsense = [Word(text, (text,)) for text in meaningless_texts(count, int(length), MEANINGLESS_SEED)]
        places = np.flatnonzero(lengths == length)
        asked = [concepts[int(place)] for place in places]
        theirs = Behaviour.of(
            measured.lens.directions[asked], [measured.variant_directions[k] for k in asked], seen, labels
        )
        try:
            directions = concept_directions(nonsense, templates, measured.read)
            null = Behaviour.of(directions, variant_directions(nonsense, templates, measured.read), seen, labels)
        except ValueError:
            p_values[places] = 0.0  # a VLM that gives them no direction tells them from all others itself
        else:
            p_values[places] = p_values_of_meaning(theirs, null)
    return p_values


def _length(phrases: Sequence[str]) -> int:
    """The length in words that texts without meaning are made in for these phrases: 2, 4 or 8."""
    return next(length for length in LENGTHS if length >= min(length_in_words(phrases), LENGTHS[-1]))


def _presence(inputs: StudyInputs, rows: NDArray[np.int64]) -> Float64 | None:
    """Labels `[image, concept]` of the images in `rows` where the data carry any: 1, 0, NaN for not known."""
    labelled = concept_labels_of(inputs.test)
    names = inputs.concepts.names
    if not set(names) & set(labelled.names):
        return None
    presence = np.full((len(rows), len(names)), np.nan)
    for place, name in enumerate(names):
        if name in labelled.names:
            presence[:, place] = labelled.presence[rows, labelled.names.index(name)]
    return presence


def words_rank(sample: ConceptSample) -> int:
    """In how many independent ways the concepts' strengths vary over the images, seen by the VLM: at most their number."""
    values = np.linalg.svd(sample.by_vlm - sample.by_vlm.mean(axis=0), compute_uv=False)
    return int((values > RANK_CUTOFF * values.max(initial=0.0)).sum())


def concept_results(inputs: StudyInputs, grades: list[GradedConcept]) -> tuple[Concept, ...]:
    """The records of results.json."""
    names = inputs.concepts.names
    return tuple(
        Concept(
            name=concept.name,
            phrases=concept.phrases,
            grade=grade.grade.value,
            reasons=grade.reasons,
            not_told_from=tuple(names[k] for k in grade.measures.group),
            measures=ConceptMeasures(
                separation=_rounded(grade.measures.separation),
                shown=_rounded(grade.measures.shown),
                meaning=_rounded(grade.measures.meaning),
                stability=_rounded(grade.measures.stability),
                agreement=round(grade.measures.agreement, 4),
                r2=round(grade.measures.r2, 4),
                beyond_classes=round(grade.measures.beyond_classes, 4),
                tolerance=round(grade.measures.tolerance, 4),
            ),
        )
        for concept, grade in zip(inputs.concepts.concepts, grades, strict=True)
    )


def concept_scores(inputs: StudyInputs, measured: Measurements) -> ConceptScores:
    """The grades of a study's concepts alone."""
    sample = ConceptSample.of(measured)
    return ConceptScores(concepts=concept_results(inputs, graded(inputs, measured, sample)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else finite_or_none(round(value, 4))


def believed(grades: Sequence[GradedConcept]) -> NDArray[np.bool_]:
    """`[concept]`: takes part in summaries and explanations."""
    return np.array([grade.speaks for grade in grades], dtype=bool)


def surely_seen(grades: Sequence[GradedConcept]) -> NDArray[np.bool_]:
    """`[concept]`: graded seen, itself or as one with its group; only such concepts make headlines."""
    return np.array(
        [grade.speaks and (grade.grade is Grade.SEEN or grade.seen_as_group) for grade in grades], dtype=bool
    )


def standing(grade: GradedConcept) -> Standing:
    """How far the concept may speak in a sentence."""
    if not grade.speaks:
        return Standing.SILENT
    if grade.grade is Grade.SEEN:
        return Standing.SEEN
    if grade.seen_as_group:
        return Standing.IN_GROUP
    return Standing.IN_PART if grade.checked else Standing.UNCHECKED


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains failures of one study by what is usual of each class's right images, `usual [class][image, concept]`."""

    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    vocabulary: Vocabulary
    usual: tuple[Float64, ...]

    @classmethod
    def of(cls, inputs: StudyInputs, sample: ConceptSample, grades: Sequence[GradedConcept]) -> Explainer:
        """With the `grades` of the study's concepts."""
        classes = inputs.model.class_names
        # The first member stands for a group.
        group = np.array([min((place, *grade.measures.group)) for place, grade in enumerate(grades)], dtype=np.int64)
        speaking = believed(grades)
        of_group, sign = _group_strengths(sample.by_vlm, np.where(speaking, group, -1))
        carried = inputs.attributes.shares if inputs.attributes is not None else None
        if carried is None:
            rising = belonging_by_strength(of_group, sample.labels, len(classes))
            falling = belonging_by_strength(-of_group, sample.labels, len(classes))
            carried = np.where(sign > 0, rising, falling).astype(np.float64)
        right = sample.labels == sample.outputs
        usual = tuple(sample.by_model[right & (sample.labels == index)] for index in range(len(classes)))
        standings = np.array([standing(grade) for grade in grades], dtype=np.int64)
        return cls(classes, inputs.concepts.names, Vocabulary(carried, standings, group, sign), usual)

    def explanation(
        self, strengths: Float64, label: int, output: int, *, failed: bool = True, median_of: int = 1
    ) -> Explanation:
        """Why an image with `strengths [concept]` has the output `output` and not `label`; `failed`: that is its class.

        `median_of`: the strengths are medians of so many images.
        """
        what = ContrastCase(self.classes[label], self.classes[output], failed, median_of)
        usual, vocabulary = self.usual[label], self.vocabulary
        reasons = contrast(strengths, usual, vocabulary, label=label, output=output)
        if reasons:
            words = sentence(reasons, self.concepts, what, vocabulary.standing)
        elif len(usual) < LEAST_USUAL:
            words = unusual_unknown(what, len(usual))
        else:
            words = nothing_stands_out(what, self.concepts, vocabulary, label=label, output=output)
        return Explanation(
            sentence=words,
            reasons=tuple(
                Reason(
                    concept=self.concepts[reason.concept],
                    side=reason.side.value,
                    share=round(reason.share, 4),
                    images=reason.images,
                    twins=tuple(self.concepts[k] for k in reason.twins),
                    opposites=tuple(self.concepts[k] for k in reason.opposites),
                )
                for reason in reasons
            ),
        )


def _group_strengths(strengths: Float64, group: NDArray[np.int64]) -> tuple[Float64, NDArray[np.int64]]:
    """Of `strengths [image, concept]` the mean of each concept's `group [concept]`, in standard deviations, and `sign [concept]`:
    -1 for concepts that fall where the first of their group rises, and enter the mean the other way round.
    """
    spread = strengths.std(axis=0)
    scaled = (strengths - strengths.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    sign, of_group = np.ones(len(group), dtype=np.int64), scaled.copy()
    for number in np.unique(group[group >= 0]):
        members = np.flatnonzero(group == number)
        sign[members] = np.where(scaled[:, members].T @ scaled[:, members[0]] >= 0, 1, -1)
        of_group[:, members] = (scaled[:, members] * sign[members]).mean(axis=1, keepdims=True)
    return of_group, sign
