"""An image folder: `ROOT/class/name.jpg`. Classes are the sub-folders in alphabetical order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets.image_files import read_image
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_file, digest_json


@dataclass(frozen=True)
class ImageFolder:
    """Images found under `root` at `files`, relative to it. Ids are the same with `/`, and printable in every case."""

    root: Path
    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return read_image(self.root / self.files[index])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over class names, ids, labels and the content of every file; one that cannot be opened counts as such."""
        with ThreadPoolExecutor(4) as pool:
            contents = list(pool.map(lambda name: _content_digest(self.root / name), self.files))
        return digest_json([self.class_names, self.ids, self.labels.tolist(), contents])


def load(root: Path, *, split: str = "test", name: str | None = None) -> ImageFolder:
    """All files with an image's suffix in the class folders of `root`.

    A file that later turns out unreadable stays in the counts and is listed. Raises UserError DATA003 when there is no
    class folder or no image.
    """
    if not root.is_dir():
        raise user_error("DATA003", f"{root} is not a folder", "give a folder with one sub-folder of images per class")
    suffixes = set(Image.registered_extensions())
    class_names = tuple(
        sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    )
    files: list[str] = []
    labels: list[int] = []
    for index, class_name in enumerate(class_names):
        for path in sorted(_files(root / class_name)):
            if path.suffix.lower() in suffixes:
                files.append(path.relative_to(root).as_posix())
                labels.append(index)
    if not files:
        raise user_error(
            "DATA003",
            f"{root} has no images in class folders",
            f"put them at {root}/CLASS/NAME.jpg (or .png, .webp, ...)",
        )
    # Names that are not UTF-8 come from the file system as lone surrogates, which cannot be written into results.json.
    ids = tuple(os.fsencode(file).decode("utf-8", "backslashreplace") for file in files)
    numbers = np.asarray(labels, dtype=np.int64)
    return ImageFolder(root, name or root.name, split, class_names, ids, numbers, tuple(files))


def _content_digest(path: Path) -> str:
    try:
        return digest_file(path) if path.is_file() else "not a file"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if not name.startswith("."))
