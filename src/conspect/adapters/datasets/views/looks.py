"""Other looks at the same images: mirrored, moved a little. What they show has not changed; what a model says may."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.views.derived import Derived
from conspect.core.digests import digest_json

# A move is this share of the side, so 2 pixels of 32; the edge is repeated.
MOVE = 1 / 16


@dataclass(frozen=True, slots=True)
class Look:
    """Moved by `down`, `right` (in units of `MOVE` of the height and width), then mirrored left to right if asked."""

    mirrored: bool
    down: int
    right: int

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8 of the same size."""
        height, width = image.shape[:2]
        rows = np.clip(np.arange(height) - round(self.down * height * MOVE), 0, height - 1)
        columns = np.clip(np.arange(width) - round(self.right * width * MOVE), 0, width - 1)
        return np.ascontiguousarray(image[np.ix_(rows, columns[::-1] if self.mirrored else columns)])


# Chosen by cross-validation on held-out images: of the sets of three among seven looks, the best mean log-odds.
LOOKS = (Look(True, 0, 0), Look(False, 0, 1), Look(True, -1, -1))


@dataclass(frozen=True)
class Looked(Derived):
    """Every image of `whole` as `look` shows it; fulfils `ImageDataset`."""

    look: Look

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the whole's digest and the look."""
        return digest_json([self.whole.digest, "look", self.look.mirrored, self.look.down, self.look.right, MOVE])

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return self.look(self.whole.image(index))
