"""What a solver may say of a program, after translation: nothing else leaves a door."""

from __future__ import annotations

from typing import Literal, TypeAlias

Status: TypeAlias = Literal["optimal", "infeasible", "unbounded", "unknown"]


def translated(table: dict[str, Status], foreign: object) -> Status:
    """The status a foreign one stands for; one that is not in the table is unknown, never a proof."""
    return table.get(str(foreign), "unknown")
