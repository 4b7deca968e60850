"""A data set that is made of another: what it does not say otherwise is the other's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.protocols import ImageDataset


@dataclass(frozen=True, eq=False)
class DerivedImages:
    """Name, split, classes, ids and labels of `whole`; a kind of its own adds `digest` and `image`."""

    whole: ImageDataset

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        return self.whole.name

    @property
    def split(self) -> str:
        """The whole data set's split."""
        return self.whole.split

    @property
    def class_names(self) -> tuple[str, ...]:
        """The whole data set's classes, also those without an image here."""
        return self.whole.class_names

    @property
    def ids(self) -> tuple[str, ...]:
        """One unique id per image, in order."""
        return self.whole.ids

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `class_names` per image."""
        return self.whole.labels

    def __len__(self) -> int:
        return len(self.ids)
