"""Crops of photographs that installed packages bring along as examples: none shows a class of CIFAR-10.

Nothing is imported, downloaded or copied into this project; the files are read where pip has put them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets.image_files import read_image

# Package to its photographs. Left out: what is near a class of CIFAR-10 (cats, horses, rockets, motorcycles), drawings, scans.
PHOTOGRAPHS = {
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "skimage": tuple(
        f"data/{name}"
        for name in (
            *("astronaut.png", "brick.png", "camera.png", "coffee.png", "coins.png", "grass.png", "gravel.png"),
            *("hubble_deep_field.jpg", "ihc.png", "moon.png", "retina.jpg"),
        )
    ),
}
SMALLEST_SHARE = 0.2


def available() -> tuple[Path, ...]:
    """The photographs on this machine, in a fixed order."""
    return tuple(
        path
        for package, names in PHOTOGRAPHS.items()
        if (spec := find_spec(package)) is not None and spec.submodule_search_locations
        for path in (Path(spec.submodule_search_locations[0]) / name for name in names)
        if path.is_file()
    )


def crop(random: np.random.Generator, path: Path, side: int) -> NDArray[np.uint8]:
    """A random square of the photograph, a fifth of its shorter side to all of it, resized to `[side, side, 3]` uint8."""
    photograph = _read(path)
    height, width = photograph.shape[:2]
    length = int(random.uniform(SMALLEST_SHARE, 1) * min(height, width))
    top, left = random.integers(0, height - length + 1), random.integers(0, width - length + 1)
    square = Image.fromarray(photograph[top : top + length, left : left + length])
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS), dtype=np.uint8)


@cache
def _read(path: Path) -> NDArray[np.uint8]:
    return read_image(path)
