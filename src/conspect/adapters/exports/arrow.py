"""Tables as Arrow IPC streams (`.arrows`), which pyarrow, pandas, polars and DuckDB read: written and read a part at a time.

nanoarrow is the door because it is small enough for every installation (1 MB; pyarrow is 40 MB and an extra). A stream, not
Parquet, because it is what nanoarrow writes; `pyarrow.ipc.open_stream(file).read_all()` reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from conspect.core.diagnostics import outside_error
from conspect.core.files import writing_to

ColumnType: TypeAlias = Literal["text", "number"]
Cell: TypeAlias = str | float | None
Columns: TypeAlias = dict[str, Sequence[Cell]]


def write_stream(path: Path, types: Mapping[str, ColumnType], batches: Iterator[Columns]) -> None:
    """Writes batches of columns; a reader sees the old file or the whole new one. Raises OutsideError STORE001."""
    import nanoarrow as na
    from nanoarrow.ipc import StreamWriter

    kinds = {"text": na.string(), "number": na.float64()}
    schema = na.struct({name: kinds[kind] for name, kind in types.items()}, nullable=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing_to(path.parent, path.name):
        try:
            with temporary.open("wb") as out:
                with StreamWriter.from_writable(out) as writer:
                    # The schema alone, so that a table without rows is a table.
                    writer.write_stream(na.c_array_stream([], schema=schema))
                    for columns in batches:
                        children = [na.c_array(list(columns[name]), kinds[kind]) for name, kind in types.items()]
                        rows = len(next(iter(columns.values())))
                        writer.write_array(na.c_array_from_buffers(schema, rows, [None], children=children))
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()


def read_stream(path: Path) -> Columns:
    """All columns of a table. Raises OutsideError STORE002 for a file that is no such stream."""
    import nanoarrow as na

    try:
        with na.ArrayStream.from_path(path) as stream:
            table = stream.read_all()
            names = [field.name for field in table.schema.fields]
            return {name: list(table.child(k).iter_py()) for k, name in enumerate(names)}
    except (RuntimeError, OSError, ValueError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error
