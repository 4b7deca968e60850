"""A study of as many images as one likes, made of embeddings alone: they lie in the store before the study asks for them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import place_of_embeddings, shard_ranges, write_shard
from conspect.adapters.store.places import Store
from conspect.core.concepts import ClassAttributes, Concept, ConceptSet
from conspect.core.spaces import Float64, Head
from conspect.core.vectors import unit
from conspect.study.inputs import StudyInputs

DIMENSIONS, CLASSES, CONCEPTS, SEED = 512, 10, 100, 0
CLASS_NAMES = tuple(f"class{k}" for k in range(CLASSES))
# One training image for so many test images, but no fewer than so many.
TRAIN_SHARE, TRAIN_LEAST = 10, 10_000
# Steps between the greys of two classes.
GREY = 20


class World:
    """Embeddings of classes that overlap, the VLM's as a noisy linear image of them; the model's head errs now and then."""

    def __init__(self, concepts: int = CONCEPTS) -> None:
        """`concepts`: so many random directions, called concept0 and so on."""
        rng = np.random.default_rng(SEED)
        self.concept_names = tuple(f"concept{k}" for k in range(concepts))
        self.centres: NDArray[np.float32] = rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
        self.centres /= 6
        self.true = rng.standard_normal((DIMENSIONS, DIMENSIONS), dtype=np.float32) / np.float32(np.sqrt(DIMENSIONS))
        self.head = Head.linear(self.centres.astype(np.float64), -np.square(self.centres, dtype=np.float64).sum(1) / 2)
        self.directions: Float64 = rng.standard_normal((concepts, DIMENSIONS))
        means = self.centres.astype(np.float64) @ self.true
        self.classes: Float64 = unit(means)
        shares = np.round(rng.random((CLASSES, concepts)), 2)
        self.attributes = ClassAttributes(CLASS_NAMES, self.concept_names, shares)

    def pairs(self, labels: NDArray[np.int64], seed: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings `[image, dimension]` of images with these classes, by the model and by the VLM."""
        rng = np.random.default_rng([SEED, *seed])
        z = rng.standard_normal((len(labels), DIMENSIONS), dtype=np.float32)
        z += self.centres[labels]
        y = z @ self.true
        y += 0.3 * rng.standard_normal(y.shape, dtype=np.float32)
        return z, y

    def inputs(self, images: int) -> StudyInputs:
        """A study's inputs: so many test images, a tenth as many to align on."""
        train = NumberedImages("train", max(images // TRAIN_SHARE, TRAIN_LEAST))
        concepts = ConceptSet(tuple(Concept(name, (name,)) for name in self.concept_names), ("{}",), ("{}",))
        return StudyInputs(train, NumberedImages("test", images), Model(self), Vlm(self), concepts, self.attributes)

    def fill(self, inputs: StudyInputs, store: Store) -> None:
        """Writes the embeddings of both splits in both spaces into the store."""
        for number, dataset in enumerate((inputs.train, inputs.test)):
            places = [place_of_embeddings(encoder, dataset, store) for encoder in (inputs.model, inputs.vlm)]
            for rows in shard_ranges(len(dataset)):
                own = dataset.labels[rows.start : rows.stop]
                for place, values in zip(places, self.pairs(own, (number, rows.start)), strict=True):
                    write_shard(place, rows, values, {})


@dataclass(frozen=True)
class NumberedImages:
    """A data set of random classes: grey squares, each class in a grey of its own."""

    split: str
    images: int
    name: str = "numbers"
    class_names: tuple[str, ...] = CLASS_NAMES

    @property
    def digest(self) -> str:
        """Of what there is."""
        return hashlib.sha256(f"{self.split} {self.images}".encode()).hexdigest()

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Their numbers."""
        return tuple(f"{self.split}/{k:08d}" for k in range(self.images))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Classes `[image]`."""
        return np.random.default_rng([SEED, self.images]).integers(0, CLASSES, self.images)

    def __len__(self) -> int:
        return self.images

    def image(self, index: int) -> NDArray[np.uint8]:
        """A grey square."""
        return np.full((8, 8, 3), GREY * self.labels[index], dtype=np.uint8)


class _Encoder:
    """Embeddings come from the store; of an image that is looked at for itself the class's centre is all there is to see."""

    preprocessing, embedding_size = "none", DIMENSIONS
    centres: NDArray[np.float32]

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The image as it is."""
        return image.astype(np.float32)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The centres of the classes whose greys are nearest."""
        greys = batch.reshape(len(batch), -1).mean(axis=1) / GREY
        nearest = np.clip(np.round(greys), 0, CLASSES - 1).astype(np.int64)
        return np.asarray(self.centres[nearest], dtype=np.float32)


class Model(_Encoder):
    """The vision model of a world."""

    name, digest, class_names = "model of numbers", "scale-model", CLASS_NAMES

    def __init__(self, world: World) -> None:
        self.head, self.centres = world.head, world.centres


class Vlm(_Encoder):
    """Its VLM: knows the names of classes and concepts."""

    name, digest = "VLM of numbers", "scale-vlm"

    def __init__(self, world: World) -> None:
        centres: NDArray[np.float32] = world.classes.astype(np.float32)
        self.centres = centres
        self._known = {"class": world.classes, "concept": world.directions}

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Directions `[text, dimension]` of names such as "class3" and "concept17"; of any other words a random one."""
        named = [re.fullmatch(r"(class|concept)(\d+)", text) for text in texts]
        rows = [
            np.random.default_rng(list(text.encode())).standard_normal(DIMENSIONS)
            if match is None
            else self._known[match[1]][int(match[2])]
            for text, match in zip(texts, named, strict=True)
        ]
        return np.asarray(rows, dtype=np.float32)


def filled_study_folder(world: World, folder: Path, images: int) -> StudyInputs:
    """Inputs whose embeddings lie in `folder`/embeddings, where a study in `folder` looks for them."""
    from conspect.adapters.store.places import place_of

    inputs = world.inputs(images)
    world.fill(inputs, Store(place_of("embeddings", folder)))
    return inputs
