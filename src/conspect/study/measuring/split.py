"""The readable images of one split: which they are, and their embeddings as they lie in the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import Shards
from conspect.adapters.store.mapped import MappedShards
from conspect.adapters.store.pairs import StoredPairs
from conspect.core.protocols import ImageDataset
from conspect.study.inputs import labels_in_model_order
from conspect.study.measuring.streaming import sampled_rows


@dataclass(frozen=True, eq=False)
class StoredSplit:
    """Images that both models could read. `rows [image]`: their places in the data set; `labels [image]`: the model's classes.

    No embedding is held: `model_embeddings` and `vlm_embeddings` read those that are asked for.
    """

    dataset: ImageDataset
    labels: NDArray[np.int64]
    pairs: StoredPairs

    @classmethod
    def of(cls, dataset: ImageDataset, z: Shards, y: Shards, class_names: tuple[str, ...]) -> StoredSplit:
        """The images that are readable in both spaces. Raises OutsideError STORE001 or STORE002."""
        rows = np.flatnonzero(z.readable() & y.readable())
        return cls(dataset, labels_in_model_order(dataset, class_names)[rows], StoredPairs(z, y, rows))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places in the data set."""
        return self.pairs.rows

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the images."""
        names = self.dataset.ids
        return names if len(self) == len(names) else tuple(names[row] for row in self.rows)

    @cached_property
    def model_space(self) -> MappedShards:
        """The model's embeddings, for many questions to one study."""
        return MappedShards(self.pairs.z, self.rows)

    @cached_property
    def vlm_space(self) -> MappedShards:
        """The VLM's embeddings, as `model_space`."""
        return MappedShards(self.pairs.y, self.rows)

    def sample(self, limit: int, seed: int) -> NDArray[np.int64]:
        """At most `limit` images, ascending: all, or a random sample drawn with `seed`."""
        return sampled_rows(len(self), limit, seed)

    def model_embeddings(self, images: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
        """`[image, D]` of the chosen images of this split, in that order; None: of all, which a large split may not allow."""
        return self.pairs.z.rows(self._places(images))

    def vlm_embeddings(self, images: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
        """`[image, E]`, as `model_embeddings`."""
        return self.pairs.y.rows(self._places(images))

    def _places(self, images: NDArray[np.integer] | None) -> NDArray[np.int64]:
        return self.rows if images is None else self.rows[images]
