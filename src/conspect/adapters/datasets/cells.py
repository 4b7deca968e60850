"""An image in a cell of a table: bytes, base64, a data URL, a path, or a list of a file's bytes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import Path

from conspect.adapters.datasets.names import existing
from conspect.adapters.datasets.signatures import LOOKED_AT, is_picture, not_an_image
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import read_content

DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
# Neither of a path nor of base64: longer texts are not looked at.
LONGEST = 1 << 28
LONGEST_PATH = 4096
# So many cells are looked at for a first image.
FIRST_CELLS = 100
URL_SAFE = str.maketrans("-_", "+/")


def encoded(value: object, folder: Path | None = None) -> bytes:
    """The bytes of the image in a cell, or in its `bytes`; empty where there is none.

    A path is followed only to a file in `folder`, and not at all without one.
    """
    content = value
    if isinstance(value, dict):
        content = value.get("bytes") or value.get("path")
    if isinstance(content, bytes | bytearray | memoryview):
        raw = bytes(content)
        # Base64 is often kept as bytes too.
        return raw if is_picture(raw[:LOOKED_AT]) else _from_base64(raw.decode("latin-1")) or raw
    if isinstance(content, str):
        return _from_text(content, folder)
    if isinstance(content, list) and content and all(isinstance(byte, int) and -128 <= byte < 256 for byte in content):
        return bytes(byte % 256 for byte in content)
    return b""


def _from_text(text: str, folder: Path | None) -> bytes:
    inside = _file(text, folder)
    if inside is not None:
        return read_content(inside)
    return _from_base64(text)


def _from_base64(text: str) -> bytes:
    """The bytes of base64 text, of either alphabet, padded or not, or of a data URL; empty where it is none."""
    marked = DATA_URL.match(text[:100])
    if len(text) > LONGEST or (len(text) < 32 and marked is None):
        return b""
    plain = "".join(text[marked.end() if marked else 0 :].split()).translate(URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _file(text: str, folder: Path | None) -> Path | None:
    if folder is None or len(text) > LONGEST_PATH or "\0" in text:
        return None
    try:
        file = existing(folder, text).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, RuntimeError):  # an over-long name, a loop of links
        return None


def kind_of(value: object) -> str:
    """What a cell holds, for messages."""
    if isinstance(value, dict):
        return f"a struct of {', '.join(sorted(map(str, value))) or 'nothing'}"
    if isinstance(value, str):
        shown = f"the text {value[:40]!r}"
        web = value[:8].lower().startswith(("http://", "https://"))
        return f"{shown}, an address" if web else f"{shown}, neither base64 nor the path of a file beside the table"
    if isinstance(value, bytes):
        return f"bytes such as {value[:8]!r} ({not_an_image(value[:LOOKED_AT])})"
    if isinstance(value, list):
        nested = value and isinstance(value[0], list)
        return "pixels as nested lists" if nested else f"a list of {type(value[0]).__name__ if value else 'nothing'}"
    return f"{type(value).__name__}"


class FirstCells:
    """The first cells of a column that is to hold images: where none of them does, that is one error about the column."""

    def __init__(self, column: str, kind: str, place: Path) -> None:
        """`kind`: the column's type in its own format's words."""
        self.column, self.kind, self.place = column, kind, place
        self._looked, self._good = 0, False
        self._first: object = None

    def look(self, cell: object, content: bytes) -> None:
        """One more cell, and the image's bytes in it. Raises UserError DATA007 at the last of them that is looked at."""
        if self._good or self._looked == FIRST_CELLS:
            return
        self._looked += 1
        self._good = is_picture(content[:LOOKED_AT])
        self._first = cell if self._first is None else self._first
        if self._looked == FIRST_CELLS:
            self.judge()

    @property
    def decided(self) -> bool:
        """Whether further cells change nothing."""
        return self._good or self._looked == FIRST_CELLS

    def judge(self) -> None:
        """Raises UserError DATA007 with the column's type where no cell so far was an image, and one held something."""
        if self._good or self._first is None:
            return
        problem = f"the column {self.column!r} is {self.kind} and holds {kind_of(self._first)}, not an encoded image"
        fix = "write images as bytes of JPEG or PNG files, as base64 text, or as paths below the table's folder"
        raise user_error("DATA007", problem, fix, SourceLocation(str(self.place)))


def check_column(cells: Iterable[object], column: str, kind: str, folder: Path | None, place: Path) -> None:
    """Raises UserError DATA007, with the column's type `kind`, where none of the first cells that hold something is an image."""
    first = FirstCells(column, kind, place)
    for cell in cells:
        first.look(cell, encoded(cell, folder))
        if first.decided:
            return
    first.judge()
