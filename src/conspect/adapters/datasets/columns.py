"""From the columns of a table (CSV, Parquet, Hugging Face, ...) to ids, labels, metadata and concept labels."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import SourceLocation, UserError, user_error

Table = Mapping[str, Sequence[object]]
YES, NO, UNKNOWN = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}, {"", "nan", "none", "null"}


@dataclass(frozen=True)
class Columns:
    """Which column is what. `classes`: what the numbers of a label column stand for. Without `id` the source names images."""

    image: str
    label: str
    id: str | None = None
    slices: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every column but the image's, each once."""
        named = (self.label, *([] if self.id is None else [self.id]), *self.slices, *self.concepts)
        return tuple(dict.fromkeys(named))

    def with_classes(self, names: tuple[str, ...]) -> Columns:
        """The same, with names for the numbers of the label column."""
        return replace(self, classes=names)


@dataclass(frozen=True, eq=False)
class Described:
    """What a table says of its rows. `ids` is None without an id column; `concept_labels [row, concept]` 1, 0 or NaN."""

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    ids: tuple[str, ...] | None
    metadata: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    concept_names: tuple[str, ...] = ()
    concept_labels: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


def require(columns: Columns, known: Iterable[str], path: Path, *, image: bool = True) -> None:
    """Raises UserError DATA007 that names every column of `columns` that is not among the `known` ones."""
    there = list(known)
    wanted = (columns.image, *columns.wanted) if image else columns.wanted
    problems = []
    for name in wanted:
        if name not in there:
            close = difflib.get_close_matches(name, there, n=1)
            fix = (
                f"did you mean {close[0][:40]!r}?"
                if close
                else f"its columns: {', '.join(one[:40] for one in there[:20])}"
            )
            problems.append(user_error("DATA007", f"there is no column {name!r}", fix, SourceLocation(str(path))))
    if problems:
        raise UserError(*(problem.diagnostics[0] for problem in problems))


def describe(table: Table, columns: Columns, path: Path, *, first: int = 1) -> Described:
    """Reads the columns of `columns` from `table`. `first`: what the file's first row is called in messages.

    Raises UserError DATA007 with the row for a label, id or concept that cannot be read, and when there is no row.
    """
    labels = table[columns.label]
    if not len(labels):
        raise user_error("DATA007", "there is no row", "give at least one image", SourceLocation(str(path)))
    class_names, indices = _labels(labels, columns, path, first)
    ids = None
    if columns.id is not None:
        missing = [row for row, value in enumerate(table[columns.id]) if _text(value) is None]
        if missing:
            raise _wrong(path, first + missing[0], f"{columns.id!r} is empty", "give every image an id")
        ids = tuple(str(value) for value in table[columns.id])
    concepts = [
        [_presence(value, name, path, first + row) for row, value in enumerate(table[name])]
        for name in columns.concepts
    ]
    return Described(
        class_names=class_names,
        labels=indices,
        ids=ids,
        metadata={name: tuple(_text(value) for value in table[name]) for name in columns.slices},
        concept_names=columns.concepts,
        concept_labels=np.asarray(concepts, dtype=np.float64).reshape(len(columns.concepts), len(labels)).T,
    )


def _labels(
    labels: Sequence[object], columns: Columns, path: Path, first: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    texts = [_text(value) for value in labels]
    for row, text in enumerate(texts):
        if text is None:
            raise _wrong(path, first + row, f"{columns.label!r} is empty", "give every image a class")
    found = [str(text) for text in texts]
    names = columns.classes
    if names is not None and not set(found) <= set(names):
        return names, _numbers(found, names, columns.label, path, first)
    if names is None:
        if all(text.isdecimal() for text in found):
            fix = 'say what they stand for, in order: classes = ["cat", "dog", ...] in [data]'
            raise user_error("DATA007", f"the labels in {columns.label!r} are numbers", fix, SourceLocation(str(path)))
        names = tuple(sorted(set(found)))
    place = {name: index for index, name in enumerate(names)}
    return names, np.asarray([place[text] for text in found], dtype=np.int64)


def _numbers(found: list[str], names: tuple[str, ...], column: str, path: Path, first: int) -> NDArray[np.int64]:
    for row, text in enumerate(found):
        if not text.isdecimal() or int(text) >= len(names):
            fix = f"labels are names in `classes`, or numbers from 0 to {len(names) - 1}"
            raise _wrong(path, first + row, f"{column!r} is {text[:40]!r}", fix)
    return np.asarray([int(text) for text in found], dtype=np.int64)


def _presence(value: object, name: str, path: Path, row: int) -> float:
    text = "" if value is None else str(value).strip().lower()
    if text in UNKNOWN:
        return math.nan
    if text in YES | NO:
        return float(text in YES)
    raise _wrong(
        path, row, f"concept {name!r} is {text[:40]!r}", "1 where it is shown, 0 where it is not, empty if unknown"
    )


def _text(value: object) -> str | None:
    """The value as a text; None for what stands for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of whole numbers with gaps is read as floats
    return str(value).strip() or None


def _wrong(path: Path, row: int, problem: str, fix: str) -> UserError:
    return user_error("DATA007", f"row {row}: {problem}", fix, SourceLocation(str(path)))
