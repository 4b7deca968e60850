"""What is known of each test image by itself, for whoever asks about all of them again and again: one pass, kept in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.kept import kept_arrays
from conspect.adapters.store.places import Store
from conspect.core.digests import digest_arrays, digest_json
from conspect.core.protocols import ProgressBar
from conspect.core.spaces import Float64, Head, Lens
from conspect.core.vectors import confidences
from conspect.study.measuring.split import StoredSplit
from conspect.study.measuring.streaming import FOLDS, SAMPLE, Answers, Labels

FORMAT = 2


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Arrays `[image]`: the class of the output, its softmax in 0..1, |z|^2 of the model's embedding, and ||M z + d||."""

    outputs: NDArray[np.int64]
    confidence: NDArray[np.float32]
    squares: NDArray[np.float32]
    norms: Float64


def image_facts(split: StoredSplit, lens: Lens, head: Head, store: Store, bar: ProgressBar) -> ImageFacts:
    """Of all images of `split`: from the store where they were looked at before, with this lens and this head."""
    space = split.pairs.z
    key = [
        FORMAT,
        space.space,
        space.data,
        lens.alignment.digest,
        head.digest,
        digest_arrays({"": split.rows}),
    ]
    name = f"facts-{digest_json(key)[:32]}.safetensors"

    def make() -> dict[str, NDArray[np.generic]]:
        facts = looked_at(split, lens, head, bar)
        return {field.name: getattr(facts, field.name) for field in fields(ImageFacts)}

    return ImageFacts(**kept_arrays(store.place, name, make))


def looked_at(split: StoredSplit, lens: Lens, head: Head, bar: ProgressBar) -> ImageFacts:
    """The same, computed."""
    images = len(split)
    facts = ImageFacts(
        np.zeros(images, np.int64), np.zeros(images, np.float32), np.zeros(images, np.float32), np.zeros(images)
    )
    advance = bar("a first look at each image", images)

    def look(where: slice, z: NDArray[np.float32]) -> None:
        logits = head.logits(z)
        facts.outputs[where] = logits.argmax(1)
        facts.confidence[where] = confidence_of(logits)
        facts.squares[where] = np.square(z).sum(axis=1)
        facts.norms[where] = np.linalg.norm(lens.alignment(z), axis=1)
        advance(len(z))

    split.model_space.scanned(look)
    return facts


def confidence_of(logits: Float64) -> Float64:
    """Softmax `[image]` of the largest of `logits [image, class]`."""
    return np.asarray(confidences(logits).max(axis=1))


def kept_refitted(split: StoredSplit, store: Store, seed: int, make: Callable[[], Labels]) -> Labels:
    """What heads fitted anew say of each image of `split` `[image]`, as `make` gives it, kept in the store."""
    space = split.pairs.z
    known = digest_arrays({"rows": split.rows, "labels": split.labels})
    key = [FORMAT, space.space, space.data, known, seed, FOLDS, SAMPLE]
    kept = kept_arrays(store.place, f"refitted-{digest_json(key)[:32]}.safetensors", lambda: {"refitted": make()})
    return np.asarray(kept["refitted"], dtype=np.int64)


def refitted_answers(split: StoredSplit, answers: Answers) -> Labels:
    """The same of `answers`, computed."""
    refitted = np.zeros(len(split), dtype=np.int64)

    def look(where: slice, z: NDArray[np.float32]) -> None:
        rows = range(where.start, where.stop)
        refitted[where] = answers.part(rows).of(rows, z)[2]

    split.model_space.scanned(look)
    return refitted
