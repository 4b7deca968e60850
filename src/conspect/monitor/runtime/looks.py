"""Looks at an input beside the one as it came: mirrored, moved a little. What it shows has not changed.

A look acts on what the network takes, after resizing and cropping, so that a study, the service, a wrapped model and an
exported graph look alike. It only picks places, so it commutes with scaling and normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error

# A move is this share of the side, so 2 pixels of 32; the edge is repeated.
MOVE = 1 / 16
COLOURS = (1, 3)


@dataclass(frozen=True, slots=True)
class Look:
    """Moved by `down`, `right` (in units of `MOVE` of the height and width), then mirrored left to right if asked."""

    mirrored: bool
    down: int
    right: int

    def places(self, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which row stands in each row of the look, and which column in each column."""
        rows = np.clip(np.arange(height) - round(self.down * height * MOVE), 0, height - 1)
        columns = np.clip(np.arange(width) - round(self.right * width * MOVE), 0, width - 1)
        return rows, columns[::-1].copy() if self.mirrored else columns

    def __call__(self, images: Any) -> Any:
        """Images `[..., colour, y, x]` or `[..., y, x, colour]`, a NumPy array or a torch tensor, of the same shape.

        Raises UserError MONITOR001 for what is not like that.
        """
        vertical = axis_of_height(images.shape)
        rows, columns = self.places(images.shape[vertical], images.shape[vertical + 1])
        before = (slice(None),) * vertical
        return images[(*before, rows)][(*before, slice(None), columns)]


def axis_of_height(shape: Sequence[int]) -> int:
    """Axis of y; that of x follows it. Raises UserError MONITOR001 where neither the third last nor the last is of colours."""
    if len(shape) >= 3 and shape[-3] in COLOURS:
        return len(shape) - 2
    if len(shape) >= 3 and shape[-1] in COLOURS:
        return len(shape) - 3
    problem = f"another look at an input of shape {list(shape)}"
    raise user_error(
        "MONITOR001", problem, "give images [..., 3, y, x] or [..., y, x, 3]; or do without the second look"
    )


# Chosen by cross-validation on held-out images: of the sets of three among seven looks, the best mean log-odds.
LOOKS = (Look(True, 0, 0), Look(False, 0, 1), Look(True, -1, -1))
