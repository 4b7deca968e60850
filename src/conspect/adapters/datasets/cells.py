"""An image in a cell of a table: bytes, base64 text, a data URL, a path, or a list of a file's bytes."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from conspect.core.files import read_content

DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
# Neither of a path nor of base64: longer texts are not looked at.
LONGEST = 1 << 28
LONGEST_PATH = 4096


def encoded(value: object, folder: Path | None = None) -> bytes:
    """The bytes of the image in a cell, or in its `bytes`; empty where there is none.

    A path is followed only to a file in `folder`, and not at all without one.
    """
    content = value
    if isinstance(value, dict):
        content = value.get("bytes") or value.get("path")
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    if isinstance(content, str):
        return _from_text(content, folder)
    if isinstance(content, list) and content and all(isinstance(one, int) and -128 <= one < 256 for one in content):
        return bytes(one % 256 for one in content)
    return b""


def _from_text(text: str, folder: Path | None) -> bytes:
    inside = _file(text, folder)
    if inside is not None:
        return read_content(inside)
    marked = DATA_URL.match(text[:100])
    if len(text) > LONGEST or (len(text) < 32 and marked is None):
        return b""
    try:
        return base64.b64decode("".join(text[marked.end() if marked else 0 :].split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _file(text: str, folder: Path | None) -> Path | None:
    if folder is None or len(text) > LONGEST_PATH or "\0" in text:
        return None
    try:
        file = (folder / text).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, RuntimeError):  # an over-long name, a loop of links
        return None


def kind_of(value: object) -> str:
    """What a cell holds, for messages."""
    if isinstance(value, dict):
        return f"a struct of {', '.join(sorted(map(str, value))) or 'nothing'}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}, neither base64 nor the path of a file beside the table"
    if isinstance(value, list):
        nested = value and isinstance(value[0], list)
        return "pixels as nested lists" if nested else f"a list of {type(value[0]).__name__ if value else 'nothing'}"
    return f"{type(value).__name__}"
