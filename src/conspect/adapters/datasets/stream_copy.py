"""A stream of images written down once: one file of bytes and one index, so that it can be read in any order again.

FOLDER/images.bin   the encoded images, one after the other
FOLDER/index.json   the columns, and where each image begins; written last, so that what exists is whole
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conspect.core.diagnostics import SourceLocation, outside_error
from conspect.core.files import write_atomically, writing_to

FORMAT = 1
Row = tuple[bytes, Mapping[str, object]]


@dataclass(frozen=True)
class StreamCopy:
    """Where the bytes are; image `row` is at `starts[row]`..`starts[row + 1]`."""

    path: Path
    starts: tuple[int, ...]
    table: Mapping[str, list[object]]

    def fetch(self, row: int) -> bytes:
        """The encoded image of a row; empty when there was none."""
        with self.path.open("rb") as stream:
            stream.seek(self.starts[row])
            return stream.read(self.starts[row + 1] - self.starts[row])


def copy_of(rows: Iterable[Row], columns: tuple[str, ...], folder: Path) -> StreamCopy:
    """What is in `folder`, or else what `rows` yields, written there. `rows` is not touched when the copy is there.

    Killed in the middle, it begins again. Raises OutsideError STORE001 when the folder cannot be written, STORE002 when the
    copy is damaged.
    """
    if not (folder / "index.json").is_file():
        with writing_to(folder.parent, "a data stream"):
            scratch = Path(tempfile.mkdtemp(prefix=".stream-", dir=folder.parent))
            try:
                _write(rows, columns, scratch)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(scratch, folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return _read(folder, columns)


def _write(rows: Iterable[Row], columns: tuple[str, ...], folder: Path) -> None:
    starts, table = [0], {name: list[object]() for name in columns}
    with (folder / "images.bin").open("wb") as out:
        for content, values in rows:
            out.write(content)
            starts.append(starts[-1] + len(content))
            for name in columns:
                table[name].append(values.get(name))
        out.flush()
        os.fsync(out.fileno())
    write_atomically(folder / "index.json", json.dumps({"format": FORMAT, "starts": starts, "table": table}).encode())


def _read(folder: Path, columns: tuple[str, ...]) -> StreamCopy:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        starts, table = tuple(index["starts"]), index["table"]
        if index["format"] != FORMAT or (folder / "images.bin").stat().st_size != starts[-1]:
            raise ValueError("images.bin has another length than the index says")
        if sorted(table) != sorted(columns) or any(len(table[name]) != len(starts) - 1 for name in table):
            raise ValueError("other columns than were asked for")
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        fix = f"delete {folder} and run again; the stream is read anew"
        raise outside_error(
            "STORE002", f"the copy of a stream is damaged: {error}", fix, SourceLocation(str(folder))
        ) from error
    return StreamCopy(folder / "images.bin", starts, table)
