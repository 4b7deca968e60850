"""What Conspect says before it reaches beyond this machine: it connects to nothing unannounced that the user has not named."""

from __future__ import annotations

import os
import sys

from conspect.core.terminal import plain

# Libraries behind the adapters that report to their makers unless told not to; read when they are imported.
REPORTS_OFF = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_announced: set[str] = set()


def announce(what: str, host: str, fix: str) -> None:
    """Says on standard error, once in a process, that `what` is asked for at `host`, and with `fix` how to do without."""
    line = plain(f"network: {what}, from {host} ({fix})")
    if line not in _announced and sys.stderr is not None:
        _announced.add(line)
        print(line, file=sys.stderr, flush=True)


def turn_reports_off() -> None:
    """Sets what keeps those libraries quiet, where the user has not set it."""
    for name, value in REPORTS_OFF.items():
        os.environ.setdefault(name, value)
