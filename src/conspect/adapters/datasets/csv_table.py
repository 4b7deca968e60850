"""A CSV table of image paths: one row for each image, with its class and whatever else is known of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from conspect.adapters.datasets.catalogue import Catalogue, Files
from conspect.adapters.datasets.columns import Columns, describe, require
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import read_text

SEPARATORS = (",", ";", "\t", "|")
FIRST_ROW = 2  # as editors count, the header being line 1


def load(path: Path, *, split: str, columns: Columns, absolute_paths: bool = False) -> Catalogue:
    """The images that the table's `columns.image` names, relative to the table's folder; ids are those paths.

    A file that is missing or unreadable stays in the counts and is listed. Raises UserError DATA007 for a table that is
    not as it should be, DATA009 for a path that leaves the folder unless `absolute_paths`.
    """
    table = _read(path, columns)
    require(columns, table, path)
    found = describe(table, columns, path, first=FIRST_ROW)
    names = _with_slashes(path, tuple(table[columns.image]))
    for row, name in enumerate(names):
        if not name.strip():
            raise user_error(
                "DATA007", f"row {FIRST_ROW + row}: no image is named", "give its path", SourceLocation(str(path))
            )
        if not absolute_paths:
            _stay_inside(path, name, FIRST_ROW + row)
    return Catalogue(
        name=path.stem,
        split=split,
        class_names=found.class_names,
        ids=found.ids or names,
        labels=found.labels,
        source=Files(path.parent, names),
        metadata=found.metadata,
        concept_names=found.concept_names,
        concept_labels=found.concept_labels,
    )


def _read(path: Path, columns: Columns) -> dict[str, list[str]]:
    try:
        text = read_text(path)
        separator = _separator(text, columns)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        header, *rows = list(lines) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fix = "give a CSV file in UTF-8, or in UTF-16 with its byte order mark, with a header line"
        raise user_error("DATA007", f"the table cannot be read: {error}", fix, SourceLocation(str(path))) from error
    header = [name.strip() for name in header]
    rows = [row for row in rows if row]
    twice = sorted(name for name, times in Counter(header).items() if times > 1)
    if not header or twice:
        problem = f"two columns are called {twice[0]!r}" if twice else "there is no header line"
        raise user_error("DATA007", problem, "give every column a name of its own", SourceLocation(str(path)))
    for number, row in enumerate(rows, FIRST_ROW):
        if len(row) != len(header):
            problem = (
                f"row {number} has {len(row)} cells, the header {len(header)}; cells are separated by {separator!r}"
            )
            fix = f"mend that row; quote cells that hold {separator!r}"
            raise user_error("DATA007", problem, fix, SourceLocation(str(path)))
    return {name: [row[column] for row in rows] for column, name in enumerate(header)}


def _separator(text: str, columns: Columns) -> str:
    """The separator whose header has all columns that are asked for; else the one that is most often in the header."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    names = {one: [name.strip() for name in next(csv.reader([header], delimiter=one), [])] for one in SEPARATORS}
    wanted = {columns.image, *columns.wanted}
    fits = [one for one in SEPARATORS if wanted <= set(names[one])]
    return fits[0] if fits else max(SEPARATORS, key=lambda one: (len(names[one]), one == ","))


def _with_slashes(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names with backslashes turned where only the turned one is there, as in tables written on Windows."""
    return tuple(name.replace("\\", "/") if "\\" in name and not _there(path.parent / name) else name for name in names)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # an over-long name, a null byte
        return False


def _stay_inside(path: Path, name: str, row: int) -> None:
    try:
        inside = (path.parent / name).resolve().is_relative_to(path.parent.resolve())
    except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
        inside = False
    if not inside:
        fix = "use paths below the table's folder, or trust this table: absolute_paths = true in [data]"
        raise user_error(
            "DATA009", f"row {row}: {name[:100]!r} leads out of the table's folder", fix, SourceLocation(str(path))
        )
