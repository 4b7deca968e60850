"""Several data sets as one, part after part: embedded, and kept, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.core.digests import digest_json
from conspect.core.protocols import ImageDataset


@dataclass(frozen=True, eq=False)
class ChainedImages:
    """The images of `parts` in order; all parts have the same classes. Fulfils `ImageDataset`."""

    name: str
    parts: Sequence[ImageDataset]

    def __post_init__(self) -> None:
        if not self.parts or any(part.class_names != self.parts[0].class_names for part in self.parts):
            raise ValueError("a chain needs parts, and all of them the same classes")

    @property
    def split(self) -> str:
        """The first part's split."""
        return self.parts[0].split

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of every part."""
        return self.parts[0].class_names

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all parts."""
        return tuple(name for part in self.parts for name in part.ids)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Labels of all parts."""
        return np.concatenate([part.labels for part in self.parts])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the parts' digests."""
        return digest_json([part.digest for part in self.parts])

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each part, and last the number of images `[part + 1]`."""
        return np.concatenate([[0], np.cumsum([len(part) for part in self.parts])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.parts[part].image(index - int(self.starts[part]))
