"""A data set whose images are already in memory: CIFAR-10, fixtures, and whatever a caller holds as an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.image_files import how_to_give
from conspect.adapters.datasets.names import check_names
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_bytes, digest_json


@dataclass(frozen=True)
class ArrayDataset:
    """Images `[image, height, width, 3]` uint8 with ids and labels (index into `class_names`, int64)."""

    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    metadata: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UserError DATA007 for pixels, ids, labels or names that are not as they should be."""
        pixels, labels = self.pixels, np.asarray(self.labels)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            problem = (
                f"pixels of {self.name!r} are {pixels.dtype} {list(pixels.shape)}, not uint8 [image, height, width, 3]"
            )
            raise user_error("DATA007", problem, how_to_give(pixels))
        if pixels.any() and pixels.max() <= 1:
            problem = f"pixels of {self.name!r} go from 0 to 1 of 255: all of its images would be black"
            fix = "multiply by 255, before a cast of floats in 0..1 to uint8 loses what is between"
            raise user_error("DATA007", problem, fix)
        if len(pixels) != len(self.ids) or labels.shape != (len(self.ids),):
            problem = (
                f"{self.name!r} has {len(pixels)} images, {len(self.ids)} ids and labels of shape {list(labels.shape)}"
            )
            raise user_error("DATA007", problem, "give one id and one label for each image")
        if labels.dtype.kind not in "iu" or not ((labels >= 0) & (labels < len(self.class_names))).all():
            fix = f"labels are whole numbers from 0 to {len(self.class_names) - 1}, places in class_names"
            raise user_error("DATA007", f"labels of {self.name!r} are {labels.dtype}, or outside its classes", fix)
        check_names(self.class_names, self.ids, self.split)

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB."""
        return np.asarray(self.pixels[index])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over class names, ids, labels and pixels."""
        head = digest_json([self.class_names, self.ids, self.labels.tolist(), list(self.pixels.shape)])
        return digest_bytes(head.encode(), np.ascontiguousarray(self.pixels).tobytes())
