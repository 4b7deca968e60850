"""Whether a run of a study is under way: its process holds a shared lock on study.toml, which ends with it however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def running(config: Path) -> Iterator[None]:
    """Says so for the block. Where files cannot be locked nothing is said, and nothing fails."""
    try:
        import fcntl

        held = config.open("rb")
    except (ImportError, OSError):
        yield
        return
    with held:
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield


def is_running(config: Path) -> bool:
    """Whether some process is in such a block; False where that cannot be known."""
    try:
        import fcntl

        with config.open("rb") as asked:
            try:
                fcntl.flock(asked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except (ImportError, OSError):
        return False
    return False
