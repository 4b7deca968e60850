"""What a study's analyses share: embeddings in the store, the lens, what was counted, what each image is taken for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import NOT_FINITE, Shards, embedded_shards
from conspect.adapters.store.places import Store
from conspect.adapters.store.texts import cached_text_encoder
from conspect.analysis.alignment import FittedAlignment
from conspect.analysis.prompts import class_directions, concept_directions, variant_directions
from conspect.analysis.tallies import ImageAnswers, Interpreter, Tallies
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset, ImageEncoder, ProgressBar
from conspect.core.spaces import Float64, Lens
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.facts import ImageFacts, image_facts, kept_refitted, refitted_answers
from conspect.study.measuring.split import StoredSplit
from conspect.study.measuring.streaming import (
    FOLDS,
    ComputedAnswers,
    Labels,
    PassTallies,
    aligned,
    counted,
    folds_of,
    refitted_heads,
)

ALIGNMENT_MINIMUM = 20
TEXTS_AT_ONCE = 128


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
    """What the analyses take. Images are the readable ones; class indices are the model's. No embedding matrix is held.

    `count`: counts all pairs of concepts over the test images, which takes long where both are many; called when it is first
    asked for. `look` gives what is known of each image by itself, `refit` what heads fitted anew say of it, `read` the VLM's
    embeddings of further texts, `[text, E]`. `unreadable`:
    split, id and reason of each image of either split that was left out. `variant_directions`: by concept, of each phrase
    in each template alone, `[variant, E]`.
    """

    train: StoredSplit
    test: StoredSplit
    lens: Lens
    class_directions: Float64
    unseen_directions: Float64 | None
    variant_directions: tuple[Float64, ...]
    alignment: FittedAlignment
    unreadable: tuple[tuple[str, str, str], ...]
    count: Callable[[], PassTallies]
    look: Callable[[StoredSplit], ImageFacts]
    refit: Callable[[], Labels]
    read: Callable[[list[str]], NDArray[np.float32]]

    @cached_property
    def counted(self) -> PassTallies:
        """What one pass over all images gives."""
        return self.count()

    @property
    def tallies(self) -> Tallies:
        """Everything that is counted over the test images, of all concepts."""
        return self.counted.tallies

    @property
    def answers(self) -> ImageAnswers:
        """What each test image is taken for."""
        return self.counted.answers

    @cached_property
    def refitted(self) -> Labels:
        """What heads fitted anew say of each test image `[image]`, none of which was fitted on it."""
        return self.answers.refitted if "counted" in self.__dict__ else self.refit()

    @cached_property
    def facts(self) -> ImageFacts:
        """Output, confidence and lengths of each test image."""
        return self.look(self.test)

    @property
    def labels(self) -> NDArray[np.int64]:
        """True classes of the test images `[image]`."""
        return self.test.labels

    @property
    def outputs(self) -> NDArray[np.int64]:
        """The model's answers on them `[image]`."""
        return self.answers.outputs if "counted" in self.__dict__ else self.facts.outputs

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the test images."""
        return self.test.ids


def measure(inputs: StudyInputs, store: Store, *, seed: int, bar: ProgressBar, timings: Timings) -> Measurements:
    """Embeds and aligns; counts, in one pass over the store's shards, when that is first asked for.

    The lens is fitted on training images alone; the refitted head is cross-validated. Raises UserError STUDY005 when too
    few images are readable.
    """
    model, classes = inputs.model, inputs.model.class_names

    def run(stage: str, encoder: ImageEncoder, dataset: ImageDataset) -> Shards:
        with timings.stage(stage):
            return embedded_shards(encoder, dataset, store, progress=bar(f"{stage} ({dataset.split})", len(dataset)))

    train_z, test_z = (run("model embeddings", model, d) for d in (inputs.train, inputs.test))
    train_y, test_y = (run("VLM embeddings", inputs.vlm, d) for d in (inputs.train, inputs.test))
    train = StoredSplit.of(inputs.train, train_z, train_y, classes)
    test = StoredSplit.of(inputs.test, test_z, test_y, classes)
    unreadable = (*_unreadable(inputs.train, train_z, train_y), *_unreadable(inputs.test, test_z, test_y))
    _require_enough(len(train), len(test), unreadable)
    with timings.stage("text directions"):
        directions, class_vectors, probes, variants = _text_directions(inputs, store, bar)
    with timings.stage("alignment"):
        fitted = aligned(train.pairs, store.engine, progress=bar("alignment", len(train)))
    lens = Lens(fitted.map, inputs.concepts.names, directions)

    def answering() -> ComputedAnswers:
        with timings.stage("refitted head"):
            folds = folds_of(len(test), seed, min(FOLDS, len(test)))
            heads = refitted_heads(test.pairs, test.labels, len(classes), store.engine, folds=folds, seed=seed, bar=bar)
        return ComputedAnswers(test.labels, model.head, heads, folds)

    def count() -> PassTallies:
        answers = answering()
        with timings.stage("counting"):
            pass_ = counted(
                test.pairs,
                Interpreter(lens, class_vectors, probes, inputs.attributes),
                answers,
                store.engine,
                progress=bar("counting", len(test)),
            )
        kept_refitted(test, store, seed, lambda: pass_.answers.refitted)
        return pass_

    def refit() -> Labels:
        return kept_refitted(test, store, seed, lambda: refitted_answers(test, answering()))

    return Measurements(
        train=train,
        test=test,
        lens=lens,
        class_directions=class_vectors,
        unseen_directions=probes,
        variant_directions=variants,
        alignment=fitted,
        unreadable=unreadable,
        count=count,
        refit=refit,
        look=lambda split: image_facts(split, lens, model.head, store, bar),
        read=_reader_of_texts(inputs, store, bar),
    )


def _reader_of_texts(inputs: StudyInputs, store: Store, bar: ProgressBar) -> Callable[[list[str]], NDArray[np.float32]]:
    """Texts to directions `[text, E]` of the VLM, a batch at a time; what the store has is not asked again."""
    encode = cached_text_encoder(inputs.vlm, store)

    def read(texts: list[str]) -> NDArray[np.float32]:
        advance, parts = bar("further texts", len(texts)), []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            parts.append(encode(texts[start : start + TEXTS_AT_ONCE]))
            advance(len(parts[-1]))
        return np.concatenate(parts)

    return read


def _require_enough(train: int, test: int, unreadable: Sequence[tuple[str, str, str]]) -> None:
    """Raises UserError STUDY005 where so many readable images, beside the `unreadable` ones, are too few to align."""
    if train < ALIGNMENT_MINIMUM or test < 1:
        counts = f"{train} readable training images and {test} readable test images"
        fix = f"at least {ALIGNMENT_MINIMUM} training images and one test image are needed"
        without = [listed for listed in unreadable if NOT_FINITE in listed[2]]
        if without:
            fix += "; a model that gives NaN is broken: look at its weights and at the range of what it is fed"
        raise user_error("STUDY005", counts + _left_out(unreadable, without), fix)


def _left_out(unreadable: Sequence[tuple[str, str, str]], without: Sequence[tuple[str, str, str]]) -> str:
    """What is said of images that were left out, of those `without` a finite embedding apart."""
    damaged = [listed for listed in unreadable if NOT_FINITE not in listed[2]]
    damage = f"; {len(damaged)} cannot be read, such as {damaged[0][1]}" if damaged else ""
    return damage + (f"; of {len(without)}, such as {without[0][1]}, {without[0][2]}" if without else "")


def _unreadable(dataset: ImageDataset, z: Shards, y: Shards) -> tuple[tuple[str, str, str], ...]:
    """Split, id and reason of images that one of the models could not read, by id."""
    reasons = y.unreadable() | z.unreadable()
    ids = dataset.ids
    return tuple(sorted((dataset.split, ids[row], reason) for row, reason in reasons.items()))


def _text_directions(
    inputs: StudyInputs, store: Store, bar: ProgressBar
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
