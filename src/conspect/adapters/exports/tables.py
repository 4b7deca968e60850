"""Rows as a CSV or a Parquet table: one line for each image, one column for each field."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from conspect.adapters.datasets.packages import need
from conspect.core.files import replacing, writing_to
from conspect.core.terminal import plain

# With these a cell begins to be computed: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\n")

Cell: TypeAlias = str | int | float | bool | list[str] | None
Row: TypeAlias = Mapping[str, Cell]
# Rows of a group in a Parquet table: all that is held at once.
GROUP_ROWS = 4096


class CellType(Enum):
    """What a column holds; every cell may be empty."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    WHOLE = "whole number"
    TRUTH = "true or false"


def write_csv(rows: Iterable[Row], columns: Sequence[str], path: Path) -> int:
    """UTF-8 with a header line; texts of a list are joined by "; ". Returns how many rows. Raises OutsideError STORE001.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets do not show;
    control characters are written as escapes. Rows are written as they come and none is held.
    """
    count = 0
    with writing_to(path.parent, path.name), replacing(path) as out:
        text = io.TextIOWrapper(out, "utf-8", "backslashreplace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(
                _shown("; ".join(cell) if isinstance(cell, list) else cell) for cell in (row[name] for name in columns)
            )
            count += 1
        text.detach()
    return count


def _shown(value: Cell) -> Cell:
    if not isinstance(value, str):
        return value
    shown = plain(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def write_parquet(rows: Iterable[Row], columns: Mapping[str, CellType], path: Path) -> int:
    """The same with types. Raises OutsideError STORE001, DATA008 without pyarrow."""
    need("pyarrow", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        CellType.TEXT: pa.string(),
        CellType.TEXTS: pa.list_(pa.string()),
        CellType.NUMBER: pa.float64(),
        CellType.WHOLE: pa.int64(),
        CellType.TRUTH: pa.bool_(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count, waiting = 0, iter(rows)
    with writing_to(path.parent, path.name), replacing(path) as out, pq.ParquetWriter(out, schema) as writer:
        while group := [dict(row) for row in islice(waiting, GROUP_ROWS)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count
