"""An image folder: `ROOT/class/name.jpg`. Classes are the sub-folders in alphabetical order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from conspect.adapters.datasets.catalogue import Catalogue, Files
from conspect.core.diagnostics import user_error


def load(root: Path, *, split: str = "test", name: str | None = None) -> Catalogue:
    """All files with an image's suffix in the class folders of `root`.

    Ids are paths below `root`, printable in every case; metadata "subfolder" is the folder between class and file. A file
    that later turns out unreadable stays in the counts and is listed. Raises UserError DATA003 when there is no class
    folder or no image.
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
    between = tuple("/".join(one.split("/")[1:-1]) or None for one in ids)
    return Catalogue(
        name or root.name, split, class_names, ids, numbers, Files(root, tuple(files)), metadata={"subfolder": between}
    )


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if not name.startswith("."))
