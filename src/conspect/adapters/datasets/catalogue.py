"""A data set as a list of images with ids, labels and what else is known of them, wherever the images themselves are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.image_files import decode_image, read_image
from conspect.adapters.datasets.names import check_names
from conspect.core.digests import digest_bytes, digest_file, digest_json


class ImageSource(Protocol):
    """Where the images of a catalogue are."""

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB; called from several threads at once. Raises UnreadableImage."""

    def digests(self) -> Sequence[str]:
        """One text per image that changes with its content, and with nothing else."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Ids, labels (index into `class_names`, int64), metadata and concept labels of the images of a source.

    `omissions`: what was found and left out, one sentence a kind. Raises UserError DATA007 when an id stands for two images,
    or a class name for two classes.
    """

    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    source: ImageSource
    metadata: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    concept_names: tuple[str, ...] = ()
    concept_labels: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    omissions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.class_names, self.ids, self.split)
        if not self.concept_names:
            object.__setattr__(self, "concept_labels", np.zeros((len(self.ids), 0)))

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return self.source.image(index)

    def path(self, index: int) -> Path | None:
        """Where an image's file is; None when it has none of its own."""
        return self.source.root / self.source.files[index] if isinstance(self.source, Files) else None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over class names, ids, labels and the content of every image; metadata and concept labels are left out,
        so that asking for another slice does not compute the embeddings anew.
        """
        return digest_json([self.class_names, self.ids, self.labels.tolist(), list(self.source.digests())])


@dataclass(frozen=True)
class Files:
    """Image files under `root`. One that cannot be opened is unreadable, and counts as such in the digest."""

    root: Path
    files: tuple[str, ...]

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return read_image(self.root / self.files[index])

    def digests(self) -> Sequence[str]:
        """SHA-256 of each file."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda name: _content_digest(self.root / name), self.files))


@dataclass(frozen=True)
class EncodedImages:
    """Images in a common format (JPEG, PNG, ...) as bytes: `fetch(index)`, empty when there is no image."""

    names: tuple[str, ...]
    fetch: Callable[[int], bytes]

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return decode_image(self.fetch(index), self.names[index])

    def digests(self) -> Sequence[str]:
        """SHA-256 of each image's bytes."""
        return [digest_bytes(self.fetch(index)) for index in range(len(self.names))]


def _content_digest(path: Path) -> str:
    try:
        return digest_file(path) if path.is_file() else "not a file"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
