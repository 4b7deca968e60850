"""Concept sliders on an image's embedding: it is moved along concepts, and model, monitor and real images are asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.explanation.counterfactual import concept_moves
from conspect.core.diagnostics import user_error
from conspect.core.percentages import rounded_share
from conspect.core.spaces import Float64, Lens
from conspect.core.vectors import confidences
from conspect.results.exploration import MonitorOpinion
from conspect.results.sliders import ConceptSlider, SliderPage
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.image_page import row_of
from conspect.study.exploration.index import StudyIndex, evenly
from conspect.study.exploration.lists import image_row
from conspect.study.exploration.reality import Reality

# In standard deviations; a slider that reaches farther leaves every real image behind.
FARTHEST = 12.0
SAMPLED = 20_000
# Concepts vary together in a direction below this share of the largest: none of them can be moved without another. A little
# more than what `concept_moves` cuts off.
LEAST_INDEPENDENT, MOST_SLIDERS = 1.5e-3, 60
Watch = Callable[[Float64], MonitorOpinion | None]


class Sliders:
    """Moves along how real embeddings vary, so that one concept changes by a standard deviation and no other does.

    Concepts that cannot be told apart from one another move together: the first of them stands for all.
    """

    def __init__(
        self,
        index: StudyIndex,
        reality: Reality,
        watch: Watch,
        *,
        concepts: Sequence[int],
        grades: Mapping[str, str],
    ) -> None:
        """`watch`: what the monitor says of an embedding `[D]`; `concepts`: those that may be moved, by place in the lens."""
        self._index, self._reality, self._watch, self._concepts, self._grades = index, reality, watch, concepts, grades

    def page(self, annotations: Annotations, name: str, shifts: Mapping[str, float]) -> SliderPage:
        """The image called `name` with its concepts shifted, in standard deviations.

        Raises UserError EXPLORE001 for a concept that cannot be moved, EXPLORE002 for a shift that is too large, EXPLORE003.
        """
        index, row = self._index, row_of(self._index, name)
        shift = self._shift(shifts)
        own = index.embedding(row).astype(np.float64)
        moved = own + self._moves @ shift
        before, after = index.head.logits(own[None])[0], index.head.logits(moved[None])[0]
        output = int(after.argmax())
        spread, centre = self._spread, self._strengths_of(own)
        low, high = ((end - centre) / spread for end in self._usual)
        below, above = self._flips(moved, output)
        strengths = self._lens.strengths(moved[None])[0]
        distance = self._reality.distance(moved, without=None if shift.any() else row)
        relative = self._reality.relative(distance)
        left_out = [] if index.head.is_linear else ["where one slider alone changes the output: the head is not linear"]
        if missing := len(index.lens.concept_names) - len(self._lens.concept_names):
            left_out.append(
                f"{missing:,} concepts that the lens does not see, or that cannot be moved apart from the others"
            )
        return SliderPage(
            image=image_row(index, annotations, row, None),
            output=index.class_names[output],
            output_before=index.class_names[int(before.argmax())],
            probabilities=tuple(rounded_share(p, 5) for p in confidences(after)),
            probabilities_before=tuple(rounded_share(p, 5) for p in confidences(before)),
            distance=0.0 if relative is None else relative,
            extent=rounded_share(self._reality.extent(distance)),
            monitor=self._watch(moved),
            sliders=tuple(
                ConceptSlider(
                    concept,
                    self._grades.get(concept),
                    round(float(strengths[k]), 5),
                    round(float(shift[k]), 4),
                    round(float(low[k]), 3),
                    round(float(high[k]), 3),
                    None if below is None or not np.isfinite(below[k]) else round(float(shift[k] + below[k]), 3),
                    None if above is None or not np.isfinite(above[k]) else round(float(shift[k] + above[k]), 3),
                )
                for k, concept in enumerate(self._lens.concept_names)
            ),
            left_out=tuple(left_out),
        )

    def _shift(self, shifts: Mapping[str, float]) -> Float64:
        names = self._lens.concept_names
        shift = np.zeros(len(names))
        for concept, value in shifts.items():
            if concept not in names:
                fix = f"concepts that can: {', '.join(names[:20])}"
                raise user_error("EXPLORE001", f"{concept[:100]!r} cannot be moved", fix)
            if not abs(value) <= FARTHEST:
                raise user_error("EXPLORE002", f"a shift of {value:g} deviations", f"stay within {FARTHEST:g}")
            shift[names.index(concept)] = value
        return shift

    def _flips(self, moved: Float64, output: int) -> tuple[Float64, Float64] | tuple[None, None]:
        """The nearest further shifts `[concept]` down and up at which a linear head changes its mind; infinite: too far."""
        head = self._index.head
        if not head.is_linear:
            return None, None
        logits = head.logits(moved[None])[0]
        others = np.arange(len(logits)) != output
        lead = logits[output] - logits[others]
        slope = (head.layers[0].weight[output] - head.layers[0].weight[others]) @ self._moves
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = -lead[:, None] / slope  # where each other class catches up
        up = np.where(steps > 0, steps, np.inf).min(axis=0, initial=np.inf)
        down = np.where(steps < 0, steps, -np.inf).max(axis=0, initial=-np.inf)
        return np.where(-down > FARTHEST, -np.inf, down), np.where(up > FARTHEST, np.inf, up)

    @cached_property
    def _sample(self) -> NDArray[np.float32]:
        return self._index.model_space.taken(evenly(len(self._index), SAMPLED))

    @cached_property
    def _lens(self) -> Lens:
        """The lens with the first concepts whose strengths can be moved apart from one another."""
        lens = self._index.lens
        numerators = lens.folded(self._sample.astype(np.float64))
        alive = [k for k in self._concepts if np.ptp(numerators[:, k]) > 0][:MOST_SLIDERS]
        correlation = np.atleast_2d(np.corrcoef(numerators[:, alive], rowvar=False)) if alive else np.zeros((0, 0))
        kept = list(range(len(alive)))
        while len(kept) > 1:
            values, axes = np.linalg.eigh(correlation[np.ix_(kept, kept)])
            if values[0] > LEAST_INDEPENDENT * values[-1]:
                break
            # Of those that make up what does not vary, the last one goes.
            kept.pop(int(np.flatnonzero(np.abs(axes[:, 0]) > 0.5 * np.abs(axes[:, 0]).max())[-1]))
        chosen = [alive[k] for k in kept]
        return Lens(lens.alignment, tuple(lens.concept_names[k] for k in chosen), lens.directions[chosen])

    @cached_property
    def _moves(self) -> Float64:
        return concept_moves(self._lens, self._sample)

    @cached_property
    def _numerators(self) -> Float64:
        return self._lens.folded(self._sample.astype(np.float64))

    @cached_property
    def _spread(self) -> Float64:
        return np.asarray(self._numerators.std(axis=0))

    @cached_property
    def _usual(self) -> tuple[Float64, Float64]:
        low, high = np.percentile(self._numerators, (1, 99), axis=0)
        return low, high

    def _strengths_of(self, point: Float64) -> Float64:
        numerators: Float64 = self._lens.folded(point[None])[0]
        return numerators
