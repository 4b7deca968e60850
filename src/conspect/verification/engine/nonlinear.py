"""Decides states with `hasCon` literals or ReLU heads: linear bounds, tightened where the last point sits, then splits.

Each round closes the state by its linear bounds, or finds a point of theirs. A point that truly satisfies the literals is
returned; another one is cut off. What bounds cannot decide is split: by the sign of a neuron, or by halving a box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from conspect.core.spaces import AffineMap, Float64, Head
from conspect.verification.engine import barrier
from conspect.verification.engine.cones import ConeForms, Limits, exact_row, shortened
from conspect.verification.engine.exact import ExactForms, supremum_excluded
from conspect.verification.engine.relu import Neuron, Phases, ReluHead
from conspect.verification.queries.negation import State

if TYPE_CHECKING:
    from conspect.verification.engine.prover import Placed, Prover

ROUNDS = 12
PRECISIONS = (20, 50)

Step: TypeAlias = tuple[object, ...]
Tag: TypeAlias = tuple[str, int | Neuron, Float64 | float | None]


@dataclass(frozen=True, eq=False)
class Decision:
    """What became of a state: a closing step, a point, or the split to make (with its step)."""

    kind: Literal["close", "point", "halve", "phase"]
    step: Step = ()
    point: Placed | None = None
    carries: float = 0.0
    how: str = ""


@dataclass(eq=False)
class Rows:
    """Linear forms above the literals of a state, in u, with what each stands for."""

    slopes: list[Float64] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)

    def add(self, slope: Float64, offset: float, tag: Tag) -> None:
        """One more form."""
        self.slopes.append(slope)
        self.offsets.append(offset)
        self.tags.append(tag)

    def answered(self, middle: Float64, half: Float64, norm: str) -> tuple[int, Float64, Float64]:
        """Status, multipliers and point of the barrier method over the part of the box around `middle`."""
        slopes = np.array(self.slopes)
        offsets = np.array(self.offsets) + slopes @ middle
        found = barrier.answer((slopes * half)[None], offsets[None], "max" if norm == "max" else "euclid")
        return int(found.status[0]), found.multipliers[0], middle + half * found.points[0]


@dataclass(eq=False)
class Nonlinear:
    """Decisions over one region at one size."""

    prover: Prover
    lens_alignment: AffineMap
    head: Head
    mapped: ExactForms = field(init=False)
    cones: ConeForms = field(init=False)
    relu: ReluHead | None = field(init=False)

    def __post_init__(self) -> None:
        prover, forms = self.prover, self.prover.forms
        region, size = forms.region, float(prover.size)
        weight, factor = self.lens_alignment.weight, region.factor
        slopes = (weight @ factor if factor.ndim == 2 else weight * factor) * size
        classes = prover.reading.classes
        self.cones = ConeForms(
            np.asarray(slopes),
            self.lens_alignment(region.centre[None, :])[0],
            forms.slopes[classes:],
            forms.offsets[classes:],
            prover.reading.thresholds,
        )
        self.relu = None if self.head.is_linear else ReluHead(self.head, prover.region, prover.size)

    def decide(self, state: State, limits: Limits, phases: Phases) -> Decision | str:
        """A decision on one state, or why there is none."""
        region, size = self.prover.forms.region, self.prover.size
        low, high = np.full(region.dimension, -1.0), np.ones(region.dimension)
        for axis, (start, end) in limits.items():
            low[axis], high[axis] = float(start / size), float(end / size)
        middle, half = (low + high) / 2, (high - low) / 2
        cones = [k for k, literal in enumerate(state.literals) if len(literal) == 2]
        convex = [k for k in cones if self.cones.is_convex(state.literals[k])]  # type: ignore[arg-type]
        slack = [k for k in cones if k not in convex]
        cuts: list[tuple[int, Float64]] = []
        u = middle
        status = barrier.OPEN
        for turn in range(ROUNDS):
            rows = self._rows(state, phases)
            for index, vector in cuts:
                rows.add(*self.cones.cut(state.literals[index], vector), ("cut", index, vector))  # type: ignore[arg-type]
            scale = max(float(np.linalg.norm(self.cones.mapped(u))), 1e-9)
            for index in slack:
                rows.add(*self.cones.chord(state.literals[index], scale, low, high), ("chord", index, scale))  # type: ignore[arg-type]
            weights = np.zeros(0)
            if rows.tags:
                status, weights, u = rows.answered(middle, half, region.norm)
            if status == barrier.CLOSED:
                step = self._closing(state, rows.tags, weights, limits, phases)
                if step is not None:
                    return Decision("close", step, how="bounds and splits")
            placed = self._satisfying(u, state) or self._from_inside(
                state, phases, u, part=(middle, half), slack=slack, cuts=cuts
            )
            if placed is not None:
                return Decision("point", point=placed, how="bounds and splits")
            direction = shortened(self.cones.mapped(u) / scale if turn == 0 else self._direction(u))
            fresh = [(k, direction) for k in convex]
            if not cones or (not fresh and turn > 2):
                break
            cuts += fresh
        return self._split(phases, half, slack, limits)

    def _direction(self, u: Float64) -> Float64:
        mapped = self.cones.mapped(u)
        return np.asarray(mapped / max(float(np.linalg.norm(mapped)), 1e-300))

    def _rows(self, state: State, phases: Phases) -> Rows:
        """The linear literals, the relaxed logits and the assumed signs."""
        rows, forms = Rows(), self.prover.forms
        classes = self.prover.reading.classes
        for index, literal in enumerate(state.literals):
            if len(literal) == 2:
                continue
            first, second, _ = literal
            if self.relu is not None and first < classes and second < classes:
                weights = np.zeros(classes)
                weights[first] += 1.0
                weights[second] -= 1.0
                rows.add(*self._seen(self.relu.relaxed(weights, phases)), ("literal", index, None))
            else:
                slope = forms.slopes[first] - forms.slopes[second]
                rows.add(slope, float(forms.offsets[first] - forms.offsets[second]), ("literal", index, None))
        if self.relu is not None:
            for (layer, neuron), active in phases.items():
                weights = np.zeros(len(self.relu.low[layer]))
                weights[neuron] = 1.0 if active else -1.0
                rows.add(*self._seen(self.relu.relaxed(weights, phases, layer)), ("phase", (layer, neuron), None))
        return rows

    def _seen(self, form: tuple[Float64, float]) -> tuple[Float64, float]:
        region = self.prover.forms.region
        slope, constant = form
        in_w = slope @ region.factor if region.factor.ndim == 2 else slope * region.factor
        return np.asarray(in_w * float(self.prover.size)), constant + float(slope @ region.centre)

    def _satisfying(self, u: Float64, state: State) -> Placed | None:
        placed = self.prover.place(u)
        return placed if placed is not None and all(placed[1].satisfies(x) for x in state.literals) else None

    def _from_inside(
        self,
        state: State,
        phases: Phases,
        u: Float64,
        *,
        part: tuple[Float64, Float64],
        slack: list[int],
        cuts: list[tuple[int, Float64]],
    ) -> Placed | None:
        """A point by bounds from below on the literals that are not convex, moved along a few times."""
        if not slack:
            return None
        for _ in range(4):
            rows = self._rows(state, phases)
            for index, vector in cuts:
                rows.add(*self.cones.cut(state.literals[index], vector), ("cut", index, vector))  # type: ignore[arg-type]
            direction = self._direction(u)
            for index in slack:
                rows.add(*self.cones.inner(state.literals[index], direction), ("inner", index, None))  # type: ignore[arg-type]
            _, _, moved = rows.answered(*part, self.prover.forms.region.norm)
            placed = self._satisfying(moved, state)
            if placed is not None:
                return placed
            if np.allclose(moved, u, atol=1e-6):
                return None
            u = moved
        return None

    def _split(self, phases: Phases, half: Float64, slack: list[int], limits: Limits) -> Decision | str:
        if self.relu is not None:
            neurons = self.relu.unstable(phases)
            if neurons:
                room = {n: min(self.relu.high[n[0]][n[1]], -self.relu.low[n[0]][n[1]]) for n in neurons}
                layer, neuron = max(neurons, key=lambda n: (-n[0], room[n]))
                return Decision("phase", ("phase", layer, neuron))
        if slack and self.prover.forms.region.norm == "max":
            widths = np.linalg.norm(self.cones.slopes, axis=0) * half
            axis = int(widths.argmax())
            if widths[axis] > 1e-9:
                return Decision("halve", ("halve", axis))
        if slack:
            return "hasCon asks for a set that is not convex, and its bounds do not decide it"
        return "a tie, or nearly one, that float solvers cannot tell apart"

    def _closing(self, state: State, tags: list[Tag], weights: Float64, limits: Limits, phases: Phases) -> Step | None:
        """A closing step whose integers are checked exactly here, or None."""
        largest = float(weights.max())
        for bits in PRECISIONS:
            plan = self._plan(tags, np.round(weights / largest * 2.0**bits))
            if self._proves(state, plan, limits, phases):
                return plan.step()
        return None

    def _plan(self, tags: list[Tag], weights: Float64) -> Plan:
        plan = Plan()
        sums: defaultdict[int, Float64] = defaultdict(lambda: np.zeros(len(self.cones.offsets)))
        for (kind, key, value), weight in zip(tags, weights.tolist(), strict=True):
            whole = int(weight)
            if whole <= 0:
                continue
            if kind == "phase":
                assert isinstance(key, tuple)
                plan.slopes[key] = plan.slopes.get(key, Fraction(0)) + whole
                continue
            assert isinstance(key, int)
            plan.multipliers[key] = plan.multipliers.get(key, 0) + whole
            if kind == "cut":
                sums[key] = sums[key] + weight * np.asarray(value)
                plan.bounds[key] = shortened(sums[key] / plan.multipliers[key])
            elif kind == "chord":
                assert isinstance(value, float)
                plan.bounds[key] = Fraction(value).limit_denominator(1 << 30) or Fraction(1, 1 << 30)
        return plan

    def _proves(self, state: State, plan: Plan, limits: Limits, phases: Phases) -> bool:
        region, classes = self.prover.region, self.prover.reading.classes
        row_weights: defaultdict[int, int] = defaultdict(int)
        slope, constant = [Fraction(0)] * region.region.dimension, Fraction(0)
        strict = False
        parts: list[tuple[int, Sequence[int | Fraction], int | Fraction]] = []
        for index, multiplier in plan.multipliers.items():
            literal = state.literals[index]
            strict = strict or bool(literal[-1])
            if len(literal) == 2:
                if not hasattr(self, "mapped"):
                    self.mapped = region.model.mapped.seen_from(region.frame)
                threshold = self.prover.reading.thresholds[literal[0]]
                bound = plan.bounds[index]
                parts.append(
                    (
                        multiplier,
                        *exact_row(
                            region,
                            self.mapped,
                            literal,
                            bound,
                            size=self.prover.size,
                            limits=limits,
                            threshold=threshold,
                        ),
                    )
                )
            else:
                row_weights[literal[0]] += multiplier
                row_weights[literal[1]] -= multiplier
        if self.relu is not None:
            logits = {row: weight for row, weight in row_weights.items() if row < classes and weight}
            row_weights = defaultdict(int, {r: w for r, w in row_weights.items() if r >= classes})
            if logits or plan.slopes:
                for layer, neuron in self.relu.unstable(phases):
                    plan.slopes[layer, neuron] = Fraction(int(self.relu.lower_slopes(layer)[neuron]))
                parts.append((1, *self.relu.exact_row(logits, phases, plan.slopes)))
        parts += [(w, region.forms.rows[r], region.forms.constants[r]) for r, w in row_weights.items() if w]
        for weight, row, start in parts:
            slope = [a + weight * b for a, b in zip(slope, row, strict=True)]
            constant += weight * start
        return supremum_excluded(slope, constant, self.prover.size, region.region.norm, strict=strict, limits=limits)


@dataclass(eq=False)
class Plan:
    """A closing step in the making: multipliers by literal, vector or scale by cone literal, slopes by neuron."""

    multipliers: dict[int, int] = field(default_factory=dict)
    bounds: dict[int, Float64 | Fraction] = field(default_factory=dict)
    slopes: dict[Neuron, Fraction] = field(default_factory=dict)

    def step(self) -> Step:
        """As a certificate carries it."""
        from conspect.verification.certificates.encoding import encoded

        extras = [[k, str(b) if isinstance(b, Fraction) else encoded(b)] for k, b in self.bounds.items()]
        multipliers = [[k, m] for k, m in self.multipliers.items()]
        slopes = [[layer, neuron, str(value)] for (layer, neuron), value in self.slopes.items() if value]
        if slopes:
            return ("close", multipliers, extras, slopes)
        return ("close", multipliers, extras) if extras else ("close", multipliers)
