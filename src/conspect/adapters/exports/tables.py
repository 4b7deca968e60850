"""Rows as a CSV or a Parquet table: one line for each image, one column for each field."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from conspect.adapters.datasets.packages import need
from conspect.core.files import write_atomically, writing_to

Rows = Sequence[Mapping[str, object]]


def write_csv(rows: Rows, path: Path) -> None:
    """UTF-8 with a header line; texts of a list are joined by "; ". Raises OutsideError STORE001."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow("; ".join(cell) if isinstance(cell, list) else cell for cell in row.values())
    with writing_to(path.parent, path.name):
        write_atomically(path, out.getvalue().encode("utf-8", "backslashreplace"))


def write_parquet(rows: Rows, path: Path) -> None:
    """The same with types: texts, float64, bool and lists of texts. Raises OutsideError STORE001, DATA008 without pyarrow."""
    need("pyarrow", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), out)
    with writing_to(path.parent, path.name):
        write_atomically(path, out.getvalue().to_pybytes())
