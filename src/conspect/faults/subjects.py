"""What faults are planted in: a sound model with its pictures, the lens's side of them, and what a concept's absence is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from conspect.analysis.alignment import fit_arrays
from conspect.core.spaces import AffineMap, Float64, Floats, Lens
from conspect.faults import scenes
from conspect.faults.blindness import GRID, patched, telling_concept, without_colours, without_patches
from conspect.faults.scene_model import prepare, scene_network
from conspect.faults.staged import StagedEncoder

Labels = NDArray[np.int64]
TRAIN, TEST = "train", "test"
PATCHES_REMOVED = 8
# Class and what its objects lose: stripes of a disc, green of a triangle.
SCENE_REMOVALS: tuple[tuple[int, scenes.Kind], ...] = ((1, "texture"), (6, "colour"))
SCENES_TRAIN, SCENES_TEST = (2500, 2), (1500, 1)


@dataclass(frozen=True, eq=False)
class Removal:
    """Training pictures `pixels [image, y, x, 3]` of class `label`, the rows `rows`, without a concept (None: unnamed)."""

    name: str
    label: int
    concept: int | None
    rows: NDArray[np.int64]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Subject:
    """A sound model and everything that planting and judging need. Dictionaries are by split, "train" and "test".

    `vlm`: the lens's own embedding of each picture `[image, E]`; `directions [concept, E]`, `class_directions [class, E]`.
    """

    name: str
    encoder: nn.Sequential
    head: AffineMap
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    pixels: dict[str, NDArray[np.uint8]]
    labels: dict[str, Labels]
    vlm: dict[str, Floats]
    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    directions: Float64
    class_directions: Float64
    relevant: NDArray[np.bool_] | None
    scenes: list[scenes.Scene] | None = None

    def prepared(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures as the network is given them, `[image, 3, y, x]`."""
        return np.stack([self.prepare(image) for image in pixels]).astype(np.float32)

    def staged(self, advance: Callable[[int], None]) -> StagedEncoder:
        """The encoder with both splits' pictures."""
        return StagedEncoder(self.encoder, {split: self.prepared(px) for split, px in self.pixels.items()}, advance)

    def removals(self, staged: StagedEncoder, embeddings: Floats) -> list[Removal]:
        """Two concepts taken from one class's training pictures; `embeddings`: the sound ones of the training split."""
        if self.scenes is not None:
            return [_scene_removal(self.scenes, label, kind) for label, kind in SCENE_REMOVALS]
        return _picture_removals(self, staged, embeddings)


def scene_subject() -> Subject:
    """The plain network on rendered scenes; its lens is made of the scenes' true concepts, not of a VLM."""
    network = scene_network()
    drawn = {TRAIN: scenes.scenes(*SCENES_TRAIN), TEST: scenes.scenes(*SCENES_TEST)}
    classes = np.zeros((len(scenes.CLASSES), len(scenes.CONCEPTS)))
    for row, words in enumerate(scenes.CLASSES):
        classes[row, [scenes.CONCEPTS.index(word) for word in words]] = 1.0
    layer = network.head
    return Subject(
        name="plain network on rendered scenes",
        encoder=network.encoder,
        head=AffineMap(*(part.detach().double().numpy() for part in (layer.weight, layer.bias))),
        prepare=prepare,
        pixels={split: np.stack([scenes.draw(scene) for scene in found]) for split, found in drawn.items()},
        labels={split: np.array([scene.label for scene in found], dtype=np.int64) for split, found in drawn.items()},
        vlm={split: scenes.concept_labels(found) / np.sqrt(3) for split, found in drawn.items()},
        class_names=scenes.CLASS_NAMES,
        concept_names=scenes.CONCEPTS,
        directions=np.eye(len(scenes.CONCEPTS)),
        class_directions=classes / np.sqrt(3),
        relevant=None,
        scenes=drawn[TRAIN],
    )


def _scene_removal(drawn: list[scenes.Scene], label: int, kind: scenes.Kind) -> Removal:
    rows = np.array([row for row, scene in enumerate(drawn) if scene.label == label], dtype=np.int64)
    pixels = np.stack([scenes.draw(drawn[row].without(kind)) for row in rows])
    word = scenes.CLASSES[label][("shape", "texture", "colour").index(kind)]
    name = f"fine-tuned blind to {word} in {scenes.CLASS_NAMES[label]}"
    return Removal(name, label, scenes.CONCEPTS.index(word), rows, pixels)


def _picture_removals(subject: Subject, staged: StagedEncoder, embeddings: Floats) -> list[Removal]:
    labels = subject.labels[TRAIN]
    lens = Lens(fit_arrays(embeddings, subject.vlm[TRAIN]).map, subject.concept_names, subject.directions)
    relevant = np.ones((len(subject.class_names), len(subject.concept_names)), dtype=bool)
    label, concept = telling_concept(
        lens, embeddings, labels, relevant if subject.relevant is None else subject.relevant
    )
    rows = np.flatnonzero(labels == label)
    pixels = subject.pixels[TRAIN][rows]
    patches = [
        lens.strengths(staged.embed(subject.prepared(patched(pixels, patch))))[:, concept]
        for patch in range(GRID * GRID)
    ]
    without = without_patches(pixels, lens.strengths(embeddings[rows])[:, concept], np.stack(patches), PATCHES_REMOVED)
    word, name = subject.concept_names[concept], subject.class_names[label]
    return [
        Removal(f"fine-tuned blind to {word} in {name}", label, concept, rows, without),
        Removal(f"fine-tuned blind to colours in {name}", label, None, rows, without_colours(pixels)),
    ]
