"""The first screen: what the study is of, what was found, and what can be asked of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime import VERDICTS
from conspect.results.exploration import (
    ConceptEntry,
    CountedPair,
    FoundGroup,
    ProvedShare,
    Sentence,
    StudyOverview,
    StudyState,
)
from conspect.results.results import Results
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex

MOST_SLICE_VALUES = 100
MOST_PAIRS = 40
# Proofs are told for regions that hold this share of the images of their class.
HEADLINE = 0.9


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
    compared: str | None,
    has_files: bool,
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
        groups=tuple(FoundGroup(group.sentence, group.failures, group.images) for group in results.failure_groups),
        diagnoses=tuple(sorted(set(annotations.diagnoses.values()))),
        slices={
            column: values
            for column, entries in annotations.metadata.items()
            if 1 < len(values := tuple(sorted({entry for entry in entries if entry is not None}))) <= MOST_SLICE_VALUES
        },
        tags=tuple(sorted({tag for tags in annotations.tags.values() for tag in tags})),
        has_monitor=annotations.verdicts is not None,
        has_properties=results.verification is not None,
        digest=digest,
        broken_pairs=_broken_pairs(results, annotations),
        verdicts={} if annotations.verdicts is None else _counted(annotations.verdicts),
        compared=compared,
        has_files=has_files,
        proved=_proved(results),
    )


def _broken_pairs(results: Results, annotations: Annotations) -> tuple[CountedPair, ...]:
    """The pairs that most failures lack, of concepts that are seen at least in part: others take part in no summary."""
    unseen = {concept.name for concept in results.concepts if concept.grade == "not seen"}
    counted = [
        CountedPair(pair, len(rows))
        for pair, rows in annotations.broken.items()
        if unseen.isdisjoint(pair.split(" > "))
    ]
    return tuple(sorted(counted, key=lambda entry: (-entry.failures, entry.pair))[:MOST_PAIRS])


def _proved(results: Results) -> ProvedShare | None:
    """The headline of the proofs: over regions of the study's own, whatever region the specifications name."""
    coverage = None if results.verification is None else results.verification.provable_coverage
    if coverage is None or not coverage.properties:
        return None
    rows = [row for row in coverage.best.rows if row.coverage == HEADLINE]
    return ProvedShare(HEADLINE, rows[0].proved, len(coverage.properties)) if rows else None


def _counted(verdicts: NDArray[np.int8]) -> dict[str, int]:
    counts = np.bincount(verdicts, minlength=len(VERDICTS))
    return {name: int(n) for name, n in zip(VERDICTS, counts, strict=True)}
