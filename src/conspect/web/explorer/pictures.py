"""Pictures of a study's images as PNG, and small ones kept in one file so that a grid of them is quick the second time."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock

from PIL import Image

from conspect.core.diagnostics import ConspectError, user_error
from conspect.core.protocols import ImageDataset
from conspect.study.exploration.opening import OpenedStudy

SIDES = (48, 96, 192)
LARGEST_SIDE = 1600
ATLAS_FILE = "thumbnails.sqlite"


def pictures_of(study: OpenedStudy) -> Pictures:
    """The pictures of a study's images, small ones kept in its folder."""
    return Pictures(study.images, study.rows, study.folder, study.images.digest)


class Pictures:
    """Images of one data set by row; `folder`: where the small ones are kept, `key`: of what data set they are."""

    def __init__(self, images: ImageDataset, rows: tuple[int, ...], folder: Path, key: str) -> None:
        """`rows`: the data set's index of each row that the explorer knows."""
        self._images, self._rows, self._key = images, rows, key
        self._path = folder / ATLAS_FILE
        self._lock = Lock()

    def drawn(self, row: int, side: int | None) -> bytes:
        """The whole image, or a small one of `side`. Raises UserError EXPLORE002 or EXPLORE003."""
        return self.full(row) if side is None else self.small(row, side)

    def full(self, row: int) -> bytes:
        """The whole image as PNG, at most `LARGEST_SIDE` on its longer side. Raises UserError EXPLORE003."""
        return self._drawn(row, LARGEST_SIDE)

    def small(self, row: int, side: int) -> bytes:
        """A square-bounded PNG of `side`, one of `SIDES`. Raises UserError EXPLORE003."""
        if side not in SIDES:
            raise user_error("EXPLORE002", f"no picture has side {side}", f"sides: {', '.join(map(str, SIDES))}")
        with suppress(sqlite3.Error), self._lock, closing(self._opened()) as atlas:
            kept = atlas.execute("SELECT png FROM picture WHERE key=? AND row=? AND side=?", (self._key, row, side))
            if (entry := kept.fetchone()) is not None:
                return bytes(entry[0])
        drawn = self._drawn(row, side)
        # An atlas that cannot be written (a full disk, a read-only folder) costs time, not the picture.
        with suppress(sqlite3.Error), self._lock, closing(self._opened()) as atlas, atlas:
            atlas.execute("INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?)", (self._key, row, side, drawn))
        return drawn

    def _opened(self) -> sqlite3.Connection:
        atlas = sqlite3.connect(self._path, timeout=2.0)
        atlas.execute("PRAGMA journal_mode=WAL")
        atlas.execute(
            "CREATE TABLE IF NOT EXISTS picture (key TEXT, row INT, side INT, png BLOB, PRIMARY KEY (key, row, side))"
        )
        return atlas

    def _drawn(self, row: int, side: int) -> bytes:
        if not 0 <= row < len(self._rows):
            raise user_error("EXPLORE003", f"there is no image in row {row}", f"rows: 0 to {len(self._rows) - 1}")
        try:
            picture = Image.fromarray(self._images.image(self._rows[row]))
        except ConspectError as error:
            raise user_error("EXPLORE003", error.diagnostics[0].problem, "the file was moved or changed") from error
        if max(picture.size) > side:
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()
