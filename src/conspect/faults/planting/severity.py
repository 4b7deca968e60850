"""The strength of a fault at which accuracy drops by so many points: bisection, with every evaluation kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE, STEPS = 0.005, 12
GRID = (1.0, 0.5, 0.25, 0.75, 0.125)


@dataclass(frozen=True, slots=True)
class Severity:
    """A strength and the drop in accuracy that it causes, both 0..1. `reached`: within `TOLERANCE` of what was asked."""

    wanted: float
    strength: float
    drop: float
    reached: bool


def severities(drop_at: Callable[[float], float], wanted: tuple[float, ...]) -> list[Severity]:
    """For each wanted drop the strength in 0..1 whose drop is closest. `drop_at(strength)`; none is evaluated twice.

    Bisection between the strongest evaluated strength below the wanted drop and the weakest above it, so the drop need
    not grow with the strength, only cross the wanted value. A fault that nowhere drops so much is given at its worst, and
    one that jumps over it (`zeroing` the next channel) at the nearest, each with `reached` false.
    """
    known = {0.0: drop_at(0.0)}

    def evaluate(strength: float) -> float:
        if strength not in known:
            known[strength] = drop_at(strength)
        return known[strength]

    strengths = []
    for aim in wanted:
        for strength in GRID:
            if max(known.values()) >= aim - TOLERANCE:
                break
            evaluate(strength)
        for _ in range(STEPS):
            if any(abs(drop - aim) <= TOLERANCE for drop in known.values()):
                break
            above = [strength for strength, drop in known.items() if drop >= aim]
            if not above:
                break
            high = min(above)
            low = max(strength for strength in known if strength < high) if high > 0 else 0.0
            evaluate((low + high) / 2)
        best = min(
            (s for s in known if s > 0), key=lambda strength: (abs(known[strength] - aim), strength), default=0.0
        )
        strengths.append(Severity(aim, best, known[best], abs(known[best] - aim) <= TOLERANCE))
    return strengths
