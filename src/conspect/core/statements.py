"""What an adapter states about the model it opened; the report shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """`checked`: what was computed again when the model was opened, and held; `cannot`: what it cannot do, and why."""

    library: str
    device: str = "cpu"
    precision: str = "fp32"
    checked: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()


def statement_of(encoder: object) -> Statement:
    """The statement of a model or VLM; one that makes none is an object of the caller's."""
    found = getattr(encoder, "statement", None)
    return found if isinstance(found, Statement) else Statement(f"an object of {type(encoder).__module__}")
