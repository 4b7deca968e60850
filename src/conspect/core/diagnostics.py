"""A failure is data: code, place, problem, fix. One type for all of Conspect, one printer.

What a problem quotes (names, paths, words of libraries) is from outside: it is escaped here, for every code and every door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from conspect.core.codes import CODES
from conspect.core.terminal import on_one_line


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a problem is: a file, and, when it is text, a line and a column (both count from 1)."""

    file: str
    line: int | None = None
    column: int | None = None
    source_line: str | None = None

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n is not None)]
        return on_one_line(":".join(parts))


class DiagnosticObject(TypedDict):
    """A diagnostic in JSON, the same from every command and from the service; null where there is no place."""

    code: str
    problem: str
    fix: str
    file: str | None
    line: int | None
    column: int | None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, told so that its reader knows what to do next. `code` is a key of `CODES`.

    `problem` and `fix` are one line each: line ends and characters that a terminal hides or obeys stand as their escapes,
    whoever shows them. The place keeps its file as it is called, which is a path, and is escaped when it is printed.
    """

    code: str
    problem: str
    fix: str
    place: SourceLocation | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(f"diagnostic code {self.code!r} is not listed in conspect.core.codes")
        for part in ("problem", "fix"):
            object.__setattr__(self, part, on_one_line(getattr(self, part)))

    def to_object(self) -> DiagnosticObject:
        """The shape of a diagnostic in JSON."""
        place = self.place
        return {
            "code": self.code,
            "problem": self.problem,
            "fix": self.fix,
            "file": None if place is None else place.file,
            "line": None if place is None else place.line,
            "column": None if place is None else place.column,
        }

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        lines = [f"{where}{self.code}: {self.problem}"]
        if self.place and self.place.source_line is not None and self.place.column is not None:
            # One sign for each character, so that the caret stays below its own.
            visible = "".join(c if c.isprintable() else "\ufffd" for c in self.place.source_line.expandtabs(1))
            lines += [f"    {visible}", "    " + " " * (self.place.column - 1) + "^"]
        lines += [f"  fix: {self.fix}"]
        return "\n".join(lines)


class ConspectError(Exception):
    """Base of every error that Conspect raises on purpose; carries one or more diagnostics."""

    exit_code = 2

    def __init__(self, *diagnostics: Diagnostic) -> None:
        if not diagnostics:
            raise ValueError("a ConspectError needs at least one diagnostic")
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(d) for d in diagnostics))


class UserError(ConspectError):
    """The call, the study or the specification is wrong; the user can mend it. Exit code 2."""


class OutsideError(ConspectError):
    """Something outside failed: data, disk, network, a missing package. Exit code 4."""

    exit_code = 4


def user_error(code: str, problem: str, fix: str, place: SourceLocation | None = None) -> UserError:
    """A `UserError` with one diagnostic."""
    return UserError(Diagnostic(code, problem, fix, place))


def outside_error(code: str, problem: str, fix: str, place: SourceLocation | None = None) -> OutsideError:
    """An `OutsideError` with one diagnostic."""
    return OutsideError(Diagnostic(code, problem, fix, place))
