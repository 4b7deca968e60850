"""The optional second tier: the VLM looks at the image itself, and the monitor asks whether it agrees, in words.

It costs one run of the VLM's image encoder per input, so it is meant for inputs the first tier does not accept; the
first tier needs no VLM. Arrays are passed in: whoever has the VLM computes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64, Floats
from conspect.statistics.detection import Score
from conspect.statistics.logistic import LogisticModel, fit_logistic


@dataclass(frozen=True, eq=False)
class VlmEvidence:
    """What the VLM says of each image, and the lens of its embedding; all cosines, higher = more present.

    `class_strengths [image, class]`: of the class names, by the VLM. `strengths [image, concept]`: of the concepts, by
    the VLM. `through_lens [image, concept]`: the same concepts through the lens.
    """

    class_strengths: Floats
    strengths: Floats
    through_lens: Floats

    def __post_init__(self) -> None:
        images = len(self.class_strengths)
        if self.strengths.shape != self.through_lens.shape or len(self.strengths) != images:
            problem = f"{self.class_strengths.shape}, {self.strengths.shape} and {self.through_lens.shape}"
            raise user_error("MONITOR001", f"strengths of shapes {problem}", "one row per image, the same concepts")

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> VlmEvidence:
        """The chosen rows."""
        return VlmEvidence(self.class_strengths[rows], self.strengths[rows], self.through_lens[rows])

    def features(self, outputs: NDArray[np.integer]) -> Float64:
        """`[image, 3]`: lead of the output class over the best other, whether it leads, distance of VLM and lens."""
        rows = np.arange(len(outputs))
        named = np.array(self.class_strengths, dtype=np.float64)
        own = named[rows, outputs]
        named[rows, outputs] = -np.inf
        lead = own - named.max(1)
        apart = np.sqrt(np.mean(np.square(np.asarray(self.strengths - self.through_lens, dtype=np.float64)), axis=1))
        return np.column_stack([lead, lead > 0, apart])


@dataclass(frozen=True, eq=False)
class VlmTier:
    """A logistic model of the first tier's suspicion and the VLM's word."""

    model: LogisticModel

    @classmethod
    def fit(
        cls,
        first: Score,
        witnessed: VlmEvidence,
        outputs: NDArray[np.integer],
        wrong: NDArray[np.bool_],
        *,
        penalty: float = 1e-3,
    ) -> VlmTier:
        """`first`: the first tier's cross-fitted suspicion of the fit split, so that it is as good as on new inputs."""
        if wrong.all() or not wrong.any():
            fix = "fit on held-out inputs of which the model gets some wrong"
            raise user_error("MONITOR002", f"all {len(wrong)} outputs are of one kind", fix)
        design = np.column_stack([first.suspicion, witnessed.features(outputs)])
        return cls(fit_logistic(design, wrong.astype(np.int64), 2, penalty=penalty))

    def score(self, first: Score, witnessed: VlmEvidence, outputs: NDArray[np.integer]) -> Score:
        """Log-odds `[image]` that the output is wrong, higher = suspect."""
        design = np.column_stack([first.suspicion, witnessed.features(outputs)])
        weight, bias = self.model.weight, self.model.bias
        return Score(design @ (weight[:, 1] - weight[:, 0]) + bias[1] - bias[0], "suspect")
