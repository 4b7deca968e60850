"""Rows as a CSV or a Parquet table: one line for each image, one column for each field."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from conspect.adapters.datasets.packages import need
from conspect.core.files import write_atomically, writing_to
from conspect.core.terminal import plain

# With these a cell begins to be computed: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\n")

Rows = Sequence[Mapping[str, object]]


def write_csv(rows: Rows, path: Path) -> None:
    """UTF-8 with a header line; texts of a list are joined by "; ". Raises OutsideError STORE001.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets do not show;
    control characters are written as escapes.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(_cell("; ".join(cell) if isinstance(cell, list) else cell) for cell in row.values())
    with writing_to(path.parent, path.name):
        write_atomically(path, out.getvalue().encode("utf-8", "backslashreplace"))


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = plain(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def write_parquet(rows: Rows, path: Path) -> None:
    """The same with types: texts, float64, bool and lists of texts. Raises OutsideError STORE001, DATA008 without pyarrow."""
    need("pyarrow", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), out)
    with writing_to(path.parent, path.name):
        write_atomically(path, out.getvalue().to_pybytes())
