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
from conspect.analysis.tallies import ImageAnswers, Interpreter, Tallies
from conspect.core.protocols import Engine, PairedRows, Progress, ProgressBar, silent, unseen
from conspect.core.spaces import Floats, Head
from conspect.statistics.logistic import LogisticModel, fit_logistic
from conspect.statistics.threads import one_thread

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


def blocks(stop: int, start: int = 0) -> list[range]:
    """Consecutive ranges of the rows from `start` to `stop` - 1, each small enough to be in memory."""
    return [range(first, min(first + BLOCK_ROWS, stop)) for first in range(start, stop, BLOCK_ROWS)]


def fold_sums_of(
    pairs: PairedRows, engine: Engine, *, folds: int = FOLDS, progress: Progress = unseen
) -> list[AlignmentSums]:
    """Sums of each fold over all pairs; image k belongs to fold k mod `folds`."""
    total: list[AlignmentSums] | None = None
    for sums in engine.map(partial(_fold_sums, pairs, folds), parts(len(pairs)), progress):
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
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
    """As `alignment.fit_arrays` on arrays that need not fit into memory.

    On one thread: proofs speak of this very lens, and a colleague with more cores has to find the same one, bit for bit.
    """
    with one_thread():
        return fit(fold_sums_of(pairs, engine, folds=folds, progress=progress), penalties)


def folds_of(images: int, seed: int, folds: int = FOLDS) -> Labels:
    """The fold `[image]` of each image for cross-validation: random, from `seed`, of equal size."""
    return np.asarray(np.random.default_rng(seed).permutation(images) % folds, dtype=np.int64)


class Answers(Protocol):
    """What is known of images: labels, the model's outputs and a refitted head's, class indices `[image]` each."""

    def part(self, rows: range) -> Answers:
        """What is known of consecutive `rows` alone, so that no task takes more along."""

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`, whose embeddings are `z [image, D]`."""


@dataclass(frozen=True, eq=False)
class ComputedAnswers:
    """Outputs by the model's head; refitted ones by `heads`, of which head k was not fitted on the images of fold k.

    `labels` and `folds [image]`, of the images from `start` on. Without heads every refitted answer is class 0.
    """

    labels: Labels
    head: Head
    heads: tuple[LogisticModel, ...]
    folds: Labels
    start: int = 0

    def part(self, rows: range) -> ComputedAnswers:
        """Those of consecutive `rows`."""
        own = slice(rows.start - self.start, rows.stop - self.start)
        return ComputedAnswers(self.labels[own], self.head, self.heads, self.folds[own], rows.start)

    def of(self, rows: range, z: Floats) -> tuple[Labels, Labels, Labels]:
        """Those of consecutive `rows`, whose embeddings are `z [image, D]`."""
        own = slice(rows.start - self.start, rows.stop - self.start)
        outputs = np.asarray(self.head.logits(z).argmax(1), dtype=np.int64)
        refitted, folds = np.zeros(len(rows), dtype=np.int64), self.folds[own]
        for fold, model in enumerate(self.heads):
            held_out = folds == fold
            refitted[held_out] = (z[held_out] @ model.weight + model.bias).argmax(1)
        return self.labels[own], outputs, refitted


def refitted_heads(
    pairs: PairedRows,
    labels: Labels,
    classes: int,
    engine: Engine,
    *,
    folds: Labels,
    seed: int,
    bar: ProgressBar = silent,
) -> tuple[LogisticModel, ...]:
    """A head for each fold, fitted on the others' images in a sample of at most `SAMPLE` drawn with `seed`; by the engine.

    `labels` and `folds [image]`. No head at all where there is one fold.
    """
    number = int(folds.max()) + 1
    if number < 2:
        return ()
    rows = sampled_rows(len(pairs), SAMPLE, seed)
    tasks = [
        (part, rows[np.searchsorted(rows, part.start) : np.searchsorted(rows, part.stop)]) for part in parts(len(pairs))
    ]
    advance = bar("refitted head", len(pairs) + number)
    z = np.concatenate(list(engine.map(partial(_sampled, pairs), tasks, advance)))
    heads = []
    for fold in range(number):
        others = folds[rows] != fold
        with one_thread():
            heads.append(fit_logistic(z[others], labels[rows[others]], classes))
        advance(1)
    return tuple(heads)


def sampled_rows(images: int, limit: int, seed: int) -> NDArray[np.int64]:
    """At most `limit` of the rows 0..images-1, ascending: all, or a random sample drawn with `seed`."""
    if images <= limit:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).choice(images, limit, replace=False, shuffle=False))


@dataclass(frozen=True, eq=False)
class PassTallies:
    """What one pass over all images gives: their tallies, and the answers on each."""

    tallies: Tallies
    answers: ImageAnswers


def counted(
    pairs: PairedRows, interpreter: Interpreter, answers: Answers, engine: Engine, *, progress: Progress = unseen
) -> PassTallies:
    """The tallies of all images, from which every count of the results follows, and what each is taken for."""
    total: Tallies | None = None
    each: list[ImageAnswers] = []
    tasks = ((rows, answers.part(rows)) for rows in parts(len(pairs)))
    for part in engine.map(partial(_counted, pairs, interpreter), tasks, progress):
        total = part.tallies if total is None else total + part.tallies
        each.append(part.answers)
    if total is None:
        raise ValueError("there are no images to count")
    return PassTallies(total, ImageAnswers.joined(each))


def _fold_sums(pairs: PairedRows, folds: int, rows: range, progress: Progress) -> list[AlignmentSums]:
    total: list[AlignmentSums] | None = None
    for block, z, y in _blocks(pairs, rows, progress):
        sums = fold_sums(z, y, block.start, folds)
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
    assert total is not None  # no task is empty
    return total


def _counted(
    pairs: PairedRows, interpreter: Interpreter, task: tuple[range, Answers], progress: Progress
) -> PassTallies:
    rows, answers = task
    total: Tallies | None = None
    each: list[ImageAnswers] = []
    for block, z, y in _blocks(pairs, rows, progress):
        labels, outputs, refitted = answers.of(block, z)
        tallies, taken_for = interpreter.tally(z, y, labels=labels, outputs=outputs, refitted=refitted)
        total = tallies if total is None else total + tallies
        each.append(taken_for)
    assert total is not None  # no task is empty
    return PassTallies(total, ImageAnswers.joined(each))


def _sampled(pairs: PairedRows, task: tuple[range, NDArray[np.int64]], progress: Progress) -> NDArray[np.float32]:
    rows, chosen = task
    chunks = []
    for block, z, _ in _blocks(pairs, rows, progress):
        chunks.append(z[chosen[(chosen >= block.start) & (chosen < block.stop)] - block.start])
    return np.concatenate(chunks)


def _blocks(
    pairs: PairedRows, rows: range, progress: Progress
) -> Iterator[tuple[range, NDArray[np.float32], NDArray[np.float32]]]:
    for block in blocks(rows.stop, rows.start):
        yield block, *pairs.read(block)
        progress(len(block))
