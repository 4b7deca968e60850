"""Photographs with a caption beside each, `name.png` and `name.txt`: the stamps of Tux Paint, read where Debian installs them.

The package tuxpaint-stamps-default is GPL-2; nothing of it is part of Conspect.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.image_files import SUFFIXES, read_image
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.digests import digest_file, digest_json

STAMPS, PACKAGE = Path("/usr/share/tuxpaint/stamps"), "tuxpaint-stamps-default"
INSTALL = f"sudo apt-get install {PACKAGE}"
# Folders of the stamps that hold drawings.
NO_PHOTOGRAPHS = frozenset({"symbols", "cartoon"})
MOST_IMAGES, CAPTION_BYTES, CAPTION_LETTERS = 5_000, 4_096, 300


@dataclass(frozen=True, eq=False)
class CaptionedImages:
    """The images of a folder that have a caption; `captions [image]`. The distinct captions are the classes."""

    folder: Path
    ids: tuple[str, ...]
    captions: tuple[str, ...]
    name: str = "captioned photographs"
    split: str = "all"

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The distinct captions, in the order of the images."""
        return tuple(dict.fromkeys(self.captions))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The caption of each image."""
        place = {caption: number for number, caption in enumerate(self.class_names)}
        return np.array([place[caption] for caption in self.captions], dtype=np.int64)

    @cached_property
    def digest(self) -> str:
        """Of ids, captions and files."""
        return digest_json([[name, digest_file(self.folder / name)] for name in self.ids] + list(self.captions))

    def image(self, index: int) -> NDArray[np.uint8]:
        """RGB, over white. Raises UnreadableImage."""
        return read_image(self.folder / self.ids[index])


def captioned_images(folder: Path) -> CaptionedImages:
    """At most `MOST_IMAGES` photographs below `folder`, by name; drawings (`NO_PHOTOGRAPHS`) and links are left out.

    Raises UserError DATA003 where there are fewer than two with different captions, DATA004 where there is no such folder.
    """
    if not folder.is_dir():
        fix = f"{INSTALL}, or name a folder of images with captions: name.png, and its caption in name.txt"
        raise user_error("DATA004", f"there is no folder of captioned photographs {folder}", fix)
    photographs = sorted(_captioned(folder))[:MOST_IMAGES]
    if len({caption for _, caption in photographs}) < 2:
        fix = f"write captions beside images, name.png and name.txt; or {INSTALL}"
        raise user_error(
            "DATA003", "fewer than two images here have captions of their own", fix, SourceLocation(str(folder))
        )
    return CaptionedImages(folder, tuple(name for name, _ in photographs), tuple(caption for _, caption in photographs))


def _captioned(folder: Path) -> Iterator[tuple[str, str]]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NO_PHOTOGRAPHS]
        here = Path(place)
        for name in files:
            image = here / name
            text = image.with_suffix(".txt")
            if (
                image.suffix.lower() in SUFFIXES
                and text.name in files
                and not (image.is_symlink() or text.is_symlink())
            ):
                caption = _caption(text)
                if caption:
                    yield image.relative_to(folder).as_posix(), caption


def _caption(path: Path) -> str:
    """The first line; the others of a stamp are translations."""
    try:
        with path.open("rb") as file:
            lines = file.read(CAPTION_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    except OSError:
        return ""
    return " ".join(lines[0].split())[:CAPTION_LETTERS] if lines else ""
