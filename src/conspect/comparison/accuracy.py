"""Accuracy before and after: in all, by class, by slice; and the images that changed sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from conspect.comparison.shares import corrected, independent, paired, together
from conspect.results.comparison import Accuracy, ChangedImage, ShareChange
from conspect.results.results import Results

# Of each kind; all of them are counted.
IMAGES_LISTED = 100


@dataclass(frozen=True)
class Failures:
    """Every misclassified image of a study.

    `values`: a column of metadata to the value of each of these images by id, None where it has none; a column that is not
    in it is not known, as where results.json is all there is.
    """

    images: tuple[ChangedImage, ...]
    values: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)


def listed_failures(results: Results) -> Failures | None:
    """Every failure of the record; None where it holds only the first of them."""
    if len(results.localization.images) < results.localization.failures:
        return None
    images = results.localization.images
    return Failures(tuple(ChangedImage(id=image.id, label=image.label, output=image.output) for image in images))


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
        by_class=corrected(by_class, confidence),
        by_slice=_by_slice(before, after, confidence, pairs),
        fixed=None if pairs is None else tuple(pairs.fixed[:IMAGES_LISTED]),
        broken=None if pairs is None else tuple(pairs.broken[:IMAGES_LISTED]),
    )


class _Pairs:
    """Failures of one of two models alone, by id and by class."""

    def __init__(self, before: Failures, after: Failures) -> None:
        self.before, self.after = before, after
        theirs = {failure.id: failure for failure in before.images}
        ours = {failure.id: failure for failure in after.images}
        self.fixed = [theirs[name] for name in sorted(theirs.keys() - ours.keys())]
        self.broken = [ours[name] for name in sorted(ours.keys() - theirs.keys())]
        self.fixed_by_class = Counter(failure.label for failure in self.fixed)
        self.broken_by_class = Counter(failure.label for failure in self.broken)

    def moved(self, column: str, value: str, failing: tuple[int, int]) -> tuple[int, int] | None:
        """How many images of a slice were fixed and how many were broken, if both tables know the column.

        None also where they do not hold as many `failing` images (before, after) of the slice as the results say, or an
        image that fails in both changed its value: then the two slices are not of the same images.
        """
        theirs, ours = self.before.values.get(column), self.after.values.get(column)
        if theirs is None or ours is None or any(theirs[name] != ours[name] for name in theirs.keys() & ours.keys()):
            return None
        if (_count(theirs, value), _count(ours, value)) != failing:
            return None
        fixed = sum(theirs[failure.id] == value for failure in self.fixed)
        return fixed, sum(ours[failure.id] == value for failure in self.broken)


def _count(values: Mapping[str, str | None], value: str) -> int:
    return sum(given == value for given in values.values())


def _by_slice(before: Results, after: Results, confidence: float, pairs: _Pairs | None) -> tuple[ShareChange, ...]:
    """Slices that both studies have: image by image where the tables of failures say which lie in them, else as two samples."""
    if before.slices is None or after.slices is None:
        return ()
    theirs = {(part.column, part.value): part.accuracy for part in before.slices.slices}
    shared = [part for part in after.slices.slices if (part.column, part.value) in theirs]
    each = together(confidence, len(shared))
    changes = []
    for part in shared:
        name, then, now = f"{part.column} = {part.value}", theirs[part.column, part.value], part.accuracy
        failing = then.n - then.successes, now.n - now.successes
        moved = None if pairs is None or then.n != now.n else pairs.moved(part.column, part.value, failing)
        changes.append(independent(name, then, now, each) if moved is None else paired(name, then, now, moved, each))
    return corrected(changes, confidence)
