"""Verdicts have three values. `unknown` always carries its reason; `holds` and `violated` need none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["holds", "violated", "unknown"]
# What a property is about: a region, a share of images, one image, or what lies near images.
PropertyKind: TypeAlias = Literal["region", "share", "image", "near"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a property: it holds, it is violated, or neither could be shown (`reason` says why)."""

    outcome: Outcome
    reason: str = ""

    def __post_init__(self) -> None:
        if self.outcome == "unknown" and not self.reason:
            raise ValueError("an unknown verdict needs a reason")

    def __bool__(self) -> bool:
        raise TypeError("a verdict has three values; compare its outcome instead of using it as a boolean")

    def __str__(self) -> str:
        return f"{self.outcome} ({self.reason})" if self.reason else self.outcome

    def negated(self) -> Verdict:
        """The verdict on the negation, when the statement is about one fixed input (Kleene's strong logic)."""
        swapped: dict[Outcome, Outcome] = {"holds": "violated", "violated": "holds", "unknown": "unknown"}
        return Verdict(swapped[self.outcome], self.reason)


HOLDS = Verdict("holds")
VIOLATED = Verdict("violated")


def unknown(reason: str) -> Verdict:
    """The verdict that nothing could be shown, with the reason."""
    return Verdict("unknown", reason)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Kleene conjunction: violated if any is, else unknown if any is (first reason), else holds; empty: holds."""
    first_unknown: Verdict | None = None
    for verdict in verdicts:
        if verdict.outcome == "violated":
            return verdict
        if verdict.outcome == "unknown" and first_unknown is None:
            first_unknown = verdict
    return HOLDS if first_unknown is None else first_unknown


def any_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Kleene disjunction: holds if any does, else unknown if any is (first reason), else violated; empty: violated."""
    return all_of(verdict.negated() for verdict in verdicts).negated()


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 when all hold, 1 when one is violated, 3 when none is violated but one is unknown."""
    return {"holds": 0, "violated": 1, "unknown": 3}[all_of(verdicts).outcome]
