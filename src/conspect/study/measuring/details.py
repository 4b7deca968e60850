"""What is said of single images beside their answers: confidence, strengths, broken pairs. Read a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import Shards
from conspect.analysis.evidence import BrokenPair, UsualPairs
from conspect.core.protocols import Engine, Progress, unseen
from conspect.core.spaces import Float64, Head, Lens
from conspect.study.measuring.facts import confidence_of
from conspect.study.measuring.measurements import Measurements

# Images of a task, and pairs that are named for each.
PART, BROKEN_PAIRS = 4096, 3


@dataclass(frozen=True, eq=False)
class ImageDetails:
    """Of the `images` of a split: softmax of the output `confidence [image]`, `strengths [image, concept]`, broken pairs."""

    images: NDArray[np.int64]
    confidence: Float64
    strengths: Float64
    broken: list[list[BrokenPair]]


@dataclass(frozen=True, eq=False)
class _Question:
    """What a worker needs for any image; `usual [class]`."""

    shards: Shards
    head: Head
    lens: Lens
    usual: tuple[UsualPairs, ...]


def image_details(
    measured: Measurements, head: Head, images: NDArray[np.int64], engine: Engine, *, progress: Progress = unseen
) -> Iterator[ImageDetails]:
    """The details of the chosen test images, in that order, a part at a time; the work is the engine's."""
    usual = tuple(UsualPairs(counts) for counts in measured.tallies.heatmaps.ground_truth())
    question = _Question(measured.test.pairs.z, head, measured.lens, usual)
    parts = (images[start : start + PART] for start in range(0, len(images), PART))
    tasks = ((part, measured.test.rows[part], measured.labels[part]) for part in parts)
    return engine.map(partial(_details, question), tasks, progress)


def _details(
    question: _Question, task: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], progress: Progress
) -> ImageDetails:
    images, rows, labels = task
    z = question.shards.rows(rows)
    confidence = confidence_of(question.head.logits(z))
    strengths = question.lens.strengths(z)
    pairs = [
        question.usual[label].broken(row, limit=BROKEN_PAIRS) for label, row in zip(labels, strengths, strict=True)
    ]
    progress(len(images))
    return ImageDetails(images, confidence, strengths, pairs)
