"""A data set whose images are already in memory: CIFAR-10, fixtures, and whatever a caller holds as an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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
