"""The failure groups of a study, searched among at most so many of its test images that the time does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conspect.analysis.concepts.grades import Grade, GradedConcept
from conspect.analysis.explanation.contrast import belonging_by_strength
from conspect.analysis.explanation.failure_groups import FailureGroup, Rate, find_failure_groups
from conspect.analysis.explanation.group_words import group_sentence, search_sentence, thin_sentence
from conspect.analysis.explanation.standing_out import Sayable
from conspect.results import failure_groups as records
from conspect.results.shares import Share
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import ConceptSample
from conspect.study.recording.shares import share

IMAGES_LISTED = 100


def failure_group_results(
    inputs: StudyInputs,
    measured: Measurements,
    sample: ConceptSample,
    grades: Sequence[GradedConcept],
    *,
    confidence: float,
    seed: int,
) -> tuple[tuple[records.FailureGroup, ...], records.FailureSearch]:
    """Groups over the concepts that are graded seen, as the VLM sees them on the images, and what they were searched among."""
    classes, concepts = inputs.model.class_names, inputs.concepts.names
    seen = np.flatnonzero([search.grade is Grade.SEEN for search in grades])
    search = find_failure_groups(
        sample.by_vlm,
        sample.labels,
        sample.outputs,
        seen,
        _sayable(inputs, sample),
        seed=seed,
        alpha=1 - confidence,
    )
    failures = int((sample.labels != sample.outputs).sum())

    def recorded(group: FailureGroup) -> records.FailureGroup:
        of_all = len(group.failures) / failures
        return records.FailureGroup(
            label=None if group.label is None else classes[group.label],
            output=None if group.output is None else classes[group.output],
            conditions=tuple(
                records.GroupCondition(concept=concepts[condition.concept], shown="most" if condition.more else "least")
                for condition in group.conditions
            ),
            sentence=group_sentence(group, concepts, classes, of_all),
            failures=len(group.failures),
            share=round(of_all, 4),
            inside=_share(group.inside, confidence),
            outside=_share(group.outside, confidence),
            p_value=group.p_value,
            images=tuple(measured.ids[sample.images[row]] for row in group.failures[:IMAGES_LISTED]),
        )

    return tuple(recorded(group) for group in search.groups), records.FailureSearch(
        images=len(sample.labels),
        failures=failures,
        tried=search.tried,
        checked=search.checked,
        sentence=search_sentence(search, len(sample.labels), failures),
        thin=tuple(
            records.ThinCombination(
                class_name=classes[thin.label],
                concepts=(concepts[thin.concepts[0]], concepts[thin.concepts[1]]),
                images=thin.images,
                expected=round(thin.expected, 2),
                sentence=thin_sentence(thin, concepts, classes),
            )
            for thin in search.thin
        ),
    )


def _sayable(inputs: StudyInputs, sample: ConceptSample) -> Sayable:
    """By the class-attribute table; without one a class carries what its images show more than others, and may show anything."""
    table, classes = inputs.attributes, len(inputs.model.class_names)
    if table is not None:
        return Sayable(table.relevant, table.irrelevant)
    carries = belonging_by_strength(sample.by_vlm, sample.labels, classes)
    return Sayable(carries, np.zeros_like(carries))


def _share(rate: Rate, confidence: float) -> Share:
    return share(rate.failures, rate.images, confidence)
