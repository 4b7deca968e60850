"""A model that looks at every image in another way: what the second look needs, embedded and kept like all else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.core.digests import digest_json
from conspect.core.protocols import ImageEncoder
from conspect.monitor.runtime.looks import MOVE, Look


@dataclass(frozen=True)
class LookingEncoder:
    """`encoder` after `look`, which picks its places in the prepared image; fulfils `ImageEncoder`."""

    encoder: ImageEncoder
    look: Look

    @property
    def name(self) -> str:
        """That of the encoder."""
        return self.encoder.name

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the encoder's digest and the look."""
        return digest_json([self.encoder.digest, "look", self.look.mirrored, self.look.down, self.look.right, MOVE])

    @property
    def preprocessing(self) -> str:
        """That of the encoder, and the look."""
        return f"{self.encoder.preprocessing}, then {self.look}"

    @property
    def embedding_size(self) -> int:
        """Number of dimensions of an embedding."""
        return self.encoder.embedding_size

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the encoder takes, as the look shows it."""
        return np.ascontiguousarray(self.look(self.encoder.prepare(image)))

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32 of a stack of prepared images."""
        return self.encoder.embed(batch)
