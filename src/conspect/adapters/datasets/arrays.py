"""A data set whose images are already in memory: CIFAR-10, fixtures, and whatever a caller holds as an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.image_files import how_to_give
from conspect.adapters.datasets.names import check_names
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_bytes, digest_json

# So many images that are black but for a trace may be what they are.
HANDFUL = 5


@dataclass(frozen=True)
class ArrayDataset:
    """Images `[image, height, width, 3]` uint8 with ids and labels (index into `class_names`, int64).

    Pixels and labels may be given as anything that NumPy takes as an array, such as a list or a tensor in main memory.
    `concept_labels [image, concept]`: 1 shown, 0 not shown, NaN not known, of `concept_names`; neither is part of the digest.
    """

    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    metadata: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    concept_names: tuple[str, ...] = ()
    concept_labels: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        """Raises UserError DATA007 for pixels, ids, labels or names that are not as they should be."""
        pixels, labels = self._array("pixels"), self._array("labels")
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            problem = (
                f"pixels of {self.name!r} are {pixels.dtype} {list(pixels.shape)}, not uint8 [image, height, width, 3]"
            )
            raise user_error("DATA007", problem, how_to_give(pixels))
        if 0 in pixels.shape[1:]:
            problem = f"images of {self.name!r} are {pixels.shape[2]} x {pixels.shape[1]} pixels"
            raise user_error("DATA007", problem, "give images that have pixels, or leave those out that have none")
        self._refuse_black(pixels)
        if len(pixels) != len(self.ids) or labels.shape != (len(self.ids),):
            problem = (
                f"{self.name!r} has {len(pixels)} images, {len(self.ids)} ids and labels of shape {list(labels.shape)}"
            )
            raise user_error("DATA007", problem, "give one id and one label for each image")
        if labels.dtype.kind not in "iu" or not ((labels >= 0) & (labels < len(self.class_names))).all():
            fix = f"labels are whole numbers from 0 to {len(self.class_names) - 1}, places in class_names"
            raise user_error("DATA007", f"labels of {self.name!r} are {labels.dtype}, or outside its classes", fix)
        check_names(self.class_names, self.ids, self.split)
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "concept_labels", self._checked_concept_labels())
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def _array(self, name: str) -> NDArray[Any]:
        """Raises UserError DATA007 for what is no array, such as lists of several lengths or a tensor on an accelerator."""
        given = getattr(self, name)
        try:
            return np.asarray(given)
        except (TypeError, ValueError, RuntimeError) as error:
            problem = (
                f"{name} of {self.name!r} are a {type(given).__name__} that NumPy does not take: {str(error)[:200]}"
            )
            raise user_error(
                "DATA007", problem, f"give {name} as a NumPy array, such as tensor.cpu().numpy()"
            ) from error

    def _checked_concept_labels(self) -> NDArray[np.float64]:
        """Raises UserError DATA007 for other labels than 1, 0 and NaN, one for each image and concept."""
        if not self.concept_names:
            return np.zeros((len(self.ids), 0))
        given, images, concepts = self._array("concept_labels"), len(self.ids), len(self.concept_names)
        fitting = given.shape == (images, concepts) and given.dtype.kind in "biuf"
        if not fitting or not (np.isnan(given) | (given == 0) | (given == 1)).all():
            problem = f"concept labels of {self.name!r} are {given.dtype} {list(given.shape)}, or other numbers than 0, 1 and NaN"
            fix = f"give a row for each of the {images} images, with a column for each of the {concepts} names"
            raise user_error("DATA007", problem, fix)
        return given.astype(np.float64, copy=False)

    def _refuse_black(self, pixels: NDArray[np.uint8]) -> None:
        """Images that go from 0 to 1 are floats that were cast, or masks: all of them, or more than a handful."""
        brightest = pixels.max(axis=(1, 2, 3), initial=0)
        dark = np.flatnonzero(brightest == 1)
        if len(dark) and (brightest.max() == 1 or len(dark) > HANDFUL):
            those = "all of its images" if brightest.max() == 1 else f"{len(dark):,} of its {len(pixels):,} images"
            problem = f"pixels of {self.name!r} go from 0 to 1 of 255: {those} would be black"
            fix = f"multiply by 255, before a cast of floats in 0..1 to uint8 loses what is between: image {int(dark[0])} first"
            raise user_error("DATA007", problem, fix)

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB."""
        return np.asarray(self.pixels[index])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over class names, ids, labels and pixels."""
        head = digest_json([self.class_names, self.ids, self.labels.tolist(), list(self.pixels.shape)])
        return digest_bytes(head.encode(), np.ascontiguousarray(self.pixels).tobytes())
