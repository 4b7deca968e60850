"""A CSV table of image paths: one row for each image, with its class and whatever else is known of it."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conspect.adapters.datasets.catalogue import Catalogue, Files
from conspect.adapters.datasets.cells import DATA_URL
from conspect.adapters.datasets.columns import Columns, describe, require
from conspect.adapters.datasets.names import existing
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import read_text

SEPARATORS = (",", ";", "\t", "|")
# What spreadsheets write before the header to say how the rest is separated.
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[ ]*(?:\r\n|\r|\n)', re.IGNORECASE)
# What tables in other formats begin with, and what to do.
OTHERS = {
    b"PK\x03\x04": "a workbook of a spreadsheet, or another zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old workbook of a spreadsheet; save the sheet as CSV",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"PAR1": 'a Parquet file; say kind = "parquet"',
    b"SQLite format 3": "a database; write the table as CSV",
}
LONG, LARGEST_HEADER = 100, 1 << 20
IN_PARQUET = "write images as files and their paths into the table, or the table as Parquet"


def load(path: Path, *, split: str, columns: Columns, absolute_paths: bool = False) -> Catalogue:
    """The images that the table's `columns.image` names, relative to the table's folder; ids are those paths.

    A file that is missing or unreadable stays in the counts and is listed. Raises UserError DATA007 for a table that is
    not as it should be, or of which no image is there; DATA009 for a path that leaves the folder unless `absolute_paths`.
    """
    table = _read(path, columns)
    require(columns, table.cells, path)
    described = describe(table.cells, columns, path, table.called)
    given = tuple(table.cells[columns.image])
    for row, name in enumerate(given):
        if not name.strip():
            problem = f"{table.called(row)}: no image is named"
            raise user_error("DATA007", problem, "give its path", SourceLocation(str(path)))
        if not absolute_paths:
            _stay_inside(path, name, table.called(row))
    files = _files(path, given, columns)
    return Catalogue(
        name=path.stem,
        split=split,
        class_names=described.class_names,
        ids=described.ids or tuple(name.removeprefix("./") for name in files),
        labels=described.labels,
        source=Files(path.parent, files),
        metadata=described.metadata,
        concept_names=described.concept_names,
        concept_labels=described.concept_labels,
    )


@dataclass(frozen=True)
class _Table:
    """Columns by name, and at which row of the file each record is, the header being row 1."""

    cells: dict[str, list[str]]
    rows: list[int]

    def called(self, row: int) -> str:
        """What messages call a record."""
        return f"row {self.rows[row]}"


def _read(path: Path, columns: Columns) -> _Table:
    fix = "give a CSV file in UTF-8, or in UTF-16 with its byte order mark, with a header line"
    try:
        with path.open("rb") as stream:
            head = stream.read(LONG)
        other = next((kind for beginning, kind in OTHERS.items() if head.startswith(beginning)), None)
        if other is not None:
            raise ValueError(f"it is {other}")
        text = read_text(path)
        if "\0" in text:
            raise ValueError("it holds null bytes, as UTF-16 without a byte order mark does")
        separator_line = SEPARATOR_LINE.match(text)
        text = text[separator_line.end() :] if separator_line else text
        separator = separator_line[1] if separator_line else _separator(text, columns)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        # Rows without a word, such as the rest of a sheet, count as rows and hold nothing.
        filled = [
            (number, row)
            for number, row in enumerate(lines, 2 if separator_line else 1)
            if any(cell.strip() for cell in row)
        ]
    except (OSError, ValueError, csv.Error) as error:
        if "field limit" in str(error):
            problem = "a cell is longer than 131,072 letters; a CSV file names images by their paths"
            raise user_error("DATA007", problem, IN_PARQUET, SourceLocation(str(path))) from error
        raise user_error("DATA007", f"the table cannot be read: {error}", fix, SourceLocation(str(path))) from error
    header = [name.strip() for name in filled[0][1]] if filled else []
    twice = sorted(name for name, times in Counter(header).items() if times > 1)
    if not header or twice:
        problem = f"two columns are called {twice[0]!r}" if twice else "there is no header line"
        raise user_error("DATA007", problem, "give every column a name of its own", SourceLocation(str(path)))
    for number, row in filled[1:]:
        if len(row) != len(header):
            problem = f"row {number} has {len(row)} cells, the header {len(header)} ({', '.join(header)[:60]}); "
            fix = f"mend that row; quote cells that hold {separator!r}; nothing stands before the header"
            hint = f"{problem}cells are separated by {separator!r}"
            raise user_error("DATA007", hint, fix, SourceLocation(str(path)))
    cells = {name: [row[column] for _, row in filled[1:]] for column, name in enumerate(header)}
    return _Table(cells, [number for number, _ in filled[1:]])


def _separator(text: str, columns: Columns) -> str:
    """The separator whose header has all columns that are asked for; else the one that is most often in the header."""
    lines = [line for line in text[:LARGEST_HEADER].splitlines() if line.strip()]
    header = lines[0] if lines else ""
    names = {
        separator: [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
        for separator in SEPARATORS
    }
    wanted = {columns.image, *columns.wanted}
    fits = [separator for separator in SEPARATORS if wanted <= set(names[separator])]
    return fits[0] if fits else max(SEPARATORS, key=lambda separator: (len(names[separator]), separator == ","))


def _files(path: Path, given: tuple[str, ...], columns: Columns) -> tuple[str, ...]:
    """The paths as the file system writes them: with slashes, in its own Unicode form.

    Raises UserError DATA007 where not one of them is there: what stands in the column is something else.
    """
    files = tuple(_written(path.parent, name) for name in given)
    if given and not any(_there(path.parent / name) for name in files):
        first = given[0].strip()
        if "://" in first[:10]:
            what, fix = "addresses", "download the images; no command fetches them"
        elif DATA_URL.match(first) or (len(first) > LONG and "." not in first):
            what, fix = "images as base64 text", IN_PARQUET
        else:
            what, fix = "paths of files that are not there", f"paths are relative to the table's folder, {path.parent}"
        shown = first[:60] + ("..." if len(first) > 60 else "")
        problem = (
            f"the column {columns.image!r} holds {what}, such as {shown!r}; none of its {len(given):,} images is there"
        )
        raise user_error("DATA007", problem, fix, SourceLocation(str(path)))
    return files


def _written(folder: Path, name: str) -> str:
    if _there(folder / name):
        return name
    # Tables of other systems: backslashes, and letters with accents written in another form.
    for spelling in (name, name.replace("\\", "/")):
        file = existing(folder, spelling)
        if _there(file):
            return spelling if Path(spelling).is_absolute() else file.relative_to(folder).as_posix()
    return name.replace("\\", "/")


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # an over-long name, a null byte
        return False


def _stay_inside(path: Path, name: str, called: str) -> None:
    try:
        written = {name, name.replace("\\", "/")}
        inside = all((path.parent / spelling).resolve().is_relative_to(path.parent.resolve()) for spelling in written)
    except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
        inside = False
    if not inside:
        fix = "use paths below the table's folder, or trust this table: absolute_paths = true in [data]"
        raise user_error(
            "DATA009", f"{called}: {name[:100]!r} leads out of the table's folder", fix, SourceLocation(str(path))
        )
