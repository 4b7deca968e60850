"""Changed pictures that are drawn: displaced embeddings, for models that have no images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conspect.core.spaces import Floats
from conspect.verification.queries.changed import ChangedSplit, PictureName


@dataclass(frozen=True, eq=False)
class DrawnPictures:
    """Three displacements of every image of every split, all of one kind; fulfils `ChangedPictures`."""

    samples: dict[str, ChangedSplit]

    @property
    def pictures(self) -> tuple[PictureName, ...]:
        """Three changes of one kind."""
        return tuple(PictureName("drawn", f"moved, {k}") for k in range(3))

    @property
    def digest(self) -> str:
        """There is nothing to tell apart."""
        return "drawn"

    def sample(self, split: str) -> ChangedSplit:
        """All images of a split."""
        return self.samples[split]

    def around(self, split: str, row: int) -> Floats:
        """Those of one image."""
        return np.asarray(self.samples[split].embeddings[row])
