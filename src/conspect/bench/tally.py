"""Counts of a soundness run, which add up over its parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(eq=False)
class Tally:
    """Counts of a run; everything under `bad` must stay zero."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.counts + other.counts, self.bad + other.bad)

    def compare(self, kind: str, name: str, outcome: str, truth: bool | None) -> None:
        """Counts a verdict of a kind against an independent decision; None where there was none in its time."""
        self.counts[kind] += 1
        self.counts[f"{kind} {outcome}"] += 1
        if truth is None:
            self.counts[f"{kind} undecided independently"] += 1
        elif outcome != "unknown" and (outcome == "holds") != truth:
            self.wrong(f"{name} ({kind}): said {outcome}, truth {truth}")

    def wrong(self, what: str) -> None:
        """Counts something that the verifier said and that is not so."""
        self.counts["wrong"] += 1
        self.bad.append(what)
