"""Faults of an input pipeline: pictures that reach a sound network otherwise than in its training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture: TypeAlias = NDArray[np.uint8]
Prepared: TypeAlias = NDArray[np.float32]
IMAGENET_MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
IMAGENET_DEVIATION = np.array([58.395, 57.12, 57.375], dtype=np.float32)


@dataclass(frozen=True)
class Pipeline:
    """`picture` changes what is prepared, `raw` replaces the scaling: raw pixels `[y, x, 3]` to values."""

    name: str
    picture: Callable[[Picture], Picture] | None = None
    raw: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    later: Callable[[Prepared], Prepared] | None = None

    def prepare(self, image: Picture, sound: Callable[[Picture], Prepared]) -> Prepared:
        """As the faulty pipeline prepares `image`, whose sound preparation is `sound`."""
        image = image if self.picture is None else self.picture(image)
        prepared = sound(image)
        if self.raw is not None:
            side = prepared.shape[1:]
            resized = image if image.shape[:2] == side else np.asarray(Image.fromarray(image).resize(side[::-1]))
            prepared = np.ascontiguousarray(self.raw(resized.astype(np.float32)).transpose(2, 0, 1))
        return prepared if self.later is None else np.asarray(self.later(prepared), dtype=np.float32)


def _resized(picture: Picture, side: tuple[int, int], how: Image.Resampling = Image.Resampling.BILINEAR) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((side[1], side[0]), how))


def _small(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return _resized(_resized(picture, (height // 2, width // 2)), (height, width), Image.Resampling.NEAREST)


def _middle(share: float) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        down, across = round(height * share), round(width * share)
        top, left = (height - down) // 2, (width - across) // 2
        return _resized(picture[top : top + down, left : left + across], (height, width))

    return change


def _framed(picture: Picture) -> Picture:
    """The picture at 70 % of its size in a frame of its mirror image, as when a crop is forgotten."""
    height, width = picture.shape[:2]
    down, across = round(height * 0.21), round(width * 0.21)
    return _resized(np.pad(picture, ((down, down), (across, across), (0, 0)), mode="symmetric"), (height, width))


def _grey(picture: Picture) -> Picture:
    return np.repeat(np.rint(picture.mean(2, keepdims=True)).astype(np.uint8), 3, axis=2)


def _imagenet(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """ImageNet's scaling with a wrong factor and offset: as when a mean is given in the wrong unit."""
    scaled = (raw - IMAGENET_MEAN) / IMAGENET_DEVIATION
    return np.asarray(scaled * np.float32(1.6) - np.float32(0.5), dtype=np.float32)


PIPELINES = (
    Pipeline("BGR", picture=lambda p: np.ascontiguousarray(p[..., ::-1])),
    Pipeline("no mean", raw=lambda x: x / np.float32(64)),
    Pipeline("values from 0 to 1", raw=lambda x: x / np.float32(255)),
    Pipeline("divided by 255 twice", raw=lambda x: (x / np.float32(255) - np.float32(128)) / np.float32(64)),
    Pipeline("upside down", picture=lambda p: np.ascontiguousarray(p[::-1])),
    Pipeline("the middle alone", picture=_middle(0.7)),
    Pipeline("in grey", picture=_grey),
    Pipeline("channels GBR", picture=lambda p: np.ascontiguousarray(p[..., [1, 2, 0]])),
    Pipeline("ImageNet's means", raw=_imagenet),
    Pipeline("values from 0 to 255", raw=lambda x: x),
    Pipeline("height and width exchanged", picture=lambda p: np.ascontiguousarray(p.swapaxes(0, 1))),
    Pipeline("inverted", picture=lambda p: np.asarray(255 - p, dtype=np.uint8)),
    Pipeline("resized by way of half the size", picture=_small),
    Pipeline("a crop forgotten", picture=_framed),
)
