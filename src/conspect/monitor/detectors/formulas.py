"""Any Con_spec formula as a monitor: an input that violates it is suspect, and the margin says by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Floats
from conspect.language import Readouts, margin
from conspect.language.syntax.tree import Formula
from conspect.statistics.detection import Score


@dataclass(frozen=True, eq=False)
class FormulaMonitor:
    """A formula over `class_names` and `concept_names`; `thresholds [concept]`: cosines, for hasCon, NaN where unknown."""

    formula: Formula
    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    thresholds: Floats | None = None

    def score(self, logits: Floats, strengths: Floats) -> Score:
        """Margin per input, higher = normal; positive: holds, negative: violated, zero decides nothing.

        `logits [image, class]`, `strengths [image, concept]` cosines. Numerators will not do where the formula has
        hasCon or mixes strengths with logits. Raises UserError SPEC303 or SPEC304 as the language's semantics do.
        """
        reading = Readouts(self.class_names, self.concept_names, logits, strengths, self.thresholds)
        return Score(margin(self.formula, reading), "normal")

    def violated(self, logits: Floats, strengths: Floats) -> NDArray[np.bool_]:
        """Where the margin is negative `[image]`; thresholds for a wanted false-alarm rate: `calibration.thresholds`."""
        return np.asarray(self.score(logits, strengths).values < 0)
