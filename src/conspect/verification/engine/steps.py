"""The steps of a proof, in preorder over the tree of cases. A certificate carries their records, the checker replays them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from conspect.core.json_value import JsonValue
from conspect.core.spaces import Float64
from conspect.verification.certificates.encoding import encoded

Neuron: TypeAlias = tuple[int, int]  # hidden layer, unit
Multipliers: TypeAlias = tuple[tuple[int, int], ...]  # literal of the state, weight >= 0
# How a `hasCon` literal is replaced by a linear one: the cut of a vector, or the chord of a scale.
ConeBound: TypeAlias = Float64 | Fraction


@dataclass(frozen=True, slots=True)
class Close:
    """No point of the region satisfies the state: this weighted sum of its literals is negative there.

    `bounds`: the linear bound that stands for each cone literal used. `slopes`: of the lower lines of unstable neurons,
    and the multipliers of assumed signs. `band`: axes of a band that the sum uses with weight 1.
    """

    multipliers: Multipliers
    bounds: tuple[tuple[int, ConeBound], ...] = ()
    slopes: tuple[tuple[Neuron, Fraction], ...] = ()
    band: tuple[int, ...] | None = None

    def record(self) -> tuple[JsonValue, ...]:
        """As a certificate carries it; empty parts at the end are left out."""
        bounds: JsonValue = [[k, str(b) if isinstance(b, Fraction) else encoded(b)] for k, b in self.bounds]
        slopes: JsonValue = [[layer, unit, str(value)] for (layer, unit), value in self.slopes]
        if self.band is not None:
            return ("cycle", self.multipliers, self.band)
        if slopes:
            return ("close", self.multipliers, bounds, slopes)
        return ("close", self.multipliers, bounds) if bounds else ("close", self.multipliers)


@dataclass(frozen=True, slots=True)
class Open:
    """Pending disjunction `which` of the state is opened: one case for each alternative."""

    which: int

    def record(self) -> tuple[JsonValue, ...]:
        """As a certificate carries it."""
        return ("open", self.which)


@dataclass(frozen=True, slots=True)
class Halve:
    """The part of the box is halved along an axis: two cases."""

    axis: int

    def record(self) -> tuple[JsonValue, ...]:
        """As a certificate carries it."""
        return ("halve", self.axis)


@dataclass(frozen=True, slots=True)
class SplitNeuron:
    """The sign of a neuron is assumed: two cases, active first."""

    neuron: Neuron

    def record(self) -> tuple[JsonValue, ...]:
        """As a certificate carries it."""
        return ("phase", *self.neuron)


Step: TypeAlias = Close | Open | Halve | SplitNeuron
