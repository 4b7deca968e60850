"""A sound model taken apart so that faults can be planted in it: pictures, stages, and activations that are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH = 256
# Activations before a stage are kept when they take at most this many bytes an image; earlier ones are computed again.
KEPT_BYTES = 65_536


@dataclass(eq=False)
class StagedEncoder:
    """The stages of a sound encoder, and the prepared pictures `[image, ...]` of each split that go through it.

    `advance(n)` is called with the number of images that went through a stage or more.
    """

    encoder: nn.Sequential
    pictures: dict[str, NDArray[np.float32]]
    advance: Callable[[int], None] = lambda images: None
    _kept: dict[tuple[str, int], Tensor] = field(default_factory=dict)

    def embeddings(
        self, split: str, *, stage: int | None = None, mutant: nn.Module | None = None, images: int | None = None
    ) -> NDArray[np.float32]:
        """`[image, D]` of the first `images` of a split, with `mutant` in the place of `stage` (None: the sound encoder)."""
        place = 0 if stage is None else stage
        tail = self.encoder[place:] if mutant is None else nn.Sequential(mutant, self.encoder[place + 1 :])
        parts = [self._through(tail, before) for before in self._before(split, place, images)]
        return np.concatenate([part.numpy() for part in parts]).astype(np.float32)

    def embed(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[image, D]` of other prepared pictures by the sound encoder."""
        parts = [self._through(self.encoder, batch) for batch in torch.split(torch.from_numpy(pictures), BATCH)]
        return np.concatenate([part.numpy() for part in parts]).astype(np.float32)

    def before(self, split: str, stage: int) -> Tensor:
        """What `stage` is given by the sound encoder for each picture of a split, `[image, ...]`."""
        return torch.cat(list(self._before(split, stage, None)))

    def _before(self, split: str, stage: int, images: int | None) -> Sequence[Tensor]:
        pictures = torch.from_numpy(self.pictures[split])
        count = len(pictures) if images is None else min(images, len(pictures))
        if stage == 0:
            return torch.split(pictures[:count], BATCH)
        if (split, stage) in self._kept:
            return torch.split(self._kept[split, stage][:count], BATCH)
        head = self.encoder[:stage]
        with torch.inference_mode():
            size = head(pictures[:1])[0].numel() * 4
        if size > KEPT_BYTES:
            return [self._through(head, batch) for batch in torch.split(pictures[:count], BATCH)]
        self._kept[split, stage] = torch.cat([self._through(head, batch) for batch in torch.split(pictures, BATCH)])
        return torch.split(self._kept[split, stage][:count], BATCH)

    def _through(self, stages: nn.Module, batch: Tensor) -> Tensor:
        with torch.inference_mode():
            out: Tensor = stages(batch)
        self.advance(len(batch))
        return out.clone()
