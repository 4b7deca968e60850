"""Pointers of Git LFS in the place of models: what a clone without `git lfs` leaves, and no reader of models knows."""

from __future__ import annotations

from pathlib import Path

POINTER = b"version https://git-lfs.github.com/"


def pointer_of(path: Path) -> str | None:
    """What is told of a file that is such a pointer; None where it is not one, or cannot be opened."""
    try:
        with path.open("rb") as stream:
            head = stream.read(len(POINTER))
    except OSError:
        return None
    return "it is a pointer of Git LFS and not the file itself; `git lfs pull` fetches it" if head == POINTER else None
