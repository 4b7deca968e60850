"""What an attack is: kind, strength and effort. Plain data, so that it can be named in a report and be part of a digest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Literal, TypeAlias

from conspect.core.json_value import JsonObject

AttackKind: TypeAlias = Literal["FGSM", "PGD", "adaptive PGD"]


@dataclass(frozen=True, slots=True)
class Attack:
    """Changes each pixel by at most `epsilon` / 255, so that the model's output is wrong.

    FGSM (Goodfellow et al. 2015): one step of the gradient's sign. PGD (Madry et al. 2018): `steps` steps from a random
    point of the ball, anew up to `restarts` times where the output is still right. Adaptive PGD: knows the monitor; once
    the output is wrong it also lowers the suspicion, by each of `weights` in turn (see `conspect.adapters.attacks.search`).
    """

    kind: AttackKind
    epsilon: int
    steps: int = 20
    restarts: int = 1
    weights: tuple[float, ...] = (10.0, 100.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.epsilon <= 255 or self.steps < 1 or self.restarts < 1:
            raise ValueError(f"epsilon lies in 1..255, steps and restarts are at least 1: {self}")
        if self.kind == "adaptive PGD" and not (self.weights and all(weight > 0 for weight in self.weights)):
            raise ValueError(f"an adaptive attack needs weights above 0: {self}")

    @property
    def name(self) -> str:
        """For reports, such as "PGD-20 at 8/255"."""
        return f"{self.kind if self.kind == 'FGSM' else f'{self.kind}-{self.steps}'} at {self.epsilon}/255"

    @property
    def step(self) -> float:
        """Size of one step in units of 1/255: all of them together could cross the ball 1.25 times."""
        return float(self.epsilon) if self.kind == "FGSM" else 2.5 * self.epsilon / self.steps

    @property
    def uses(self) -> frozenset[str]:
        """The fields that change what this kind of attack does."""
        unused: dict[AttackKind, set[str]] = {
            "FGSM": {"steps", "restarts", "weights", "seed"},
            "PGD": {"weights"},
            "adaptive PGD": set(),
        }
        return frozenset({field.name for field in fields(self)} - unused[self.kind])

    def to_json(self) -> JsonObject:
        """Every field that changes the result, as JSON."""
        return {key: value for key, value in asdict(self).items() if key in self.uses}
