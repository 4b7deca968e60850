"""Inputs of no class, which a monitor should not accept: noise, textures, a study's own images made meaningless, photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.drawn import photographs
from conspect.adapters.datasets.drawn.patterns import (
    clouds,
    generator_for,
    patches_shuffled,
    phase_scrambled,
    texture,
    uniform_noise,
)
from conspect.core.digests import digest_file, digest_json
from conspect.core.protocols import ImageDataset

FORMAT, CLASS_NAMES = 1, ("no class",)
Draw: TypeAlias = Callable[[np.random.Generator, int], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class NoClass:
    """`count` images, each made when asked for from a generator of its own; fulfils `ImageDataset`.

    `draw(generator, index)` gives image `index`; `origin` is what it depends on beside seed, name and index.
    """

    name: str
    count: int
    draw: Draw
    origin: str
    seed: int = 0
    split: str = "none"
    class_names: tuple[str, ...] = CLASS_NAMES

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Such as "clouds/00012"."""
        return tuple(f"{self.name}/{index:05d}" for index in range(self.count))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """All 0: no class."""
        return np.zeros(self.count, dtype=np.int64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the images are made from."""
        return digest_json([FORMAT, self.name, self.count, self.origin, self.seed])

    def __len__(self) -> int:
        return self.count

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[y, x, 3]` uint8, RGB. Raises UnreadableImage."""
        return self.draw(generator_for(self.seed, self.ids[index]), index)


def no_class(
    whole: ImageDataset, images: int, *, side: int, seed: int = 0
) -> tuple[tuple[NoClass, ...], dict[str, str]]:
    """The data sets of no class with `images` images each, and why those that are missing are: name to reason.

    Drawn ones and photographs have `side` x `side` pixels. `whole`: the study's images, of which the first `images` are
    scrambled.
    """
    drawn = {"uniform noise": uniform_noise, "clouds": clouds, "textures": texture}
    scrambled = {"scrambled phases": phase_scrambled, "shuffled patches": patches_shuffled}
    own = min(images, len(whole))
    kinds = [NoClass(name, images, partial(_drawn, make, side), f"side {side}", seed) for name, make in drawn.items()]
    kinds += [
        NoClass(name, own, partial(_changed, make, whole), whole.digest, seed) for name, make in scrambled.items()
    ]
    paths = photographs.available()
    if not paths:
        packages = " nor ".join(photographs.PHOTOGRAPHS)
        return tuple(kinds), {"photographs": f"neither {packages} is installed; each brings some as examples"}
    origin = digest_json([side, [digest_file(path) for path in paths]])
    return (*kinds, NoClass("photographs", images, partial(_cropped, paths, side), origin, seed)), {}


# Of a module's top level, so that these data sets can be sent to workers.
def _drawn(
    make: Callable[[np.random.Generator, int], NDArray[np.uint8]], side: int, random: np.random.Generator, _: int
) -> NDArray[np.uint8]:
    return make(random, side)


def _changed(
    make: Callable[[np.random.Generator, NDArray[np.uint8]], NDArray[np.uint8]],
    whole: ImageDataset,
    random: np.random.Generator,
    index: int,
) -> NDArray[np.uint8]:
    return make(random, whole.image(index))


def _cropped(paths: Sequence[Path], side: int, random: np.random.Generator, index: int) -> NDArray[np.uint8]:
    return photographs.crop(random, paths[index % len(paths)], side)
