"""What an adapter states about the model it opened; the report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Statement:
    """`checked`: what was computed again when the model was opened, and held; `cannot`: what it cannot do, and why."""

    library: str
    device: str = "cpu"
    precision: str = "fp32"
    checked: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()


@runtime_checkable
class HasStatement(Protocol):
    """A model or VLM of an adapter, which states what it checked."""

    @property
    def statement(self) -> Statement:
        """What was checked when it was opened."""


def statement_of(encoder: object) -> Statement:
    """The statement of a model or VLM; one that makes none is an object of the caller's."""
    if isinstance(encoder, HasStatement) and isinstance(encoder.statement, Statement):
        return encoder.statement
    return Statement(f"an object of {type(encoder).__module__}")
