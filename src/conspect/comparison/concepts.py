"""Heatmap cells, failure groups and concepts that changed; every test corrected over its family."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.results.comparison import ChangedCell, ConceptChange, FailureGroup, FoundGroupChange, HeatmapChange
from conspect.results.failure_groups import FailureGroup as FoundGroup
from conspect.results.results import Results
from conspect.results.shares import Share
from conspect.statistics.testing import fisher_two_sided, holm

CELLS_LISTED = 50


@dataclass(frozen=True, eq=False)
class CellTests:
    """Heatmap cells that two studies share, each tested: `cells` (class, first, second concept) with first before second.

    `old`, `new [cell, 2]`: images in which the first is the stronger, and images; `p_values [cell]`: Fisher's exact test,
    adjusted by Holm over all of them.
    """

    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    cells: tuple[tuple[str, str, str], ...]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    p_values: NDArray[np.float64]


def cell_tests(before: Results, after: Results) -> CellTests | None:
    """Cells of the classes and shown concepts that both have; None when there is none. Their order may differ."""
    classes = tuple(name for name in after.classes if name in before.classes)
    concepts = tuple(name for name in after.heatmaps.concepts if name in before.heatmaps.concepts)
    if not classes or len(concepts) < 2:
        return None
    cells = tuple((c, i, j) for c in classes for k, i in enumerate(concepts) for j in concepts[k + 1 :])
    ours, theirs = _counts(after), _counts(before)
    new, old = np.array([ours[cell] for cell in cells]), np.array([theirs[cell] for cell in cells])
    p_values = holm(fisher_two_sided(new[:, 0], new[:, 1], old[:, 0], old[:, 1]))
    return CellTests(classes, concepts, cells, old, new, p_values)


def heatmaps(before: Results, after: Results) -> HeatmapChange | None:
    """The cells that changed beyond chance, the largest changes first; None when there is nothing to compare."""
    tests = cell_tests(before, after)
    if tests is None:
        return None
    old, new = tests.old, tests.new
    shares = np.stack([old[:, 0] / np.maximum(old[:, 1], 1), new[:, 0] / np.maximum(new[:, 1], 1)], axis=1)
    changed = np.flatnonzero(tests.p_values < 1 - after.asked.confidence)
    largest = changed[np.argsort(-np.abs(shares[changed, 1] - shares[changed, 0]), kind="stable")]
    return HeatmapChange(
        tested=len(tests.cells),
        changed=len(changed),
        cells=tuple(
            _cell(tests.cells[k], float(shares[k, 0]), float(shares[k, 1]), float(tests.p_values[k]))
            for k in largest[:CELLS_LISTED]
        ),
    )


def _counts(results: Results) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(class, stronger, weaker) to (images in which it is so, images of the class)."""
    names = results.heatmaps.concepts
    return {
        (label, first, second): (matrix.greater[i][j], matrix.images)
        for label, matrix in zip(results.classes, results.heatmaps.ground_truth, strict=True)
        for i, first in enumerate(names)
        for j, second in enumerate(names)
        if i != j
    }


def _cell(cell: tuple[str, str, str], before: float, after: float, p_value: float) -> ChangedCell:
    """Written with the concept first that used to be the stronger one."""
    label, first, second = cell
    if before < 0.5:
        first, second, before, after = second, first, 1 - before, 1 - after
    return ChangedCell(class_name=label, stronger=first, weaker=second, before=before, after=after, p_value=p_value)


def failure_groups(before: Results, after: Results) -> tuple[FailureGroup, ...]:
    """Classes taken for another whose number changed beyond chance, largest change first; one test per pair of classes."""
    classes = [name for name in after.classes if name in before.classes]
    pairs = [(a, b) for a in classes for b in classes if a != b]
    if not pairs:
        return ()
    ours, theirs = _confusion(after), _confusion(before)
    counts = np.array([[*theirs[pair], *ours[pair]] for pair in pairs])  # [pair, (wrong, images) before and after]
    p_values = holm(fisher_two_sided(counts[:, 2], counts[:, 3], counts[:, 0], counts[:, 1]))
    groups = [
        FailureGroup(
            label=label,
            output=output,
            before=int(count[0]),
            images_before=int(count[1]),
            after=int(count[2]),
            images_after=int(count[3]),
            p_value=float(p),
        )
        for (label, output), count, p in zip(pairs, counts, p_values, strict=True)
        if p < 1 - after.asked.confidence
    ]
    return tuple(sorted(groups, key=lambda group: -abs(group.after - group.before)))


def found_groups(before: Results, after: Results) -> tuple[FoundGroupChange, ...]:
    """Groups of failures that were found in either study: new ones, those of both, and those not found any more."""
    theirs, ours = _found(before), _found(after)
    order = [*(key for key in ours if key not in theirs), *(key for key in ours if key in theirs)]
    order += [key for key in theirs if key not in ours]
    return tuple(_group_change(theirs.get(key), ours.get(key)) for key in order)


def _found(results: Results) -> dict[object, FoundGroup]:
    return {
        (
            group.label,
            group.output,
            frozenset((condition.concept, condition.shown) for condition in group.conditions),
        ): group
        for group in results.failure_groups
    }


def _group_change(before: FoundGroup | None, after: FoundGroup | None) -> FoundGroupChange:
    shown = after or before
    assert shown is not None
    if after is None:
        said = (
            f"A group of failures that was found before is not found now (such images may still fail): {shown.sentence}"
        )
    elif before is None:
        said = f"A group of failures that was not found before: {shown.sentence}"
    else:
        said = (
            f"A group of failures is in both; {_rate(before.inside)} of its images failed before. Now: {shown.sentence}"
        )
    return FoundGroupChange(
        label=shown.label,
        output=shown.output,
        conditions=shown.conditions,
        before=None if before is None else before.inside,
        after=None if after is None else after.inside,
        sentence=said,
    )


def _rate(share: Share) -> str:
    return f"{share.successes:,} of {share.n:,}"


def _confusion(results: Results) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (label, output): (count, sum(row))
        for label, row in zip(results.classes, results.model.confusion, strict=True)
        for output, count in zip(results.classes, row, strict=True)
    }


def concepts(before: Results, after: Results) -> tuple[ConceptChange, ...]:
    """Concepts that failures lose more or less often than before, beyond chance; the listed failures of both."""
    ours, theirs = _lost(after), _lost(before)
    failures = len(before.localization.images), len(after.localization.images)
    names = sorted(ours.keys() | theirs.keys())
    if not names or not all(failures):
        return ()
    counts = np.array([[theirs[name], ours[name]] for name in names])
    p_values = holm(fisher_two_sided(counts[:, 1], failures[1], counts[:, 0], failures[0]))
    return tuple(
        ConceptChange(
            concept=name,
            before=int(old),
            after=int(new),
            failures_before=failures[0],
            failures_after=failures[1],
            p_value=float(p),
        )
        for name, (old, new), p in zip(names, counts, p_values, strict=True)
        if p < 1 - after.asked.confidence
    )


def _lost(results: Results) -> Counter[str]:
    """How many of the listed failures have a concept weaker than one that it usually beats."""
    return Counter(
        name for failure in results.localization.images for name in {pair.stronger for pair in failure.went_wrong}
    )
