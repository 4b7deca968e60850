"""Changed pictures of a study's images: made when a property asks for them, embedded once, kept in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.views.changes import ChangedImages, all_pictures, changes_digest
from conspect.adapters.datasets.views.subsets import Subset
from conspect.adapters.store.embeddings import embedded_shards
from conspect.adapters.store.places import Store
from conspect.core.digests import digest_json
from conspect.core.protocols import ImageDataset, ProgressBar, VisionModel
from conspect.core.spaces import Floats
from conspect.study.config import NeighbourhoodsConfig
from conspect.verification.queries.changed import ChangedSplit, PictureName


@dataclass(frozen=True, eq=False)
class SplitImages:
    """Which images of a data set a split of verification holds: `rows [image]`, in the split's order."""

    dataset: ImageDataset
    rows: NDArray[np.int64]


@dataclass(eq=False)
class StudyPictures:
    """Changed pictures of a study; fulfils `ChangedPictures`. Of each split at most `config.images` images are changed."""

    config: NeighbourhoodsConfig
    model: VisionModel
    splits: Mapping[str, SplitImages]
    store: Store
    seed: int
    bar: ProgressBar
    _samples: dict[str, ChangedSplit] = field(default_factory=dict)

    @property
    def pictures(self) -> tuple[PictureName, ...]:
        """The changes that study.toml names. Raises UserError STUDY008 for a function that cannot be imported."""
        return tuple(PictureName(picture.kind, picture.words) for picture in all_pictures(self.config.changes))

    @property
    def digest(self) -> str:
        """SHA-256 of the changes, the source of the user's own among them, and of how many images are drawn how."""
        return digest_json([changes_digest(self.config.changes), self.config.images, self.seed])

    def sample(self, split: str) -> ChangedSplit:
        """Changed pictures of images drawn with the study's seed, ascending; an image is left out with any of its pictures."""
        if split not in self._samples:
            count = len(self.splits[split].rows)
            drawn = np.random.default_rng([self.seed, 2]).permutation(count)[: self.config.images]
            self._samples[split] = self._embedded(split, np.sort(drawn).astype(np.int64))
        return self._samples[split]

    def around(self, split: str, row: int) -> Floats:
        """Changed pictures `[picture, D]` of one image; none when one of them cannot be made."""
        sampled = self._samples.get(split)
        if sampled is not None and row in sampled.rows:
            return np.asarray(sampled.embeddings[int(np.searchsorted(sampled.rows, row))])
        embeddings = self._embedded(split, np.asarray([row], dtype=np.int64)).embeddings
        return np.asarray(embeddings.reshape(-1, embeddings.shape[-1]))

    def picture(self, split: str, row: int, which: int) -> NDArray[np.uint8]:
        """One changed picture as it was embedded, `[y, x, 3]` uint8. Raises UnreadableImage."""
        changed = self._changed(split, np.asarray([row], dtype=np.int64))
        return changed.image(which)

    def _changed(self, split: str, rows: NDArray[np.int64]) -> ChangedImages:
        own = self.splits[split]
        return ChangedImages(Subset(own.dataset, own.rows[rows]), tuple(self.config.changes), self.seed)

    def _embedded(self, split: str, rows: NDArray[np.int64]) -> ChangedSplit:
        changed = self._changed(split, rows)
        progress = self.bar(f"changed pictures ({split})", len(changed))
        shards = embedded_shards(self.model, changed, self.store, progress=progress)
        each, size = len(self.pictures), self.model.embedding_size
        values = np.concatenate([part[0] for part in shards]) if len(shards) else np.zeros((0, size), np.float32)
        whole = shards.readable().reshape(-1, each).all(axis=1)
        return ChangedSplit(rows[whole], values.reshape(-1, each, size)[whole])
