"""Writing files so that a reader sees a whole file or none."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

LEFTOVER_SECONDS = 24 * 3600


def write_atomically(path: Path, content: bytes) -> None:
    """Writes beside `path`, flushes to disk and renames; a kill leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Deletes what killed writers left in `folder`; files younger than `LEFTOVER_SECONDS` may still be in the making."""
    for path in folder.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            path.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes a JSON value, indented, keys in the given order; NaN and infinities are refused (ValueError)."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())
