"""One JSON object a line on standard error. Text from outside is escaped and cut. Whoever logs never waits.

A thread writes; where nobody reads, the disk is full or the stream is closed, lines are dropped and counted, and the
service goes on.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO, TypeAlias

LogValue: TypeAlias = bool | int | float | str | None
Log: TypeAlias = Callable[[str, Mapping[str, LogValue]], None]
LONGEST = 200
# Lines that may wait for a slow reader, some 3 MB; and how long a stop waits for them.
WAITING, CLOSE_SECONDS = 10_000, 1.0


def line_of(event: str, fields: Mapping[str, LogValue]) -> str:
    """`event` with the time and its fields; texts but a traceback end after `LONGEST` characters."""
    cut = {
        key: value[:LONGEST] if isinstance(value, str) and key != "trace" else value for key, value in fields.items()
    }
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **cut}
    # ASCII only, so that no control character of a terminal gets through; JSON leaves DEL as it is.
    return json.dumps(line, ensure_ascii=True).replace("\x7f", "\\u007f") + "\n"


class LogWriter:
    """A `Log` that hands lines to a thread of its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.dropped = 0
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        # A number of our own: should the stream be closed, its number may become that of a connection.
        self._file = _own_number(stream or sys.stderr)
        self._thread = threading.Thread(target=self._write, name="conspect-log", daemon=True)
        self._thread.start()

    def __call__(self, event: str, fields: Mapping[str, LogValue]) -> None:
        """Puts one line in the queue; drops it when the queue is full."""
        if self.dropped:
            fields = {**fields, "lines_dropped": self.dropped}
        try:
            self._lines.put_nowait(line_of(event, fields))
        except queue.Full:
            self.dropped += 1
        else:
            self.dropped = 0

    def close(self) -> None:
        """Waits for what is in the queue, but not for long: a reader that does not read keeps nobody."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(CLOSE_SECONDS)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._file is not None and not _written(self._file, line.encode()):
                self.dropped += 1


def _own_number(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else os.dup(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return None


def _written(file: int, content: bytes) -> bool:
    """Writes all of it with the system's call: the lock of sys.stderr, held by a thread that waits, would stop the exit."""
    while content:
        try:
            content = content[os.write(file, content) :]
        except BlockingIOError:
            threading.Event().wait(0.05)
        except OSError:
            return False
    return True


class JsonHandler(logging.Handler):
    """Sends what libraries log through `log`."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line for one record."""
        fields = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["trace"] = logging.Formatter().formatException(record.exc_info)
        self._log("library", fields)


def take_over_logging(log: Log) -> None:
    """From here on warnings and what libraries log are lines of `log`."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(log)]
