"""From the columns of a table (CSV, Parquet, Hugging Face, ...) to ids, labels, metadata and concept labels."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.names import LabelKind, check_names, composed
from conspect.adapters.sources.classes import unique
from conspect.core.diagnostics import SourceLocation, UserError, user_error

Table = Mapping[str, Sequence[object]]
WHOLE = re.compile(r"[0-9]+([.,]0+)?")
YES, NO, UNKNOWN = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}, {"", "nan", "none", "null"}


@dataclass(frozen=True)
class Columns:
    """Which column is what. `classes`: what the numbers of a label column stand for, or the
    names that may occur; `labels` says which where that is not clear. Without `id` the source names images."""

    image: str
    label: str
    id: str | None = None
    slices: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    labels: LabelKind | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every column but the image's, each once."""
        named = (self.label, *([] if self.id is None else [self.id]), *self.slices, *self.concepts)
        return tuple(dict.fromkeys(named))

    def with_classes(self, names: tuple[str, ...], path: Path) -> Columns:
        """The same, with the names that the source at `path` itself gives for the numbers of its label column.

        The study may call them otherwise. Raises UserError DATA007 where it has one of these names at another number.
        """
        own = tuple(composed(name) for name in unique(names))
        if self.classes is None or tuple(map(composed, self.classes)) == own:
            return replace(self, classes=own, labels=self.labels or "numbers")
        for number, name in enumerate(map(composed, self.classes)):
            if name in own and own.index(name) != number:
                there = repr(own[number]) if number < len(own) else "nothing"
                problem = (
                    f"{number} in {self.label!r} is {there} by the data set's own names, and {name!r} in `classes`"
                )
                fix = "leave `classes` out of [data], or give the names in the data set's own order"
                raise user_error("DATA007", problem, fix, SourceLocation(str(path)))
        return self


@dataclass(frozen=True, eq=False)
class RowDescriptions:
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
                else f"its columns: {', '.join(column[:40] for column in there[:20])}"
            )
            problems.append(user_error("DATA007", f"there is no column {name!r}", fix, SourceLocation(str(path))))
    if problems:
        raise UserError(*(problem.diagnostics[0] for problem in problems))


def counted(row: int) -> str:
    """What a row of a table without a header is called in messages."""
    return f"row {1 + row}"


def describe(table: Table, columns: Columns, path: Path, called: Callable[[int], str] = counted) -> RowDescriptions:
    """Reads the columns of `columns` from `table`. `called`: what a row is called in messages.

    Raises UserError DATA007 with the row for a label, id or concept that cannot be read, and when there is no row.
    """
    labels = table[columns.label]
    if not len(labels):
        raise user_error("DATA007", "there is no row", "give at least one image", SourceLocation(str(path)))
    class_names, indices = _labels(labels, columns, path, called)
    ids = None
    if columns.id is not None:
        missing = [row for row, value in enumerate(table[columns.id]) if _text(value) is None]
        if missing:
            raise _wrong(path, called(missing[0]), f"{columns.id!r} is empty", "give every image an id")
        ids = tuple(str(value) for value in table[columns.id])
    concepts = [
        [_presence(value, name, path, called(row)) for row, value in enumerate(table[name])]
        for name in columns.concepts
    ]
    return RowDescriptions(
        class_names=class_names,
        labels=indices,
        ids=ids,
        metadata={name: tuple(_text(value) for value in table[name]) for name in columns.slices},
        concept_names=columns.concepts,
        concept_labels=np.asarray(concepts, dtype=np.float64).reshape(len(columns.concepts), len(labels)).T,
    )


