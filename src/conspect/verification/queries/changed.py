"""Changed pictures: embeddings of the same images after ordinary changes, all that verification knows of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Floats


@dataclass(frozen=True, slots=True)
class PictureName:
    """One way in which images are changed. `kind`: as study.toml calls it; `words`: what was done, "10% brighter"."""

    kind: str
    words: str


@dataclass(frozen=True, eq=False)
class ChangedSplit:
    """Changed pictures of images of one split: `rows [image]` of the split, `embeddings [image, picture, D]`."""

    rows: NDArray[np.int64]
    embeddings: Floats


class ChangedPictures(Protocol):
    """Where changed pictures come from. Every image has the same `pictures`, in this order."""

    @property
    def pictures(self) -> tuple[PictureName, ...]:
        """The changes."""

    @property
    def digest(self) -> str:
        """SHA-256 of the changes: equal digests, equal pictures."""

    def sample(self, split: str) -> ChangedSplit:
        """Changed pictures of a random sample of a split; those that could not be made are left out with their image."""

    def around(self, split: str, row: int) -> Floats:
        """Changed pictures `[picture, D]` of one image, sampled or not."""
