"""Tables as Arrow IPC streams (`.arrows`), which pyarrow, pandas, polars and DuckDB read: written and read a part at a time.

nanoarrow is the door because it is small enough for every installation (1 MB; pyarrow is 40 MB and an extra). A stream, not
Parquet, because it is what nanoarrow writes; `pyarrow.ipc.open_stream(file).read_all()` reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import outside_error
from conspect.core.files import replacing, writing_to

if TYPE_CHECKING:
    import nanoarrow as na

ColumnType: TypeAlias = Literal["text", "number", "rank"]
Cell: TypeAlias = str | float | None
# Ranks are arrays `[row]`: a table of them has a row for every image.
Columns: TypeAlias = dict[str, Sequence[Cell] | NDArray[np.uint8]]
Cells: TypeAlias = dict[str, list[Cell]]


def write_stream(path: Path, types: Mapping[str, ColumnType], batches: Iterator[Columns]) -> None:
    """Writes batches of columns; a reader sees the old file or the whole new one. Raises OutsideError STORE001."""
    import nanoarrow as na
    from nanoarrow.ipc import StreamWriter

    kinds = {"text": na.string(), "number": na.float64(), "rank": na.uint8()}
    schema = na.struct({name: kinds[kind] for name, kind in types.items()}, nullable=False)
    with writing_to(path.parent, path.name), replacing(path) as out, StreamWriter.from_writable(out) as writer:
        # The schema alone, so that a table without rows is a table.
        writer.write_stream(na.c_array_stream([], schema=schema))
        for columns in batches:
            children = [na.c_array(_buffer(columns[name]), kinds[kind]) for name, kind in types.items()]
            rows = len(next(iter(columns.values())))
            writer.write_array(na.c_array_from_buffers(schema, rows, [None], children=children))


def _buffer(column: Sequence[Cell] | NDArray[np.uint8]) -> object:
    return np.ascontiguousarray(column) if isinstance(column, np.ndarray) else list(column)


def _rank_values(column: na.Array) -> NDArray[np.uint8]:
    """The values of one batch, `[row]`, without making a Python number of each."""
    values = np.asarray(column.buffer(1), dtype=np.uint8)[column.offset : column.offset + len(column)]
    if len(values) != len(column):
        raise ValueError(f"a column of {len(column):,} ranks holds {len(values):,}")
    return values


def column_names(path: Path) -> tuple[str, ...]:
    """The names of a table's columns. Raises OutsideError STORE002 for a file that is no such stream."""
    import nanoarrow as na

    try:
        with na.ArrayStream.from_path(path) as stream:
            return tuple(field.name for field in stream.schema.fields)
    except (RuntimeError, OSError, ValueError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error


def read_stream(path: Path, wanted: Collection[str] | None = None) -> Cells:
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
            columns: Cells = {name: [] for name in names if wanted is None or name in wanted}
            for batch in stream:
                for name, column in columns.items():
                    column.extend(batch.child(names.index(name)).iter_py())
            return columns
    except (RuntimeError, OSError, ValueError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error


def read_ranks(path: Path, wanted: Sequence[str]) -> NDArray[np.uint8]:
    """The `wanted` columns of ranks, `[row, column]`. Raises OutsideError STORE002, also where they are no ranks."""
    import nanoarrow as na

    try:
        with na.ArrayStream.from_path(path) as stream:
            fields = list(stream.schema.fields)
            place = {field.name: k for k, field in enumerate(fields)}
            other = [name for name in wanted if name not in place or fields[place[name]].type is not na.Type.UINT8]
            if other:
                raise ValueError(f"it has no ranks in a column {other[0]}")
            batches = [
                np.stack([_rank_values(batch.child(place[name])) for name in wanted], axis=1) for batch in stream
            ]
    except (RuntimeError, OSError, ValueError, BufferError) as error:
        fix = "run the study again; it is written anew"
        raise outside_error("STORE002", f"{path} is no table that can be read: {error}", fix) from error
    return np.concatenate([np.zeros((0, len(wanted)), dtype=np.uint8), *batches])
