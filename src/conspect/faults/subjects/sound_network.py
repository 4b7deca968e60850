"""What faults are planted in: a sound network with pictures of both splits, and the VLM's side of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from conspect.core.spaces import AffineMap, Float64, Floats
from conspect.faults.subjects import scenes
from conspect.faults.subjects.scene_model import prepare, scene_network

Labels = NDArray[np.int64]
TRAIN, TEST = "train", "test"
SCENES_TRAIN, SCENES_TEST = (2500, 2), (1500, 1)


@dataclass(frozen=True, eq=False)
class SoundNetwork:
    """A sound network and everything that planting and judging need. Dictionaries are by split, "train" and "test".

    `pixels [image, y, x, 3]` uint8; `vlm`: the VLM's embedding of each picture `[image, E]`; `class_directions [class, E]`.
    """

    name: str
    encoder: nn.Sequential
    head: AffineMap
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    pixels: dict[str, NDArray[np.uint8]]
    labels: dict[str, Labels]
    vlm: dict[str, Floats]
    class_names: tuple[str, ...]
    class_directions: Float64

    def prepared(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures as the network is given them, `[image, 3, y, x]`."""
        return np.stack([self.prepare(image) for image in pixels]).astype(np.float32)

    def first(self, train: int, test: int) -> SoundNetwork:
        """The same network with the first so many pictures of each split."""
        numbers = {TRAIN: train, TEST: test}
        return replace(
            self,
            pixels={split: values[: numbers[split]] for split, values in self.pixels.items()},
            labels={split: values[: numbers[split]] for split, values in self.labels.items()},
            vlm={split: values[: numbers[split]] for split, values in self.vlm.items()},
        )


def scene_subject() -> SoundNetwork:
    """The plain network on rendered scenes; in the VLM's place stand the scenes' true concepts."""
    network = scene_network()
    drawn = {TRAIN: scenes.scenes(*SCENES_TRAIN), TEST: scenes.scenes(*SCENES_TEST)}
    classes = np.zeros((len(scenes.CLASSES), len(scenes.CONCEPTS)))
    for row, words in enumerate(scenes.CLASSES):
        classes[row, [scenes.CONCEPTS.index(word) for word in words]] = 1.0
    layer = network.head
    return SoundNetwork(
        name="plain network on rendered scenes",
        encoder=network.encoder,
        head=AffineMap(*(part.detach().double().numpy() for part in (layer.weight, layer.bias))),
        prepare=prepare,
        pixels={split: np.stack([scenes.draw(scene) for scene in images]) for split, images in drawn.items()},
        labels={split: np.array([scene.label for scene in images], dtype=np.int64) for split, images in drawn.items()},
        vlm={split: scenes.concept_labels(images) / np.sqrt(3) for split, images in drawn.items()},
        class_names=scenes.CLASS_NAMES,
        class_directions=classes / np.sqrt(3),
    )
