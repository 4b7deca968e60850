"""Heatmap cells, failure groups and concepts that changed; every test corrected over its family."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.comparison.accuracy import Failures
from conspect.comparison.orders import Orders, PairedOrders
from conspect.results.comparison import ChangedCell, ConceptChange, FailureGroup, FoundGroupChange, HeatmapChange
from conspect.results.failure_groups import FailureGroup as FoundGroup
from conspect.results.results import Results
from conspect.results.shares import Share
from conspect.statistics.paired import mcnemar_each
from conspect.statistics.testing import fisher_two_sided, holm

CELLS_LISTED = 50


@dataclass(frozen=True, eq=False)
class CellTests:
    """Heatmap cells that two studies share, each tested: `cells` (class, first, second concept) with first before second.

    `old`, `new [cell, 2]`: images in which the first is the stronger, and images. `moved [cell, 2]`: images in which it is so
    only after, and only before; -1 where the cell is not `paired [cell]`. `p_values [cell]`: exact McNemar test on these where
    it is paired, else Fisher's exact test of two samples; adjusted by Holm over all cells.
    """

    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    cells: tuple[tuple[str, str, str], ...]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    moved: NDArray[np.int64]
    p_values: NDArray[np.float64]

    @property
    def paired(self) -> NDArray[np.bool_]:
        """`[cell]`: tested image by image."""
        return np.asarray(self.moved[:, 0] >= 0)


def cell_tests(before: Results, after: Results, orders: tuple[Orders | None, Orders | None]) -> CellTests | None:
    """Cells of the classes and shown concepts that both have; None when there is none. Their order may differ.

    `orders`: of both, where they saw the same images. A cell is paired where these tables give the very counts of the results.
    """
    classes = tuple(name for name in after.classes if name in before.classes)
    concepts = tuple(name for name in after.heatmaps.concepts if name in before.heatmaps.concepts)
    if not classes or len(concepts) < 2:
        return None
    cells = tuple((c, i, j) for c in classes for k, i in enumerate(concepts) for j in concepts[k + 1 :])
    ours, theirs = _counts(after), _counts(before)
    new, old = np.array([ours[cell] for cell in cells]), np.array([theirs[cell] for cell in cells])
    moved = _moved(PairedOrders.of(*orders, concepts), classes, old, new)
    paired = moved[:, 0] >= 0
    p_values = np.ones(len(cells))
    p_values[paired] = mcnemar_each(moved[paired, 0], moved[paired, 1])
    alone = ~paired
    p_values[alone] = fisher_two_sided(new[alone, 0], new[alone, 1], old[alone, 0], old[alone, 1])
    return CellTests(classes, concepts, cells, old, new, moved, holm(p_values))


def _moved(
    pairs: PairedOrders | None, classes: tuple[str, ...], old: NDArray[np.int64], new: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`moved` of the cells of all classes, class by class, each with as many cells as there are pairs of concepts."""
    if pairs is None:
        return np.full((len(new), 2), -1)
    parts = []
    for label, then, now in zip(classes, np.split(old, len(classes)), np.split(new, len(classes)), strict=True):
        exchanged, images = pairs.exchanged(label), len(pairs.rows_of.get(label, ()))
        same = (
            (exchanged.before == then[:, 0])
            & (exchanged.after == now[:, 0])
            & (then[:, 1] == images)
            & (now[:, 1] == images)
        )
        parts.append(np.where(same[:, None], np.stack([exchanged.gained, exchanged.lost], axis=1), -1))
    return np.concatenate(parts)


def changed_cells(tests: CellTests, confidence: float) -> HeatmapChange:
    """The cells that changed beyond chance, the largest changes first."""
    old, new = tests.old, tests.new
    shares = np.stack([old[:, 0] / np.maximum(old[:, 1], 1), new[:, 0] / np.maximum(new[:, 1], 1)], axis=1)
    changed = np.flatnonzero(tests.p_values < 1 - confidence)
    largest = changed[np.argsort(-np.abs(shares[changed, 1] - shares[changed, 0]), kind="stable")]
    return HeatmapChange(
        tested=len(tests.cells),
        paired=int(tests.paired.sum()),
        changed=len(changed),
        cells=tuple(_cell(tests, int(k), *map(float, shares[k])) for k in largest[:CELLS_LISTED]),
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


def _cell(tests: CellTests, k: int, before: float, after: float) -> ChangedCell:
    """Written with the concept first that used to be the stronger one."""
    label, first, second = tests.cells[k]
    gained, lost = map(int, tests.moved[k])
    if before < 0.5:
        first, second, before, after, gained, lost = second, first, 1 - before, 1 - after, lost, gained
    paired = bool(tests.paired[k])
    return ChangedCell(
        class_name=label,
        stronger=first,
        weaker=second,
        before=before,
        after=after,
        p_value=float(tests.p_values[k]),
        pairing="paired" if paired else "independent",
        gained=gained if paired else None,
        lost=lost if paired else None,
    )


def failure_groups(
    before: Results, after: Results, failures: tuple[Failures, Failures] | None = None
) -> tuple[FailureGroup, ...]:
    """Classes taken for another whose number changed beyond chance, largest change first; one test per pair of classes.

    `failures`: every failure of both, where both saw the same images; None: the counts meet as those of two samples.
    """
    classes = [name for name in after.classes if name in before.classes]
    pairs = [(a, b) for a in classes for b in classes if a != b]
    if not pairs:
        return ()
    ours, theirs = _confusion(after), _confusion(before)
    counts = np.array([[*theirs[pair], *ours[pair]] for pair in pairs])  # [pair, (wrong, images) before and after]
    if failures is None:
        moved = None
        p_values = holm(fisher_two_sided(counts[:, 2], counts[:, 3], counts[:, 0], counts[:, 1]))
    else:
        then, now = ({(image.id, image.label, image.output) for image in side.images} for side in failures)
        joined, left = (Counter((label, output) for _, label, output in images) for images in (now - then, then - now))
        moved = np.array([[joined[pair], left[pair]] for pair in pairs])
        p_values = holm(mcnemar_each(moved[:, 0], moved[:, 1]))
    groups = [
        FailureGroup(
            label=label,
            output=output,
            before=int(counts[k, 0]),
            images_before=int(counts[k, 1]),
            after=int(counts[k, 2]),
            images_after=int(counts[k, 3]),
            p_value=float(p_values[k]),
            pairing="independent" if moved is None else "paired",
            joined=None if moved is None else int(moved[k, 0]),
            left=None if moved is None else int(moved[k, 1]),
        )
        for k, (label, output) in enumerate(pairs)
        if p_values[k] < 1 - after.asked.confidence
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
        sentence = (
            f"A group of failures that was found before is not found now (such images may still fail): {shown.sentence}"
        )
    elif before is None:
        sentence = f"A group of failures that was not found before: {shown.sentence}"
    else:
        sentence = (
            f"A group of failures is in both; {_rate(before.inside)} of its images failed before. Now: {shown.sentence}"
        )
    return FoundGroupChange(
        label=shown.label,
        output=shown.output,
        conditions=shown.conditions,
        before=None if before is None else before.inside,
        after=None if after is None else after.inside,
        sentence=sentence,
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
