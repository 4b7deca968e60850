"""Tables as Arrow IPC streams (`.arrows`), which pyarrow, pandas, polars and DuckDB read: written and read a part at a time.

nanoarrow is the door because it is small enough for every installation (1 MB; pyarrow is 40 MB and an extra). A stream, not
Parquet, because it is what nanoarrow writes; `pyarrow.ipc.open_stream(file).read_all()` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from conspect.core.diagnostics import outside_error
from conspect.core.files import replacing, writing_to

ColumnType: TypeAlias = Literal["text", "number"]
Cell: TypeAlias = str | float | None
Columns: TypeAlias = dict[str, Sequence[Cell]]


def write_stream(path: Path, types: Mapping[str, ColumnType], batches: Iterator[Columns]) -> None:
    """Writes batches of columns; a reader sees the old file or the whole new one. Raises OutsideError STORE001."""
    import nanoarrow as na
    from nanoarrow.ipc import StreamWriter

    kinds = {"text": na.string(), "number": na.float64()}
    schema = na.struct({name: kinds[kind] for name, kind in types.items()}, nullable=False)
    with writing_to(path.parent, path.name), replacing(path) as out, StreamWriter.from_writable(out) as writer:
        # The schema alone, so that a table without rows is a table.
        writer.write_stream(na.c_array_stream([], schema=schema))
        for columns in batches:
            children = [na.c_array(list(columns[name]), kinds[kind]) for name, kind in types.items()]
            rows = len(next(iter(columns.values())))
            writer.write_array(na.c_array_from_buffers(schema, rows, [None], children=children))


def column_names(path: Path) -> tuple[str, ...]:
    """The names of a table's columns. Raises OutsideError STORE002 for a file that is no such stream."""
    import nanoarrow as na

    try:
        with na.ArrayStream.from_path(path) as stream:
            return tuple(field.name for field in stream.schema.fields)
    except (RuntimeError, OSError, ValueError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error


def read_stream(path: Path, wanted: Collection[str] | None = None) -> Columns:
    """The `wanted` columns of a table (None: all), read a batch at a time.

    Raises OutsideError STORE002 for a file that is no such stream, or has no such column.
    """
    import nanoarrow as na

    try:
        with na.ArrayStream.from_path(path) as stream:
            names = [field.name for field in stream.schema.fields]
            missing = set(wanted or ()) - set(names)
            if missing:
                raise ValueError(f"it has no column {min(missing)}")
            columns: dict[str, list[Cell]] = {name: [] for name in names if wanted is None or name in wanted}
            for batch in stream:
                for name, column in columns.items():
                    column.extend(batch.child(names.index(name)).iter_py())
            return dict(columns)
    except (RuntimeError, OSError, ValueError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error
