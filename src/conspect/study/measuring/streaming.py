"""Alignment, heatmaps and localization of embeddings that are read a part at a time, in memory that does not grow with them.

Two passes: one for the alignment (and a sample for the refitted head), one that tallies. Each part's work is a task of an
engine; what comes back is a record whose size depends on classes, concepts and dimensions, and records are added up in
the order of the parts, so that every engine gives the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.alignment import PENALTIES, AlignmentSums, FittedAlignment, fit, fold_sums
from conspect.analysis.tallies import Reading, Tallies, merged
from conspect.core.protocols import Engine, PairedRows, Progress, unseen
from conspect.core.spaces import Floats, Head
from conspect.statistics.logistic import LogisticModel, fit_logistic

Labels = NDArray[np.int64]
FOLDS = 5
# Rows of a task, and of the blocks in which it reads them: a block of 512 dimensions is 16 MB, and 32 MB as float64.
TASK_ROWS, BLOCK_ROWS = 65_536, 8192
# Records come back to one process, tens of megabytes each: their number must not grow with the images for ever.
MOST_TASKS = 1024
# A refitted head has D x classes parameters; beyond so many images it does not get better, only dearer.
SAMPLE = 20_000


def parts(rows: int, size: int = TASK_ROWS, start: int = 0) -> list[range]:
    """Consecutive ranges of the rows from `start` to `rows` - 1: `size` each, more where there would be over `MOST_TASKS`."""
    size = max(size, -(-(rows - start) // MOST_TASKS))
    return [range(first, min(first + size, rows)) for first in range(start, rows, size)]


def fold_sums_of(
    pairs: PairedRows, engine: Engine, *, folds: int = FOLDS, progress: Progress = unseen
) -> list[AlignmentSums]:
    """Sums of each fold over all pairs; image k belongs to fold k mod `folds`."""
    total: list[AlignmentSums] | None = None
    for found in engine.map(partial(_fold_sums, pairs, folds), parts(len(pairs)), progress):
        total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
    if total is None:
        raise ValueError("there are no images to align")
    return total


def aligned(
    pairs: PairedRows,
    engine: Engine,
    *,
    folds: int = FOLDS,
    penalties: Sequence[float] = PENALTIES,
    progress: Progress = unseen,
) -> FittedAlignment:
    """As `alignment.fit_arrays` on arrays that need not fit into memory."""
    return fit(fold_sums_of(pairs, engine, folds=folds, progress=progress), penalties)


class Answers(Protocol):
    """What is known of images: labels, the model's outputs and a refitted head's, class indices `[image]` each."""

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`, whose embeddings are `z [image, D]`."""


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """Answers that are arrays `[image]` already."""

    labels: Labels
    outputs: Labels
    refitted: Labels

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`."""
        part = slice(rows.start, rows.stop)
        return self.labels[part], self.outputs[part], self.refitted[part]


@dataclass(frozen=True, eq=False)
class ComputedAnswers:
    """Outputs by the model's head; refitted ones by `heads`, of which head k was not fitted on the images k mod folds."""

    labels: Labels
    head: Head
    heads: tuple[LogisticModel, ...]

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`, whose embeddings are `z [image, D]`."""
        outputs = np.asarray(self.head.logits(z).argmax(1), dtype=np.int64)
        refitted = np.empty(len(rows), dtype=np.int64)
        folds = len(self.heads)
        for fold, model in enumerate(self.heads):
            own = slice((fold - rows.start) % folds, None, folds)
            refitted[own] = (z[own] @ model.weight + model.bias).argmax(1)
        return self.labels[rows.start : rows.stop], outputs, refitted


def refitted_heads(
    pairs: PairedRows, labels: Labels, classes: int, engine: Engine, *, seed: int, progress: Progress = unseen
) -> tuple[LogisticModel, ...]:
    """Heads for `ComputedAnswers`, fitted on a sample of at most `SAMPLE` images drawn with `seed`."""
    number = min(SAMPLE, len(pairs))
    rows = np.sort(np.random.default_rng(seed).choice(len(pairs), number, replace=False, shuffle=False))
    tasks = [
        (part, rows[np.searchsorted(rows, part.start) : np.searchsorted(rows, part.stop)]) for part in parts(len(pairs))
    ]
    z = np.concatenate(list(engine.map(partial(_sampled, pairs), tasks, progress)))
    found = []
    for fold in range(FOLDS):
        others = rows % FOLDS != fold
        found.append(fit_logistic(z[others], labels[rows[others]], classes))
    return tuple(found)


def tallied(
    pairs: PairedRows, reading: Reading, answers: Answers, engine: Engine, *, progress: Progress = unseen
) -> Tallies:
    """The tallies of all images, from which heatmaps, localization and the alignment's quality follow."""
    return merged(engine.map(partial(_tally, pairs, reading, answers), parts(len(pairs)), progress))


def _fold_sums(pairs: PairedRows, folds: int, rows: range, progress: Progress) -> list[AlignmentSums]:
    total: list[AlignmentSums] | None = None
    for block, z, y in _blocks(pairs, rows, progress):
        found = fold_sums(z, y, block.start, folds)
        total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
    assert total is not None  # no task is empty
    return total


def _tally(pairs: PairedRows, reading: Reading, answers: Answers, rows: range, progress: Progress) -> Tallies:
    def shares() -> Iterator[Tallies]:
        for block, z, y in _blocks(pairs, rows, progress):
            labels, outputs, refitted = answers.of(block, z)
            yield reading.tally(z, y, labels=labels, outputs=outputs, refitted=refitted)

    return merged(shares())


def _sampled(pairs: PairedRows, task: tuple[range, NDArray[np.int64]], progress: Progress) -> NDArray[np.float32]:
    rows, chosen = task
    found = []
    for block, z, _ in _blocks(pairs, rows, progress):
        found.append(z[chosen[(chosen >= block.start) & (chosen < block.stop)] - block.start])
    return np.concatenate(found)


def _blocks(
    pairs: PairedRows, rows: range, progress: Progress
) -> Iterator[tuple[range, NDArray[np.float32], NDArray[np.float32]]]:
    for block in parts(rows.stop, BLOCK_ROWS, rows.start):
        yield block, *pairs.read(block)
        progress(len(block))
