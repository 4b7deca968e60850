"""The arrays a study's analyses share: embeddings of both splits in both spaces, the lens, the outputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import Embeddings, embed
from conspect.adapters.store.pairs import StoredPairs
from conspect.adapters.store.places import Store
from conspect.adapters.store.texts import cached_text_encoder
from conspect.analysis.alignment import AlignmentQuality, FittedAlignment, quality
from conspect.analysis.lens_quality import zero_shot
from conspect.analysis.prompts import class_directions, concept_directions, variant_directions
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset, ImageEncoder, ProgressBar
from conspect.core.spaces import Float64, Floats, Lens
from conspect.statistics.logistic import cross_validated_probabilities
from conspect.study.inputs import Inputs, labels_in_model_order
from conspect.study.measuring.streaming import FOLDS, aligned

ALIGNMENT_MINIMUM = 20


@dataclass
class Timings:
    """Wall-clock seconds per stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time of the block to stage `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def rounded(self) -> dict[str, float]:
        """Seconds by stage to the millisecond, and their sum, `total`."""
        total = sum(self.seconds.values())
        return {name: round(seconds, 3) for name, seconds in (*self.seconds.items(), ("total", total))}


@dataclass(frozen=True, eq=False)
class Measurements:
    """What the analyses take. Rows are the readable test images; class indices are the model's.

    `unreadable`: split, id and reason of each image of either split that was left out. `variant_directions`: by concept, of
    each phrase in each template alone, `[variant, E]`. `pairs`: the embeddings in both spaces as they lie in the store.
    """

    rows: NDArray[np.int64]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    logits: Float64
    outputs: NDArray[np.int64]
    vlm_embeddings: NDArray[np.float32]
    lens: Lens
    class_directions: Float64
    unseen_directions: Float64 | None
    variant_directions: tuple[Float64, ...]
    alignment: FittedAlignment
    alignment_quality: AlignmentQuality
    vlm_on_image: NDArray[np.int64]
    vlm_on_mapped: NDArray[np.int64]
    refitted: NDArray[np.int64]
    unreadable: tuple[tuple[str, str, str], ...]
    train_embeddings: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    train_ids: tuple[str, ...]
    pairs: StoredPairs

    @property
    def lens_numerators(self) -> Float64:
        """Strengths times ||M z + d||, `[image, concept]`: what comparisons need."""
        return self.lens.folded(self.embeddings)

    @property
    def vlm_numerators(self) -> Float64:
        """The same of the VLM's own image embeddings."""
        return np.asarray(self.vlm_embeddings @ self.lens.directions.T, dtype=np.float64)


def measure(inputs: Inputs, store: Store, *, seed: int, bar: ProgressBar, timings: Timings) -> Measurements:
    """Embeds, aligns, classifies. The lens is fitted on training images alone; the refitted head is cross-validated.

    Raises UserError STUDY005 when too few images are readable.
    """
    model, vlm = inputs.model, inputs.vlm

    def run(stage: str, encoder: ImageEncoder, dataset: ImageDataset) -> Embeddings:
        with timings.stage(stage):
            return embed(encoder, dataset, store, progress=bar(f"{stage} ({dataset.split})", len(dataset)))

    train_z, test_z = (run("model embeddings", model, d) for d in (inputs.train, inputs.test))
    train_y, test_y = (run("VLM embeddings", vlm, d) for d in (inputs.train, inputs.test))
    train_ok = np.flatnonzero(train_z.readable & train_y.readable)
    rows = np.flatnonzero(test_z.readable & test_y.readable)
    reasons = (
        (inputs.train, train_y.unreadable | train_z.unreadable),
        (inputs.test, test_y.unreadable | test_z.unreadable),
    )
    unreadable = tuple((data.split, *pair) for data, found in reasons for pair in sorted(found.items()))
    if len(train_ok) < ALIGNMENT_MINIMUM or len(rows) < 1:
        counts = f"{len(train_ok)} readable training images and {len(rows)} readable test images"
        named = f"; {len(unreadable)} cannot be read, such as {unreadable[0][1]}" if unreadable else ""
        fix = f"at least {ALIGNMENT_MINIMUM} training images and one test image are needed"
        raise user_error("STUDY005", counts + named, fix)
    with timings.stage("text directions"):
        directions, classes, probes, variants = _text_directions(inputs, store, bar)
    with timings.stage("alignment"):
        fitted = aligned(
            StoredPairs(train_z.shards, train_y.shards, train_ok),
            store.engine,
            progress=bar("alignment", len(train_ok)),
        )
        z, y = test_z.values[rows], test_y.values[rows]
        checked = quality(fitted.map, z, y)
    labels = labels_in_model_order(inputs.test, model.class_names)[rows]
    logits = model.head.logits(z)
    with timings.stage("refitted head"):
        refitted = _refitted(z, labels, len(model.class_names), seed, bar)
    return Measurements(
        rows=rows,
        ids=tuple(inputs.test.ids[row] for row in rows),
        labels=labels,
        embeddings=z,
        logits=logits,
        outputs=np.asarray(logits.argmax(1), dtype=np.int64),
        vlm_embeddings=y,
        lens=Lens(fitted.map, inputs.concepts.names, directions),
        class_directions=classes,
        unseen_directions=probes,
        variant_directions=variants,
        alignment=fitted,
        alignment_quality=checked,
        vlm_on_image=zero_shot(y, classes),
        vlm_on_mapped=zero_shot(fitted.map(z), classes),
        refitted=refitted,
        unreadable=unreadable,
        train_embeddings=train_z.values[train_ok],
        train_labels=labels_in_model_order(inputs.train, model.class_names)[train_ok],
        train_ids=tuple(inputs.train.ids[row] for row in train_ok),
        pairs=StoredPairs(test_z.shards, test_y.shards, rows),
    )


def _text_directions(
    inputs: Inputs, store: Store, bar: ProgressBar
) -> tuple[Float64, Float64, Float64 | None, tuple[Float64, ...]]:
    """Unit directions of concepts, of classes, of the concepts' unseen words where there are any, and of single phrases."""
    encode = cached_text_encoder(inputs.vlm, store)
    concepts, unseen, advance = inputs.concepts, inputs.concepts.unseen(), bar("text directions", 3)
    try:
        directions = concept_directions(concepts.concepts, concepts.concept_templates, encode)
        advance(1)
        classes = class_directions(inputs.model.class_names, concepts.class_templates, encode)
        advance(1)
        probes = concept_directions(unseen, concepts.concept_templates, encode) if unseen else None
        variants = tuple(variant_directions(concepts.concepts, concepts.concept_templates, encode))
        advance(1)
    except ValueError as error:
        raise user_error("STUDY002", str(error), "give that concept phrases that say the same thing") from error
    return directions, classes, probes, variants


def _refitted(z: Floats, labels: NDArray[np.int64], classes: int, seed: int, bar: ProgressBar) -> NDArray[np.int64]:
    """Classes `[image]` by a head refitted on the other folds; with a single image, by no head at all: class 0."""
    folds = min(FOLDS, len(labels))
    if folds < 2:
        return np.zeros_like(labels)
    advance = bar("refitted head", folds)
    found = cross_validated_probabilities(z, labels, classes, folds=folds, seed=seed, progress=advance)
    return np.asarray(found.argmax(1), dtype=np.int64)
