"""The first screen: what the study is of, what was found, and what can be asked of it."""

from __future__ import annotations

import numpy as np

from conspect.results.exploration import ConceptEntry, Sentence, StudyOverview, StudyState
from conspect.results.results import Results
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex

MOST_SLICE_VALUES = 100


def overview(
    name: str,
    results: Results,
    index: StudyIndex,
    annotations: Annotations,
    *,
    state: StudyState,
    concepts: tuple[ConceptEntry, ...],
    sentences: tuple[Sentence, ...],
    digest: str,
) -> StudyOverview:
    """What the first screen shows of a study."""
    accuracy = results.model.accuracy_interval
    sizes = np.bincount(index.labels, minlength=len(index.class_names))
    return StudyOverview(
        name=name,
        state=state,
        model=results.model.name,
        lens=results.vlm.name,
        dataset=results.dataset.name,
        split=results.dataset.split,
        images=len(index),
        failures=results.localization.failures,
        accuracy=results.model.accuracy,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        classes=index.class_names,
        images_of_class=tuple(int(n) for n in sizes),
        concepts=concepts,
        sentences=sentences,
        diagnoses=tuple(sorted(set(annotations.diagnoses.values()))),
        slices={
            column: values
            for column, entries in annotations.metadata.items()
            if 1 < len(values := tuple(sorted({entry for entry in entries if entry is not None}))) <= MOST_SLICE_VALUES
        },
        tags=tuple(sorted({tag for tags in annotations.tags.values() for tag in tags})),
        has_monitor=results.monitor is not None,
        has_properties=results.verification is not None,
        digest=digest,
    )
