"""Erasing concepts from an embedding, and what the head then says.

Source: concept-based abductive and contrastive explanations (arXiv 2605.06640). There e = r_map(z) - mean loses the concepts of a
mask m by e - C G^+ (m * C'e), with concept directions as the columns of C and G = C'C, and is then taken back to the model by a
pseudo-inverse of r_map. Where the VLM has more dimensions than the model, or the alignment a lower rank, that way back changes
scores that should stay. Here the same formula is used in the model's own space, with the folded directions C = (Q M)': scores of
erased concepts become the mean's, all others stay, exactly. Which way the embedding moves for that is a choice: the shortest
(orthogonal erasure), or, with the covariance S of embeddings, the way they vary, S C (C' S C)^+ (as in LEACE, Belrose et al.,
NeurIPS 2023): only then what goes with a concept in real images goes with it, and nothing is kept that merely predicts it. Every
concept takes a fixed vector out of z, so with a linear head the logits of any set of erased concepts are sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats, Head, Lens

# Singular values of the Gram matrix below this share of the largest are noise: concepts that are combinations of others.
RELATIVE_CUTOFF = 1e-6


@dataclass(frozen=True, eq=False)
class Eraser:
    """`erased [concept, D]`: what one unit of each concept's centred score adds to an embedding of the model.

    `scores [concept, D]` and `offset [concept]`: an embedding's centred scores C'e are scores z - offset.
    """

    head: Head
    scores: Float64
    offset: Float64
    erased: Float64

    @classmethod
    def of(cls, lens: Lens, head: Head, mean: Floats, covariance: Float64 | None = None) -> Eraser:
        """`mean [D]`: the mean embedding of the model, whose scores erased concepts get. `covariance [D, D]`: None for
        orthogonal erasure.
        """
        scores = lens.folded.weight
        ways = scores if covariance is None else scores @ covariance
        inverse = np.linalg.pinv(ways @ scores.T, rcond=RELATIVE_CUTOFF, hermitian=True)
        return cls(head, scores, scores @ np.asarray(mean, dtype=np.float64), np.ascontiguousarray(inverse @ ways))

    def parts(self, embedding: Floats) -> Float64:
        """`[concept, D]`: what each concept puts into `embedding [D]`; erasing a set subtracts its rows."""
        return np.asarray((self.scores @ embedding - self.offset)[:, None] * self.erased, dtype=np.float64)

    def logits(self, embedding: Floats, erased: NDArray[np.bool_]) -> Float64:
        """`[set, class]` of `embedding [D]` with the concepts of each row of `erased [set, concept]` taken out: by the formula,
        for any head. `margins` is the same faster where the head is linear.
        """
        taken_out = erased.astype(np.float64) @ self.parts(embedding)
        return self.head.logits(np.asarray(embedding, dtype=np.float64)[None, :] - taken_out)

    def margins(self, embedding: Floats, output: int) -> tuple[Float64, Float64]:
        """For linear heads: `start [other class]`, by how much `output` leads each other class, and `change
        [concept, other class]` of it when a concept is erased; a set's margins are `start` plus the sum of its rows.
        """
        logits = self.head.logits(np.asarray(embedding, dtype=np.float64)[None, :])[0]
        changed = -self.parts(embedding) @ self.head.layers[0].weight.T
        others = np.arange(len(logits)) != output
        return logits[output] - logits[others], changed[:, [output]] - changed[:, others]
