"""The text of a specification: decoding, lines, places; and the list of problems found in it."""

from __future__ import annotations

from bisect import bisect_right

from conspect.core.diagnostics import Diagnostic, SourceLocation

SIZE_LIMIT = 1 << 20  # bytes of UTF-8
ERROR_LIMIT = 100  # reported per file
SHOWN_COLUMNS = 160  # a longer line is not quoted beyond this, so that a report stays small


class TooManyProblems(Exception):
    """Unwinds the parser once the error limit is reached; never leaves the language room."""


class SourceText:
    """Normalised text (no byte order mark, line ends are line feeds) with its name and line starts."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.line_starts = [0]
        position = text.find("\n")
        while position != -1:
            self.line_starts.append(position + 1)
            position = text.find("\n", position + 1)

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, both from 1; columns count code points."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The inverse of `line_and_column`."""
        return self.line_starts[line - 1] + column - 1

    def place(self, offset: int) -> SourceLocation:
        """A place with its source line; control characters and lone surrogates are shown as U+FFFD."""
        line, column = self.line_and_column(offset)
        start = self.line_starts[line - 1]
        quoted: str | None = None
        if column <= SHOWN_COLUMNS:
            end = self.line_starts[line] - 1 if line < len(self.line_starts) else len(self.text)
            raw = self.text[start : min(end, start + SHOWN_COLUMNS)]
            quoted = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in raw)
        return SourceLocation(self.file, line, column, quoted)


class Problems:
    """Errors and warnings of one file, in the order found; at most `ERROR_LIMIT` errors."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self._seen: set[tuple[str, int]] = set()

    def error(self, code: str, problem: str, fix: str, offset: int) -> None:
        """Adds an error; the same code at the same place counts once. Raises TooManyProblems at the limit."""
        if (code, offset) in self._seen:
            return
        self._seen.add((code, offset))
        self.errors.append(Diagnostic(code, problem, fix, self.source.place(offset)))
        if len(self.errors) >= ERROR_LIMIT:
            self.errors.append(
                Diagnostic(
                    "SPEC119",
                    f"{ERROR_LIMIT} mistakes found, the rest of the file is not reported",
                    "mend these first, then check again",
                    self.source.place(offset),
                )
            )
            raise TooManyProblems

    def warning(self, code: str, problem: str, fix: str, offset: int) -> None:
        """Adds a warning; beyond the limit warnings are dropped."""
        if len(self.warnings) < ERROR_LIMIT and (code, offset) not in self._seen:
            self._seen.add((code, offset))
            self.warnings.append(Diagnostic(code, problem, fix, self.source.place(offset)))


def read_source(content: str | bytes, file: str) -> tuple[SourceText, list[Diagnostic]]:
    """Source and encoding errors of any text or bytes; what cannot be decoded stands as U+FFFD."""
    size = len(content) if isinstance(content, bytes) else len(content.encode("utf-8", "replace"))
    if size > SIZE_LIMIT:
        problem = f"the specification has {size} bytes, the limit is {SIZE_LIMIT} (1 MiB)"
        fix = "split the file: several files can be checked in one call"
        return SourceText("", file), [Diagnostic("SPEC102", problem, fix, SourceLocation(file))]
    bad: int | None = None
    if isinstance(content, bytes):
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = len(content[: error.start].decode("utf-8", "replace"))
            text = content.decode("utf-8", "replace")
    else:
        try:
            content.encode("utf-8")
            text = content
        except UnicodeEncodeError as error:
            bad = error.start
            text = content.encode("utf-8", "replace").decode("utf-8")
    if text.startswith("\ufeff"):
        text = text[1:]
        bad = None if bad is None else max(0, bad - 1)
    if bad is not None:
        bad -= text.count("\r\n", 0, bad)
    source = SourceText(text.replace("\r\n", "\n").replace("\r", "\n"), file)
    if bad is None:
        return source, []
    wide = isinstance(content, bytes) and content[:2] in (b"\xff\xfe", b"\xfe\xff")
    what = "this looks like UTF-16" if wide else "the text is not valid UTF-8 from here on"
    fix = "save the file as UTF-8"
    return source, [Diagnostic("SPEC101", what, fix, source.place(min(bad, len(source.text))))]
