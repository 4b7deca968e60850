"""Nine common corruptions in five strengths, as a data set that wraps another.

Kinds and strengths are those of CIFAR-10-C (Hendrycks & Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019); the code is this project's. Their numbers are for images of 32 x 32: lengths
(blur, the blocks of pixelation) grow with the image's shorter side, so that a large image looks as blurred as a small one.
Two things differ. Defocus has one radius a strength, of about the same spread, instead of a disk and a Gaussian, so that it
grows with strength at every size; fog is noise with a power-law spectrum instead of a plasma fractal.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve

from conspect.adapters.datasets.drawn.patterns import generator_for, smooth_noise
from conspect.adapters.datasets.views.derived import DerivedImages
from conspect.core.digests import digest_json

CorruptionKind: TypeAlias = Literal[
    "Gaussian noise",
    "shot noise",
    "defocus blur",
    "motion blur",
    "fog",
    "brightness",
    "contrast",
    "JPEG",
    "pixelation",
]
KINDS: tuple[CorruptionKind, ...] = get_args(CorruptionKind)
STRENGTHS = (1, 2, 3, 4, 5)
FORMAT, SIDE = 1, 32

Pixels: TypeAlias = NDArray[np.float64]  # [y, x, 3] in 0..1
Corruption: TypeAlias = Callable[[Pixels, int, np.random.Generator], Pixels]


@dataclass(frozen=True, eq=False)
class CorruptedImages(DerivedImages):
    """Every image of `whole` under one corruption; fulfils `ImageDataset`. What is random depends on seed, kind and id."""

    kind: CorruptionKind
    strength: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.strength not in STRENGTHS:
            raise ValueError(
                f"a corruption is one of {', '.join(KINDS)} in strength 1 to 5: {self.kind} {self.strength}"
            )

    @property
    def name(self) -> str:
        """The whole data set's name and the corruption's."""
        return f"{self.whole.name} under {self.kind} {self.strength}"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The original's id and the corruption, such as "test/00012 under fog 3"."""
        return tuple(f"{image_id} under {self.kind} {self.strength}" for image_id in self.whole.ids)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the whole's digest, kind, strength and seed."""
        return digest_json([FORMAT, self.whole.digest, self.kind, self.strength, self.seed])

    def image(self, index: int) -> NDArray[np.uint8]:
        """Corrupted image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        random = generator_for(self.seed, self.kind, self.whole.ids[index])
        return corrupt(self.whole.image(index), self.kind, self.strength, random)


def corrupt(
    image: NDArray[np.uint8], kind: CorruptionKind, strength: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """`image [height, width, 3]` uint8 under a corruption of strength 1 (weak) to 5, same shape."""
    changed = CORRUPTIONS[kind](image / 255, strength - 1, random)
    return np.asarray(np.rint(np.clip(changed, 0, 1) * 255), dtype=np.uint8)


def _gaussian_noise(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    deviation = (0.04, 0.06, 0.08, 0.09, 0.10)[level]
    return pixels + deviation * random.standard_normal(pixels.shape)


def _shot_noise(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    photons = (500, 250, 100, 75, 50)[level]
    return random.poisson(pixels * photons) / photons


def _defocus_blur(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    radius = max(0.5, (0.85, 1.0, 1.15, 1.35, 1.65)[level] * _scale(pixels))  # a smaller one lies within one pixel
    return _filtered(pixels, _coverage(int(np.ceil(radius)), lambda x, y: np.hypot(x, y) <= radius))


def _motion_blur(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Smeared along a line: weights fall off in one direction like a Gaussian's, up to a largest distance."""
    reach, deviation = (_scale(pixels) * figure for figure in ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[level])
    angle = random.uniform(-np.pi / 4, np.pi / 4)
    half = int(np.ceil(reach))
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    along = np.arange(0, reach, 0.1)
    rows, columns = half + along * np.sin(angle), half + along * np.cos(angle)
    weights = np.exp(-0.5 * (along / deviation) ** 2)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # each point's weight on the four pixels around it
        share = (1 - np.abs(rows - top - down)) * (1 - np.abs(columns - left - right))
        places = np.minimum(top + down, 2 * half), np.minimum(left + right, 2 * half)
        np.add.at(kernel, places, weights * share)
    return _filtered(pixels, kernel / kernel.sum())


def _fog(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    thickness, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[level]
    brightest = pixels.max()
    fog = smooth_noise(random, pixels.shape[:2], decay=decay)[:, :, None]
    return np.asarray((pixels + thickness * fog) * brightest / (brightest + thickness))


def _brightness(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    """Raises the value of hue, saturation and value: all channels by one factor."""
    value = pixels.max(axis=2, keepdims=True)
    raised = np.minimum(value + (0.05, 0.1, 0.15, 0.2, 0.3)[level], 1)
    return np.asarray(np.where(value > 0, pixels / np.where(value > 0, value, 1) * raised, raised))


def _contrast(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return np.asarray((pixels - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[level] + mean)


def _jpeg(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    image = Image.fromarray(np.asarray(np.rint(pixels * 255), dtype=np.uint8))
    image.save(file, "JPEG", quality=(80, 65, 58, 50, 40)[level])
    with Image.open(file, formats=("JPEG",)) as stored:
        return np.asarray(stored.convert("RGB"), dtype=np.float64) / 255


def _pixelation(pixels: Pixels, level: int, _: np.random.Generator) -> Pixels:
    """Blocks of one colour, the mean of theirs; each pixel belongs to one block."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level] / max(_scale(pixels), 1)
    for axis, length in enumerate(pixels.shape[:2]):
        blocks = max(1, round(length * share))
        starts = -(-np.arange(blocks) * length // blocks)
        sizes = np.diff(np.append(starts, length))
        totals = np.add.reduceat(pixels, starts, axis=axis)
        pixels = np.repeat(totals / np.expand_dims(sizes, (1, 2) if axis == 0 else (0, 2)), sizes, axis=axis)
    return pixels


CORRUPTIONS: dict[CorruptionKind, Corruption] = {
    "Gaussian noise": _gaussian_noise,
    "shot noise": _shot_noise,
    "defocus blur": _defocus_blur,
    "motion blur": _motion_blur,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "JPEG": _jpeg,
    "pixelation": _pixelation,
}


def _scale(pixels: Pixels) -> float:
    """How many times longer the shorter side is than 32."""
    return int(min(pixels.shape[:2])) / SIDE


def _coverage(half: int, inside: Callable[[Pixels, Pixels], NDArray[np.bool_]], fineness: int = 8) -> Pixels:
    """A kernel `[2 half + 1, 2 half + 1]` that sums to 1: how much of each pixel lies inside, by subpixels."""
    fine = (np.arange((2 * half + 1) * fineness) + 0.5) / fineness - half - 0.5
    covered = inside(*np.meshgrid(fine, fine)).astype(np.float64)
    kernel = covered.reshape(2 * half + 1, fineness, 2 * half + 1, fineness).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum())


def _filtered(pixels: Pixels, kernel: Pixels) -> Pixels:
    """Each channel convolved; the border is mirrored."""
    return np.asarray(convolve(pixels, kernel[:, :, None], mode="mirror"))
