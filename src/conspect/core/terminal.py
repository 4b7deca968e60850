"""What must not reach a terminal: control characters, and marks that turn the direction of text, in names from outside.

They are written as `\\u001b`: readable, and inside a JSON string the very same text.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress

# C0 but tab and line feed, DEL and C1 (U+009B begins a command to many terminals); the bidirectional marks, embeddings,
# overrides and isolates of UAX #9; the separators that some programs take for line ends; and halves of surrogate pairs,
# as which bytes that are no UTF-8 arrive.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_HIDDEN_BUT_RETURN = re.compile(_HIDDEN.pattern.replace("\x0b-\x1f", "\x0b\x0c\x0e-\x1f"))


def plain(text: str) -> str:
    """The text with every such character as its escape."""
    return _HIDDEN.sub(_escape, text)


def on_one_line(text: str) -> str:
    """The text with every such character, line ends and tabs among them, as its escape."""
    return plain(text).replace("\t", "\\u0009").replace("\n", "\\u000a")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class PlainStream(io.TextIOWrapper):
    """A text stream that writes `plain` text. `returns`: carriage returns pass, which progress bars need.

    `forgiving`: what the system refuses is lost, and no reason to end: a full disk behind standard error stops no run.
    """

    def __init__(self, stream: io.TextIOWrapper, *, returns: bool = False, forgiving: bool = False) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._hidden = _HIDDEN_BUT_RETURN if returns else _HIDDEN
        self._forgiven: tuple[type[OSError], ...] = (OSError,) if forgiving else ()

    def write(self, text: str) -> int:
        """As the stream does; the number of characters given."""
        with suppress(*self._forgiven):
            super().write(self._hidden.sub(_escape, text))
        return len(text)

    def flush(self) -> None:
        """As the stream does."""
        with suppress(*self._forgiven):
            super().flush()


def guard_terminal() -> None:
    """From now on standard output and standard error of this process write plain text only.

    A standard stream that was closed leads nowhere: its number would else go to the next file that is opened, and whatever a
    library says there would be written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    for name, returns in (("stdout", False), ("stderr", True)):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, PlainStream):
            stream.flush()
            setattr(sys, name, PlainStream(stream, returns=returns, forgiving=name == "stderr"))
            _KEPT.append(stream)


# A stream that is collected closes the file beneath it.
_KEPT: list[io.TextIOWrapper] = []
