"""Four images that are always the same: what a model is tried on before it has seen any data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = ((240, 320), (320, 213), (64, 64), (97, 131))


def known_images() -> tuple[NDArray[np.uint8], ...]:
    """Clouds of colour `[height, width, 3]` uint8 in four sizes and both orientations, with edges in them."""
    rng = np.random.default_rng(0)
    images = []
    for height, width in SIZES:
        coarse = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
        fine = rng.integers(-20, 21, (height, width, 3))
        image = np.clip(smooth + fine, 0, 255).astype(np.uint8)
        image[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, 3)
        images.append(image)
    return tuple(images)
