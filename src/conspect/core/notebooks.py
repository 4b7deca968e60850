"""How a record looks in a notebook. Who can draw a kind of record says so here, so that records need not know the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Shown = TypeVar("Shown")
_drawings: dict[type, Callable[[Any], str]] = {}


def drawn_by(kind: type[Shown], draw: Callable[[Shown], str]) -> None:
    """From now on `draw` makes the HTML that a notebook shows for a `kind`."""
    _drawings[kind] = draw


def drawing_of(record: object) -> str | None:
    """HTML for a notebook; None, so that it shows the record as text, where nobody draws its kind."""
    draw = _drawings.get(type(record))
    return None if draw is None else draw(record)
