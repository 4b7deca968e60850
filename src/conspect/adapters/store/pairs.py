"""The embeddings of one data set in both spaces as they lie in the store, for passes that read them a part at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import Shards


@dataclass(frozen=True, eq=False)
class StoredPairs:
    """The images `rows [pair]` of a data set, ascending: model's shards `z`, VLM's `y`. Fulfils `PairedRows`.

    Both spaces must be of the same data set, and thus cut into shards alike.
    """

    z: Shards
    y: Shards
    rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.z.data != self.y.data:
            raise ValueError("pairs are of the same images in both spaces")

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`[pair, D]` and `[pair, E]` of consecutive pairs. Raises OutsideError STORE001 or STORE002."""
        wanted = self.rows[rows.start : rows.stop]
        return self.z.rows(wanted), self.y.rows(wanted)
