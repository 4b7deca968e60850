"""Accuracy before and after: in all, by class, by slice; and the images that changed sides."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from conspect.comparison.shares import corrected, independent, paired, together
from conspect.results.comparison import Accuracy, ChangedImage, ShareChange
from conspect.results.results import Results

# Every misclassified image of a study.
Failures: TypeAlias = tuple[ChangedImage, ...]
# Of each kind; all of them are counted.
IMAGES_LISTED = 100


def listed_failures(results: Results) -> Failures | None:
    """Every failure of the record; None where it holds only the first of them."""
    if len(results.localization.images) < results.localization.failures:
        return None
    return tuple(ChangedImage(id=one.id, label=one.label, output=one.output) for one in results.localization.images)


def accuracy(before: Results, after: Results, failures: tuple[Failures, Failures] | None) -> Accuracy:
    """Differences with simultaneous intervals by class and by slice.

    `failures`: every failure of both, where both saw the same images; None: shares meet as those of two samples.
    """
    confidence = after.asked.confidence
    pairs = None if failures is None else _Pairs(*failures)
    ours, theirs = after.model.accuracy_interval, before.model.accuracy_interval
    overall = (
        independent("accuracy", theirs, ours, confidence)
        if pairs is None
        else paired("accuracy", theirs, ours, (len(pairs.fixed), len(pairs.broken)), confidence)
    )
    recalls = {quality.class_name: quality.recall for quality in before.model.by_class}
    shared = [quality for quality in after.model.by_class if quality.class_name in recalls]
    each = together(confidence, len(shared))
    by_class = []
    for quality in shared:
        name = quality.class_name
        if pairs is None:
            by_class.append(independent(name, recalls[name], quality.recall, each))
        else:
            moved = pairs.fixed_by_class[name], pairs.broken_by_class[name]
            by_class.append(paired(name, recalls[name], quality.recall, moved, each))
    return Accuracy(
        overall=overall,
        by_class=corrected(by_class),
        by_slice=_by_slice(before, after, confidence),
        fixed=None if pairs is None else tuple(pairs.fixed[:IMAGES_LISTED]),
        broken=None if pairs is None else tuple(pairs.broken[:IMAGES_LISTED]),
    )


class _Pairs:
    """Failures of one of two models alone, by id and by class."""

    def __init__(self, before: Failures, after: Failures) -> None:
        theirs = {failure.id: failure for failure in before}
        ours = {failure.id: failure for failure in after}
        self.fixed = [theirs[name] for name in sorted(theirs.keys() - ours.keys())]
        self.broken = [ours[name] for name in sorted(ours.keys() - theirs.keys())]
        self.fixed_by_class = Counter(failure.label for failure in self.fixed)
        self.broken_by_class = Counter(failure.label for failure in self.broken)


def _by_slice(before: Results, after: Results, confidence: float) -> tuple[ShareChange, ...]:
    """Slices that both studies have. Which failures lie in a slice is not in the record, so they meet as two samples."""
    if before.slices is None or after.slices is None:
        return ()
    theirs = {(part.column, part.value): part.accuracy for part in before.slices.slices}
    shared = [part for part in after.slices.slices if (part.column, part.value) in theirs]
    each = together(confidence, len(shared))
    return corrected(
        [
            independent(f"{part.column} = {part.value}", theirs[part.column, part.value], part.accuracy, each)
            for part in shared
        ]
    )
