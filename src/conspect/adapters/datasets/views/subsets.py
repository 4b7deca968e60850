"""A part of a data set, by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.views.derived import DerivedImages
from conspect.core.capabilities import concept_labels_of, file_of, metadata_of, omissions_of
from conspect.core.digests import digest_json
from conspect.core.protocols import ImageDataset


@dataclass(frozen=True)
class Subset(DerivedImages):
    """The rows `rows` of `whole`, in that order."""

    rows: NDArray[np.int64]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the chosen rows."""
        return tuple(self.whole.ids[row] for row in self.rows)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the chosen rows."""
        return self.whole.labels[self.rows]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the whole's digest and the rows."""
        return digest_json([self.whole.digest, self.rows.tolist()])

    @property
    def concept_names(self) -> tuple[str, ...]:
        """The whole data set's labelled concepts; none when it labels none."""
        return concept_labels_of(self.whole).names

    @cached_property
    def concept_labels(self) -> NDArray[np.float64]:
        """Concept labels `[image, concept]` of the chosen rows."""
        return concept_labels_of(self.whole).presence[self.rows]

    @cached_property
    def metadata(self) -> Mapping[str, tuple[str | None, ...]]:
        """Metadata of the chosen rows."""
        columns = metadata_of(self.whole)
        return {name: tuple(values[row] for row in self.rows) for name, values in columns.items()}

    @property
    def omissions(self) -> tuple[str, ...]:
        """What the whole data set left out when it was found."""
        return omissions_of(self.whole)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return self.whole.image(int(self.rows[index]))

    def path(self, index: int) -> Path | None:
        """Where an image's file is; None when it has none of its own."""
        return file_of(self.whole, int(self.rows[index]))


def sample(whole: ImageDataset, images: int | None, *, seed: int) -> ImageDataset:
    """`images` rows drawn without replacement with `seed`, in the data set's order; the whole when None or too many."""
    if images is None or images >= len(whole):
        return whole
    rows = np.sort(np.random.default_rng(seed).permutation(len(whole))[:images])
    return Subset(whole, rows.astype(np.int64))


def rest(whole: ImageDataset, images: int | None, *, seed: int) -> Subset:
    """The rows that `sample` with the same arguments leaves out, in random order: any first part is a random draw."""
    drawn = len(whole) if images is None else images
    return Subset(whole, np.random.default_rng(seed).permutation(len(whole))[drawn:].astype(np.int64))
