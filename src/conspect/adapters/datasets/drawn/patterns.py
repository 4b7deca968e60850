"""Pictures of nothing: noise, smooth noise, and patterns drawn from a few numbers."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, ...]


def generator_for(seed: int, *about: str) -> np.random.Generator:
    """A generator of its own for each text: the same on every machine, whatever was drawn before."""
    digest = hashlib.sha256("\0".join(about).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:16], "little")])


def uniform_noise(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """`[side, side, 3]` uint8: every channel of every pixel drawn alone."""
    return random.integers(0, 256, (side, side, 3), dtype=np.uint8)


def smooth_noise(random: np.random.Generator, size: Size, *, decay: float) -> NDArray[np.float64]:
    """`[y, x]` in 0..1: Gaussian noise whose amplitude falls with frequency to the power -`decay` / 2 - 0.5.

    Decay 2 looks like clouds; the larger, the smoother. The smallest value is 0 and the largest 1.
    """
    height, width = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) * frequency ** -(decay / 2 + 0.5)
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=(height, width))
    spread = float(np.ptp(noise))
    return np.asarray((noise - noise.min()) / spread if spread > 0 else np.full(size, 0.5))


def clouds(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """`[side, side, 3]` uint8: smooth noise between two random colours."""
    return _between(random, smooth_noise(random, (side, side), decay=random.uniform(1.5, 3.5)))


def texture(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """`[side, side, 3]` uint8: stripes, checks, rings, dots or a weave between two random colours, turned and a bit uneven."""
    y, x = np.mgrid[:side, :side] / side
    angle, waves, phase = random.uniform(0, np.pi), random.uniform(2, 8), random.uniform(0, 2 * np.pi, 2)
    turned = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    first, second = (np.sin(2 * np.pi * waves * axis + start) for axis, start in zip(turned, phase, strict=True))
    centre = random.uniform(0, 1, 2)
    kinds = (
        first,
        np.sign(first) * np.sign(second),
        np.sin(2 * np.pi * waves * np.hypot(x - centre[0], y - centre[1])),
        np.where(first + second > 1, 1.0, -1.0),
        np.maximum(first, second) * np.where(first > second, 1.0, 0.6),
    )
    drawn = 0.5 + 0.5 * kinds[random.integers(len(kinds))]
    return _between(random, 0.85 * drawn + 0.15 * smooth_noise(random, (side, side), decay=1.0))


def phase_scrambled(random: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image `[y, x, 3]` with its amplitudes kept and its phases random, the same shift in all channels: no shape is left."""
    height, width = image.shape[:2]
    shift = np.angle(np.fft.fft2(random.standard_normal((height, width))))  # antisymmetric, so that the result is real
    spectrum = np.fft.fft2(image, axes=(0, 1)) * np.exp(1j * shift)[:, :, None]
    spectrum[0, 0] = np.abs(spectrum[0, 0])
    scrambled = np.fft.ifft2(spectrum, axes=(0, 1)).real
    return np.asarray(np.rint(np.clip(scrambled, 0, 255)), dtype=np.uint8)


def patches_shuffled(random: np.random.Generator, image: NDArray[np.uint8], *, patches: int = 8) -> NDArray[np.uint8]:
    """The image `[y, x, 3]` cut into `patches` x `patches` pieces in random order; a rest at the border is left out."""
    height, width = image.shape[0] // patches, image.shape[1] // patches
    if min(height, width) < 1:
        raise ValueError(f"an image of {image.shape[0]} x {image.shape[1]} has no {patches} x {patches} patches")
    pieces = image[: height * patches, : width * patches].reshape(patches, height, patches, width, 3)
    shuffled = random.permutation(pieces.swapaxes(1, 2).reshape(-1, height, width, 3))
    joined = shuffled.reshape(patches, patches, height, width, 3).swapaxes(1, 2)
    return np.ascontiguousarray(joined.reshape(height * patches, width * patches, 3))


def _between(random: np.random.Generator, mixture: NDArray[np.float64]) -> NDArray[np.uint8]:
    """`[y, x, 3]` uint8 between two random colours, by `mixture [y, x]` in 0..1."""
    colours = random.uniform(0, 255, (2, 3))
    mixed = mixture[:, :, None] * colours[0] + (1 - mixture[:, :, None]) * colours[1]
    return np.asarray(np.rint(mixed), dtype=np.uint8)
