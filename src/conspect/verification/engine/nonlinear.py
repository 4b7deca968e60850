"""Decides states with `hasCon` literals or ReLU heads: linear bounds, tightened where the last point sits, then splits.

Each round closes the state by its linear bounds, or finds a point of theirs. A point that truly satisfies the literals is
returned; another one is cut off. What bounds cannot decide is split: by the sign of a neuron, or by halving a box.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from conspect.core.spaces import Float64
from conspect.verification.engine import barrier
from conspect.verification.engine.cones import ConeForms, Limits, exact_row, shortened
from conspect.verification.engine.exact import ExactForms, supremum_excluded
from conspect.verification.engine.points import SizedRegion, WitnessPoint
from conspect.verification.engine.relu import Phases
from conspect.verification.engine.steps import Close, ConeBound, Halve, Neuron, SplitNeuron
from conspect.verification.queries.negation import ConeLiteral, LinearLiteral, State

ROUNDS = 12
PRECISIONS = (20, 50)
HOW = "bounds and splits"


@dataclass(frozen=True, eq=False)
class EmptyState:
    """The state is empty. `margin` is negative where the bounds that prove it say nothing of one."""

    step: Close
    margin: float = -1.0
    carries: float = 0.0
    how: str = ""


@dataclass(frozen=True, eq=False)
class SatisfyingPoint:
    """A point satisfies the literals of the state."""

    point: WitnessPoint
    how: str = ""


@dataclass(frozen=True, eq=False)
class CaseSplit:
    """Bounds do not decide; the state falls into two cases."""

    step: Halve | SplitNeuron
    how: str = ""


Decision: TypeAlias = EmptyState | SatisfyingPoint | CaseSplit


@dataclass(frozen=True, slots=True)
class LiteralTag:
    """The row is a linear literal, or its relaxation."""

    index: int


@dataclass(frozen=True, eq=False, slots=True)
class CutTag:
    """The row is the cut of a vector, above a convex cone literal."""

    index: int
    vector: Float64


@dataclass(frozen=True, slots=True)
class ChordTag:
    """The row is the chord of a scale, above a cone literal that is not convex."""

    index: int
    scale: float


@dataclass(frozen=True, slots=True)
class SignTag:
    """The row is the assumed sign of a neuron."""

    neuron: Neuron


@dataclass(frozen=True, slots=True)
class InnerTag:
    """The row lies below a cone literal: it finds points and closes nothing."""


Tag: TypeAlias = LiteralTag | CutTag | ChordTag | SignTag | InnerTag


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
        answers = barrier.answer((slopes * half)[None], offsets[None], "max" if norm == "max" else "euclid")
        return int(answers.status[0]), answers.multipliers[0], middle + half * answers.points[0]


@dataclass(eq=False)
class Nonlinear:
    """Decisions over one region at one size."""

    sized: SizedRegion
    cones: ConeForms = field(init=False)
    _mapped: ExactForms | None = None

    def __post_init__(self) -> None:
        forms = self.sized.forms
        region, size = forms.region, float(self.sized.size)
        weight, factor = self.sized.alignment.weight, region.factor
        slopes = (weight @ factor if factor.ndim == 2 else weight * factor) * size
        classes = self.sized.rows.classes
        self.cones = ConeForms(
            np.asarray(slopes),
            self.sized.alignment(region.centre[None, :])[0],
            forms.slopes[classes:],
            forms.offsets[classes:],
            self.sized.rows.thresholds,
        )
        self.relu = self.sized.relu

    @property
    def mapped(self) -> ExactForms:
        """y as exact forms over the region."""
        if self._mapped is None:
            self._mapped = self.sized.region.model.mapped.seen_from(self.sized.region.frame)
        return self._mapped

    def decide(self, state: State, limits: Limits, phases: Phases, deadline: float) -> Decision | str:
        """A decision on one state, or why there is none; `deadline` on the monotonic clock."""
        # Two kinds of |y|: where a literal wants |y| small against q'y it is convex, and cutting planes |y| >= p'y through what
        # was tried last close in on it; where it wants |y| large, chords above |y|^2 relax it, and halving the box tightens them.
        region, size = self.sized.forms.region, self.sized.size
        low, high = np.full(region.dimension, -1.0), np.ones(region.dimension)
        for axis, (start, end) in limits.items():
            low[axis], high[axis] = float(start / size), float(end / size)
        middle, half = (low + high) / 2, (high - low) / 2
        cones = {k: literal for k, literal in enumerate(state.literals) if isinstance(literal, ConeLiteral)}
        convex = [k for k, literal in cones.items() if self.cones.is_convex(literal)]
        slack = {k: literal for k, literal in cones.items() if k not in convex}
        cuts: list[tuple[int, Float64]] = []
        u = middle
        status = barrier.OPEN
        for turn in range(ROUNDS):
            if time.monotonic() >= deadline:
                return "more time needed than the budget has"
            rows = self._rows(state, phases)
            for index, vector in cuts:
                rows.add(*self.cones.cut(cones[index], vector), CutTag(index, vector))
            # |y| <= (|y|^2 + s^2) / 2s for every s > 0, tight at s = |y|: s follows the point of the round before.
            scale = max(float(np.linalg.norm(self.cones.mapped(u))), 1e-9)
            for index, literal in slack.items():
                rows.add(*self.cones.chord(literal, scale, low, high), ChordTag(index, scale))
            weights = np.zeros(0)
            if rows.tags:
                status, weights, u = rows.answered(middle, half, region.norm)
            if status == barrier.CLOSED:
                step = self._closing(state, rows.tags, weights, limits, phases)
                if step is not None:
                    return EmptyState(step, how=HOW)
            at = self._satisfying(u, state) or self._from_inside(
                state, phases, u, part=(middle, half), slack=slack, cuts=[(cones[k], k, p) for k, p in cuts]
            )
            if at is not None:
                return SatisfyingPoint(at, how=HOW)
            # The next cut touches |y| at about the point that satisfied the relaxation and not the literals. It is shortened, so
            # that rounding leaves |p| <= 1, which the checker asks exactly.
            direction = shortened(self.cones.mapped(u) / scale if turn == 0 else self._direction(u))
            fresh = [(k, direction) for k in convex]
            # Without cuts to add only the scale of the chords changes, which after a few rounds moves little.
            if not cones or (not fresh and turn > 2):
                break
            cuts += fresh
        return self._split(phases, half, slack)

    def _direction(self, u: Float64) -> Float64:
        mapped = self.cones.mapped(u)
        return np.asarray(mapped / max(float(np.linalg.norm(mapped)), 1e-300))

    def _rows(self, state: State, phases: Phases) -> Rows:
        """The linear literals, the relaxed logits and the assumed signs."""
        rows, forms = Rows(), self.sized.forms
        for index, literal in enumerate(state.literals):
            if isinstance(literal, ConeLiteral):
                continue
            above, below = self.sized.rows.logit(literal.first), self.sized.rows.logit(literal.second)
            if self.relu is not None and above is not None and below is not None:
                weights = np.zeros(self.sized.rows.classes)
                weights[above.class_index] += 1.0
                weights[below.class_index] -= 1.0
                slope, offset = self._seen(self.relu.relaxed(weights, phases))
                rows.add(slope, offset + float(above.lead - below.lead), LiteralTag(index))
            else:
                slope = forms.slopes[literal.first] - forms.slopes[literal.second]
                offset = float(forms.offsets[literal.first] - forms.offsets[literal.second])
                rows.add(slope, offset, LiteralTag(index))
        if self.relu is not None:
            for (layer, neuron), active in phases.items():
                weights = np.zeros(len(self.relu.low[layer]))
                weights[neuron] = 1.0 if active else -1.0
                rows.add(*self._seen(self.relu.relaxed(weights, phases, layer)), SignTag((layer, neuron)))
        return rows

    def _seen(self, form: tuple[Float64, float]) -> tuple[Float64, float]:
        region = self.sized.forms.region
        slope, constant = form
        in_w = slope @ region.factor if region.factor.ndim == 2 else slope * region.factor
        return np.asarray(in_w * float(self.sized.size)), constant + float(slope @ region.centre)

    def _satisfying(self, u: Float64, state: State) -> WitnessPoint | None:
        at = self.sized.inside(u)
        return at if at is not None and all(at.point.satisfies(x) for x in state.literals) else None

    def _from_inside(
        self,
        state: State,
        phases: Phases,
        u: Float64,
        *,
        part: tuple[Float64, Float64],
        slack: dict[int, ConeLiteral],
        cuts: list[tuple[ConeLiteral, int, Float64]],
    ) -> WitnessPoint | None:
        """A point by bounds from below on the literals that are not convex, moved along a few times."""
        if not slack:
            return None
        for _ in range(4):
            rows = self._rows(state, phases)
            for literal, index, vector in cuts:
                rows.add(*self.cones.cut(literal, vector), CutTag(index, vector))
            direction = self._direction(u)
            for literal in slack.values():
                rows.add(*self.cones.inner(literal, direction), InnerTag())
            _, _, moved = rows.answered(*part, self.sized.forms.region.norm)
            at = self._satisfying(moved, state)
            if at is not None:
                return at
            if np.allclose(moved, u, atol=1e-6):
                return None
            u = moved
        return None

    def _split(self, phases: Phases, half: Float64, slack: dict[int, ConeLiteral]) -> CaseSplit | str:
        if self.relu is not None:
            neurons = self.relu.unstable(phases)
            if neurons:
                room = {n: min(self.relu.high[n[0]][n[1]], -self.relu.low[n[0]][n[1]]) for n in neurons}
                return CaseSplit(SplitNeuron(max(neurons, key=lambda n: (-n[0], room[n]))), how=HOW)
        if slack and self.sized.forms.region.norm == "max":
            widths = np.linalg.norm(self.cones.slopes, axis=0) * half
            axis = int(widths.argmax())
            if widths[axis] > 1e-9:
                return CaseSplit(Halve(axis), how=HOW)
        if slack:
            return "hasCon asks for a set that is not convex, and its bounds do not decide it"
        return "a tie, or nearly one, that float solvers cannot tell apart"

    def _closing(self, state: State, tags: list[Tag], weights: Float64, limits: Limits, phases: Phases) -> Close | None:
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
        for tag, weight in zip(tags, weights.tolist(), strict=True):
            whole = int(weight)
            if whole <= 0 or isinstance(tag, InnerTag):
                continue
            if isinstance(tag, SignTag):
                plan.slopes[tag.neuron] = plan.slopes.get(tag.neuron, Fraction(0)) + whole
                continue
            plan.multipliers[tag.index] = plan.multipliers.get(tag.index, 0) + whole
            if isinstance(tag, CutTag):
                # Several cuts of one literal become one: vectors of length at most 1 average to such a vector.
                sums[tag.index] = sums[tag.index] + weight * tag.vector
                plan.bounds[tag.index] = shortened(sums[tag.index] / plan.multipliers[tag.index])
            elif isinstance(tag, ChordTag):
                plan.bounds[tag.index] = Fraction(tag.scale).limit_denominator(1 << 30) or Fraction(1, 1 << 30)
        return plan

    def _proves(self, state: State, plan: Plan, limits: Limits, phases: Phases) -> bool:
        """Whether the plan's weighted sum of bounds is negative all over the region (or zero, with a strict literal).

        Cone literals enter by their exact bound, logits behind ReLU by the exact backward pass, all else as base rows.
        """
        region, rows = self.sized.region, self.sized.rows
        row_weights: defaultdict[int, int] = defaultdict(int)
        strict = False
        parts: list[tuple[int, Sequence[int | Fraction], int | Fraction]] = []
        for index, multiplier in plan.multipliers.items():
            literal = state.literals[index]
            if isinstance(literal, LinearLiteral):
                strict = strict or literal.strict
                row_weights[literal.first] += multiplier
                row_weights[literal.second] -= multiplier
            else:
                strict = strict or literal.wanted
                row = exact_row(
                    region,
                    self.mapped,
                    literal,
                    plan.bounds[index],
                    size=self.sized.size,
                    limits=limits,
                    threshold=rows.thresholds[literal.concept],
                )
                parts.append((multiplier, *row))
        if self.relu is not None:
            logits, lead, row_weights = self._logit_weights(row_weights)
            if logits or plan.slopes:
                for layer, neuron in self.relu.unstable(phases):
                    plan.slopes[layer, neuron] = Fraction(int(self.relu.lower_slopes(layer)[neuron]))
                parts.append((1, *self.relu.exact_row(logits, phases, plan.slopes)))
                parts.append((1, [0] * region.region.dimension, lead * (1 << region.forms.shift)))
        parts += [(w, region.forms.rows[r], region.forms.constants[r]) for r, w in row_weights.items() if w]
        slope: list[int | Fraction] = [Fraction(0)] * region.region.dimension
        constant: int | Fraction = Fraction(0)
        for weight, slopes, start in parts:
            slope = [a + weight * b for a, b in zip(slope, slopes, strict=True)]
            constant += weight * start
        return supremum_excluded(slope, constant, self.sized.size, region.region.norm, strict=strict, limits=limits)

    def _logit_weights(
        self, row_weights: defaultdict[int, int]
    ) -> tuple[dict[int, int], Fraction, defaultdict[int, int]]:
        """Weights of the logits, the sum of their leads, and the weights of all other rows."""
        logits: dict[int, int] = {}
        lead, others = Fraction(0), defaultdict(int)
        for row, weight in row_weights.items():
            entry = self.sized.rows.logit(row)
            if entry is None:
                others[row] = weight
            elif weight:
                logits[entry.class_index] = logits.get(entry.class_index, 0) + weight
                lead += weight * entry.lead
        return {c: w for c, w in logits.items() if w}, lead, others


@dataclass(eq=False)
class Plan:
    """A closing step in the making: multipliers by literal, vector or scale by cone literal, slopes by neuron."""

    multipliers: dict[int, int] = field(default_factory=dict)
    bounds: dict[int, ConeBound] = field(default_factory=dict)
    slopes: dict[Neuron, Fraction] = field(default_factory=dict)

    def step(self) -> Close:
        """As a proof carries it."""
        slopes = tuple((neuron, value) for neuron, value in self.slopes.items() if value)
        return Close(tuple(self.multipliers.items()), tuple(self.bounds.items()), slopes)
