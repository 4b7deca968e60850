"""One JSON object a line on standard error. Text from outside is escaped and cut."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Log: TypeAlias = Callable[[str, dict[str, object]], None]
LONGEST = 200


def write_line(event: str, fields: dict[str, object]) -> None:
    """Writes `event` with the time and its fields; texts but a traceback end after `LONGEST` characters."""
    cut = {
        key: value[:LONGEST] if isinstance(value, str) and key != "trace" else value for key, value in fields.items()
    }
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **cut}
    # ASCII only, so that no control character of a terminal gets through.
    sys.stderr.write(json.dumps(line, ensure_ascii=True, default=str) + "\n")
    sys.stderr.flush()


class JsonHandler(logging.Handler):
    """Sends what libraries log through `log`."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line for one record."""
        fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["trace"] = logging.Formatter().formatException(record.exc_info)
        self._log("library", fields)


def take_over_logging(log: Log) -> None:
    """From here on warnings and what libraries log are lines of `log`."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(log)]
