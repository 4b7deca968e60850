"""What tells one state of a data set's tables from another without opening its images: results made of the other are stale."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from conspect.core.digests import digest_bytes, digest_file

if TYPE_CHECKING:
    from conspect.adapters.datasets import DataSource

# A Parquet file ends with its footer, the footer's length in four bytes and this mark.
MARK, TAIL = b"PAR1", 8
LARGEST_FOOTER = 1 << 28


def state_of(source: DataSource, folder: Path) -> list[str]:
    """One text for each file that holds labels or metadata; a text of its own for one that is not there.

    CSV tables by content; Parquet files by their footer and by the columns that are asked for; shards and saved data sets,
    which hold images too, by name, size and time. Nothing of kinds whose labels are the names of folders.
    """
    splits = [folder / name for name in (source.train, source.test) if name is not None]
    match source.kind:
        case "csv":
            return [digest_file(path) if path.is_file() else "not there" for path in splits]
        case "parquet":
            files = [file for path in splits for file in _inside(path, "*.parquet")]
            return [_parquet_state(file, source.columns().wanted) for file in files]
        case "webdataset":
            return [_stamp(file) for name in (source.train, source.test) for file in _shards(str(name), folder)]
        case "huggingface":
            return (
                [_stamp(file) for file in _inside(folder / (source.directory or "."), "**/*")]
                if source.directory
                else []
            )
        case "cifar10" | "cifar100" | "image-folder" | "rival10":
            return []


def _inside(path: Path, pattern: str) -> list[Path]:
    return sorted(file for file in path.glob(pattern) if file.is_file()) if path.is_dir() else [path]


def _shards(pattern: str, folder: Path) -> list[Path]:
    from conspect.adapters.datasets.webdataset import shards_of
    from conspect.core.diagnostics import ConspectError

    try:
        return shards_of(pattern, folder)
    except ConspectError:
        return [folder / pattern]


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path.name} is not there"
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _parquet_state(path: Path, columns: tuple[str, ...]) -> str:
    """Of the footer, which has the schema, the places of all pages and what Hugging Face writes there, and of the columns."""
    try:
        with path.open("rb") as stream:
            stream.seek(-TAIL, 2)
            tail = stream.read(TAIL)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != MARK or length > LARGEST_FOOTER:
                return "not a Parquet file"
            stream.seek(-TAIL - length, 2)
            footer = stream.read(length)
    except OSError:
        return "not there"
    return digest_bytes(footer, _values(path, columns))


def _values(path: Path, columns: tuple[str, ...]) -> bytes:
    """The columns' values; nothing without pyarrow, or where they cannot be read."""
    if find_spec("pyarrow") is None:
        return b""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(columns))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())
    except (OSError, ValueError, pa.ArrowException):
        return b"unreadable"
