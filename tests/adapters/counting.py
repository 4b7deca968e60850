"""A model that counts what it is shown, and how many images a shard of the store holds."""

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import BATCH, BATCHES_PER_SHARD
from tests.fakes import FakeModel

SHARD = BATCH * BATCHES_PER_SHARD


class CountingModel(FakeModel):
    """Counts the images that it has to look at."""

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen += len(batch)
        return super().embed(batch)
