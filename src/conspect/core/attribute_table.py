"""The class-attribute table: which share of the images of each class carries each attribute, read from CSV text."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from conspect.core.concepts import ClassAttributes
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import decoded_text

SHOWN = 160
SEPARATORS = (",", ";", "\t", "|")


def read_attribute_table(content: str | bytes, file: str = "<table>") -> ClassAttributes:
    """A table from CSV text: a header `class,attribute,...`, a row for each class, shares in 0..1; `#` comments.

    Separated by commas, semicolons, tabs or bars, of which the header has most; with another separator than commas a share may
    have a decimal comma. UTF-8, or what a byte order mark says. Raises UserError SPEC411.
    """
    lines = [(number, line) for number, line in enumerate(_text(content, file).splitlines(), 1) if _counts(line)]
    separator = _separator([line for _, line in lines])
    try:
        text = io.StringIO("\n".join(line for _, line in lines))
        rows = list(csv.reader(text, strict=True, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise user_error(
            "SPEC411",
            f"this is not CSV: {error}",
            "write class,attribute,... and a row for each class",
            SourceLocation(file),
        ) from error
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows) != len(lines):
        fix = "write a header class,attribute,... and one line for each class with its shares"
        raise user_error("SPEC411", "the table has no classes or no attributes", fix, SourceLocation(file))
    header = [name.strip() for name in rows[0]]
    shares = []
    for (number, line), row in zip(lines[1:], rows[1:], strict=True):
        place = SourceLocation(file, number, 1, line[:SHOWN])
        if len(row) != len(header):
            fix = f"the header has {len(header)} columns"
            raise user_error("SPEC411", f"this row has {len(row)} columns", fix, place)
        shares.append([_share(cell if separator == "," else cell.replace(",", "."), place) for cell in row[1:]])
    names = [row[0].strip() for row in rows[1:]]
    for kind, table in (("class", names), ("attribute", header[1:])):
        doubled = sorted(name for name, times in Counter(table).items() if times > 1 or not name)
        if doubled:
            raise user_error(
                "SPEC411",
                f"{kind} '{doubled[0][:40]}' occurs twice or is empty",
                "give each its own name",
                SourceLocation(file),
            )
    return ClassAttributes(tuple(names), tuple(header[1:]), np.asarray(shares, dtype=np.float64))


def with_attribute(text: str, name: str, shares: Mapping[str, float]) -> str:
    """The table `text`, one that reads, with attribute `name` as its last column: remarks, order and line ends stay as they are.

    `shares`: of each class of the table, 0..1. Raises ValueError where the text has no place for it.
    """
    lines = text.splitlines(keepends=True)
    counting = [place for place, line in enumerate(lines) if _counts(line)]
    separator = _separator([lines[place] for place in counting])
    for place in counting:
        line = lines[place].rstrip("\r\n")
        first = next(csv.reader([line], strict=True, delimiter=separator, skipinitialspace=True))[0].strip()
        cell = name if place == counting[0] else f"{shares[first]:g}"
        lines[place] = line + separator + _quoted(cell, separator) + lines[place][len(line) :]
    changed, known = "".join(lines), read_attribute_table(text)
    after = read_attribute_table(changed)
    column = np.asarray([[shares[row]] for row in known.class_names])
    if (
        after.class_names != known.class_names
        or after.concept_names != (*known.concept_names, name)
        or not np.allclose(after.shares, np.hstack([known.shares, column]), rtol=0, atol=5e-7)
    ):
        raise ValueError("no column can be added to the table as it is written")
    return changed


def attribute_table_text(table: ClassAttributes) -> str:
    """The table as CSV text that reads back as it, shares to six digits."""
    rows = [("class", *table.concept_names)]
    rows += [
        (name, *(f"{share:.6g}" for share in shares))
        for name, shares in zip(table.class_names, table.shares.tolist(), strict=True)
    ]
    return "".join(",".join(_quoted(cell, ",") for cell in row) + "\n" for row in rows)


def _quoted(cell: str, separator: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in (separator, '"', "#")) else cell


def _counts(line: str) -> bool:
    """Whether a line is more than a remark."""
    return bool(line.strip()) and line.strip()[0] != "#"


def _separator(lines: Sequence[str]) -> str:
    """What the header, the first of the lines, has most of."""
    return max(SEPARATORS, key=lines[0].count) if lines else ","


def _text(content: str | bytes, file: str) -> str:
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return decoded_text(content)
    except UnicodeDecodeError as error:
        raise user_error("SPEC411", "the table is not UTF-8 text", "save it as UTF-8", SourceLocation(file)) from error


def _share(cell: str, place: SourceLocation) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise user_error("SPEC411", f"'{cell[:40]}' is not a share", "write a number from 0 to 1", place)
    return value
