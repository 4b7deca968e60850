"""Embeds a fixed data set slowly into the folder of the first argument, one line per batch: something to kill."""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.store.embeddings import embed
from conspect.core.diagnostics import Diagnostic
from conspect.core.protocols import UnreadableImage
from tests.fakes import colour_dataset

IMAGES, BATCH_SECONDS = 9000, 0.002
UNREADABLE = (3, 70, 1023, 1024, 8999)


class Holed(ArrayDataset):
    """A data set with images that cannot be read."""

    def image(self, index: int) -> NDArray[np.uint8]:
        if index in UNREADABLE:
            raise UnreadableImage(Diagnostic("DATA006", f"{index} is broken", "repair it"))
        return super().image(index)


class SlowEncoder:
    name, digest, preprocessing, embedding_size = "slow", "slow-1", "none", 24

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return image.astype(np.float32).ravel()

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mixes the rows of a batch, so that another division into batches would give other values."""
        time.sleep(BATCH_SECONDS)
        return np.asarray(np.tanh(batch[:, :24] / 100 + batch.mean() / 1000), dtype=np.float32)


def dataset() -> Holed:
    whole = colour_dataset(IMAGES)
    return Holed(whole.name, whole.split, whole.class_names, whole.ids, whole.labels, whole.pixels)


if __name__ == "__main__":
    embed(SlowEncoder(), dataset(), Path(sys.argv[1]), progress=lambda rows: print(rows, flush=True))