def _labels(
    labels: Sequence[object], columns: Columns, path: Path, called: Callable[[int], str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    several = next(
        (row for row, value in enumerate(labels) if isinstance(value, list | tuple | dict | np.ndarray)), None
    )
    if several is not None:
        problem = f"{columns.label!r} holds {type(labels[several]).__name__}s, such as {str(labels[several])[:40]}"
        fix = "give every image one class, by name or by number: of one-hot rows the place of the 1"
        raise _wrong(path, called(several), problem, fix)
    texts = [_text(value) for value in labels]
    for row, text in enumerate(texts):
        if text is None:
            raise _wrong(path, called(row), f"{columns.label!r} is empty", "give every image a class")
    written = [composed(str(text)) for text in texts]
    label_texts = _whole_numbers(written)
    if columns.classes is None:
        if all(_is_number(text) for text in label_texts):
            fix = 'say what they stand for, in order: classes = ["cat", "dog", ...] in [data]'
            raise user_error("DATA007", f"the labels in {columns.label!r} are numbers", fix, SourceLocation(str(path)))
        names = tuple(sorted(set(label_texts)))
        refuse_names_but_for_capitals(names, f"the labels in {columns.label!r}", path)
    else:
        names = tuple(composed(name) for name in columns.classes)
        check_names(names, (), "")
        if _are_numbers(label_texts, names, columns, path):
            return names, _numbers(label_texts, names, columns.label, path, called)
        label_texts = [_named(text, names) for text in written]
    place = {name: index for index, name in enumerate(names)}
    for row, text in enumerate(label_texts):
        if text not in place:
            close = difflib.get_close_matches(text, names, n=1)
            fix = f"did you mean {close[0]!r}?" if close else f"the classes: {', '.join(names[:8])}"
            raise _wrong(path, called(row), f"{columns.label!r} is {text[:40]!r}, which is not one of the classes", fix)
    return names, np.asarray([place[text] for text in label_texts], dtype=np.int64)


def _whole_numbers(written: list[str]) -> list[str]:
    """Labels such as 1.0, which a table program makes of whole numbers with gaps, as 1; others as they are."""
    digits = [_digits(text) for text in written]
    return [text for text in digits if text is not None] if None not in digits else written


def _digits(text: str) -> str | None:
    """The whole number that a label or the name of a class is, written as 1 or 1.0; None of any other name."""
    return re.split(r"[.,]", text)[0] if WHOLE.fullmatch(text) else None


def _named(text: str, names: Sequence[str]) -> str:
    """The class called `text`, or by the same whole number written in another way; `text` itself where there is none."""
    if text in names or (digits := _digits(text)) is None:
        return text
    same = [name for name in names if (other := _digits(name)) is not None and other.lstrip("0") == digits.lstrip("0")]
    return same[0] if len(same) == 1 else text


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii()


def refuse_two_readings(names: Sequence[str], what: str, path: Path) -> None:
    """Raises UserError DATA007, with both readings, where a class is called by a number that is not its own place.

    `what`: what bears the number, with {} in its place.
    """
    for place, name in enumerate(names):
        digits = _digits(name)
        if digits is None or (digits.lstrip("0") or "0") == str(place):
            continue
        as_number = repr(names[int(digits)]) if len(digits) < 10 and int(digits) < len(names) else "no class"
        problem = f"{what.format(digits)} is class {name!r} by name, and {as_number} counted from 0"
        fix = 'say which: labels = "names" or labels = "numbers" in [data]'
        raise user_error("DATA007", problem, fix, SourceLocation(str(path)))


def refuse_names_but_for_capitals(names: Sequence[str], what: str, path: Path) -> None:
    """Raises UserError DATA007 where two classes that nobody listed differ in capital letters alone."""
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            problem = f"{what} are {other!r} and {name!r}, which differ in capital letters alone"
            fix = "write one class in one way; or list them, where both are meant: classes = [...] in [data]"
            raise user_error("DATA007", problem, fix, SourceLocation(str(path)))


def _are_numbers(labels: list[str], names: tuple[str, ...], columns: Columns, path: Path) -> bool:
    """Whether labels are places in `names` or names: what is said, else what the labels alone say.

    The rule looks at no split's particular labels: where every label is a number and a class is called by a number, both
    readings are shown and one is asked for. Raises UserError DATA007.
    """
    if columns.labels is not None:
        return columns.labels == "numbers"
    if not all(_is_number(text) for text in labels):
        # One of them is wrong: the rest says which.
        return any(_is_number(text) for text in labels) and not set(labels) & set(names)
    refuse_two_readings(names, f"a label {{}} in {columns.label!r}", path)
    return True


def _numbers(
    labels: list[str], names: tuple[str, ...], column: str, path: Path, called: Callable[[int], str]
) -> NDArray[np.int64]:
    for row, text in enumerate(labels):
        # The length first: Python refuses to convert thousands of digits, with an error of its own.
        if not _is_number(text) or len(text) > 9 or int(text) >= len(names):
            fix = f"labels are names in `classes`, or numbers from 0 to {len(names) - 1}"
            if text == str(len(names)) and "0" not in labels:
                fix = f"these labels seem to be counted from 1: subtract 1; {fix}"
            raise _wrong(path, called(row), f"{column!r} is {text[:40]!r}", fix)
    return np.asarray([int(text) for text in labels], dtype=np.int64)


def _presence(value: object, name: str, path: Path, row: str) -> float:
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


def _wrong(path: Path, row: str, problem: str, fix: str) -> UserError:
    return user_error("DATA007", f"{row}: {problem}", fix, SourceLocation(str(path)))
