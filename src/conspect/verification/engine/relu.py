"""Linear bounds on the logits of a head with ReLU layers, in floats to search with and exactly to claim with.

A weighted sum of logits is followed backwards through the layers. A neuron whose sign is known over the region, or has
been assumed, is linear. Elsewhere a positive weight meets the chord of the ReLU and a negative one a line of slope
alpha in 0..1 below it; an assumed sign may be used with any multiplier beta >= 0. Source: CROWN (Zhang et al. 2018) and
beta-CROWN (Wang et al. 2021); assuming the sign of every neuron makes it exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt, lcm

import numpy as np

from conspect.core.spaces import Float64, Head
from conspect.verification.engine.exact import ExactForms, ExactRegion, exact_map
from conspect.verification.engine.integers import dot
from conspect.verification.engine.steps import Neuron

Phases = dict[Neuron, bool]
Bounds = list[list[tuple[Fraction, Fraction]]]


def exact_logits(head: Head, point: list[Fraction]) -> list[Fraction]:
    """Exact logits of an exact embedding, of a linear head or one with ReLU layers."""
    return _through([exact_map(layer) for layer in head.layers], point)


def _through(layers: list[ExactForms], point: list[Fraction]) -> list[Fraction]:
    values = point
    for depth, layer in enumerate(layers):
        inputs = [max(v, Fraction(0)) for v in values] if depth else values
        values = [
            (sum((a * v for a, v in zip(row, inputs, strict=True)), Fraction(0)) + constant) / (1 << layer.shift)
            for row, constant in zip(layer.rows, layer.constants, strict=True)
        ]
    return values


@dataclass(eq=False)
class ReluHead:
    """A head with ReLU layers over one region at one size, exactly and in floats."""

    head: Head
    region: ExactRegion
    size: Fraction
    layers: list[ExactForms] = field(init=False)
    bounds: Bounds = field(init=False)

    def __post_init__(self) -> None:
        self.layers = [exact_map(layer) for layer in self.head.layers]
        self.bounds = self._bounds()
        self.low = [np.array([float(a) for a, _ in layer]) for layer in self.bounds]
        self.high = [np.array([float(b) for _, b in layer]) for layer in self.bounds]

    def unstable(self, phases: Phases) -> list[Neuron]:
        """Neurons of either sign over the region, whose sign is not assumed either."""
        return [
            (depth, k)
            for depth, layer in enumerate(self.bounds)
            for k, (low, high) in enumerate(layer)
            if low < 0 < high and (depth, k) not in phases
        ]

    def logits(self, point: list[Fraction]) -> list[Fraction]:
        """Exact logits of an exact embedding."""
        return _through(self.layers, point)

    def relaxed(self, weights: Float64, phases: Phases, start: int | None = None) -> tuple[Float64, float]:
        """A linear form in z above weights'logits (or above the pre-activations of layer `start`), in floats.

        Slopes of lower lines are 0 or 1, whichever leaves less room.
        """
        last = len(self.layers) - 1 if start is None else start
        outer, constant = weights, 0.0
        inner = weights
        for depth in reversed(range(last + 1)):
            layer = self.head.layers[depth]
            constant += float(outer @ layer.offset)
            inner = outer @ layer.weight
            if depth == 0:
                break
            low, high = self.low[depth - 1], self.high[depth - 1]
            active = (low >= 0) | self._assumed(phases, depth - 1, True)
            idle = (high <= 0) | self._assumed(phases, depth - 1, False)
            chord = np.where(high > low, high / np.where(high > low, high - low, 1.0), 0.0)
            slope = np.where(inner > 0, chord, self.lower_slopes(depth - 1))
            slope = np.where(active, 1.0, np.where(idle, 0.0, slope))
            open_up = ~active & ~idle & (inner > 0)
            constant -= float((inner * chord * low)[open_up].sum())
            outer = inner * slope
        return np.asarray(inner), constant

    def lower_slopes(self, layer: int) -> Float64:
        """alpha of each neuron of a hidden layer."""
        return np.where(self.high[layer] > -self.low[layer], 1.0, 0.0)

    def exact_row(
        self, weights: dict[int, int], phases: Phases, slopes: dict[Neuron, Fraction]
    ) -> tuple[list[Fraction], Fraction]:
        """The same backward pass exactly, as a form in w in units of the region's forms."""
        # `outer` weighs what a layer gives, `inner` what it is given. Backwards, each weight * relu(z) is replaced by a line in z
        # that lies above it, so that the form at the end lies above the weighted logits on the whole region (CROWN, Zhang et al.
        # 2018; the sign conditions of a split enter with multipliers, as in beta-CROWN, Wang et al. 2021).
        outer = [Fraction(weights.get(c, 0)) for c in range(self.head.classes)]
        constant = Fraction(0)
        inner = outer
        for depth in reversed(range(len(self.layers))):
            layer = self.layers[depth]
            constant += sum((w * c for w, c in zip(outer, layer.constants, strict=True)), Fraction(0)) / (
                1 << layer.shift
            )
            columns = list(zip(*layer.rows, strict=True))
            inner = [
                sum((w * v for w, v in zip(outer, col, strict=True)), Fraction(0)) / (1 << layer.shift)
                for col in columns
            ]
            if depth == 0:
                break
            outer = []
            for k, weight in enumerate(inner):
                low, high = self.bounds[depth - 1][k]
                slope, assumed = slopes.get((depth - 1, k), Fraction(0)), phases.get((depth - 1, k))
                # Active, relu(z) = z; a multiplier times z >= 0 may be added on top.
                if assumed is True or (assumed is None and low >= 0):
                    outer.append(weight + slope)
                # Idle, relu(z) = 0; a multiplier times -z >= 0 may be added.
                elif assumed is False or high <= 0:
                    outer.append(-slope)
                # Undecided and wanted large: the chord from (low, 0) to (high, high) lies above relu on the whole interval.
                elif weight > 0:
                    outer.append(weight * high / (high - low))
                    constant -= weight * high / (high - low) * low
                # Undecided and wanted small: any line alpha z with alpha in 0..1 lies below relu.
                else:
                    outer.append(weight * slope)
        common = lcm(*(v.denominator for v in [*inner, constant]))
        whole = ExactForms([[int(v * common) for v in inner]], [int(constant * common)], 0)
        seen = whole.seen_from(self.region.frame)
        unit = Fraction(1 << self.region.forms.shift, common << seen.shift)
        return [unit * v for v in seen.rows[0]], unit * seen.constants[0]

    @staticmethod
    def _assumed_of(phases: Phases, layer: int, active: bool) -> list[int]:
        return [k for (depth, k), value in phases.items() if depth == layer and value is active]

    def _assumed(self, phases: Phases, layer: int, active: bool) -> np.ndarray:
        mask = np.zeros(len(self.bounds[layer]), dtype=bool)
        mask[self._assumed_of(phases, layer, active)] = True
        return mask

    def _bounds(self) -> Bounds:
        """Exact ends of every pre-activation over the region, by interval arithmetic."""
        first = self.layers[0].seen_from(self.region.frame)
        unit = 1 << first.shift
        layer: list[tuple[Fraction, Fraction]] = []
        for row, constant in zip(first.rows, first.constants, strict=True):
            reach = sum(map(abs, row)) if self.region.region.norm == "max" else isqrt(dot(row, row)) + 1
            layer.append(((constant - self.size * reach) / unit, (constant + self.size * reach) / unit))
        bounds = [layer]
        for forms in self.layers[1:-1]:
            inputs = [(max(a, Fraction(0)), max(b, Fraction(0))) for a, b in bounds[-1]]
            layer, unit = [], 1 << forms.shift
            for row, constant in zip(forms.rows, forms.constants, strict=True):
                low = sum((v * (a if v > 0 else b) for v, (a, b) in zip(row, inputs, strict=True)), Fraction(0))
                high = sum((v * (b if v > 0 else a) for v, (a, b) in zip(row, inputs, strict=True)), Fraction(0))
                layer.append(((low + constant) / unit, (high + constant) / unit))
            bounds.append(layer)
        return bounds
