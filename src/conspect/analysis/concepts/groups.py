"""Which concepts can be told from which: their strengths' correlation over images, and what of each the others do not say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats

# From here on two concepts rise and fall together so closely that no method can say which of them was meant.
SAME = 0.95
RIDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Identifiability:
    """`group [concept]`: number of the group, in order of first members. `tolerance [concept]`: share of the variance of a
    concept's strength that the concepts of other groups do not explain, 0..1, 0 = it is a combination of them.
    """

    group: NDArray[np.int64]
    tolerance: Float64

    def members(self, concept: int) -> tuple[int, ...]:
        """All concepts of the group that `concept` belongs to, itself among them."""
        return tuple(int(k) for k in np.flatnonzero(self.group == self.group[concept]))


def identifiability(strengths: Floats) -> Identifiability:
    """Of `strengths [image, concept]`: groups are the components of |correlation| >= `SAME`.

    The correlation of strengths is the Gram matrix of the directions in the metric of the embeddings' covariance, scaled to
    a unit diagonal: directions that differ only where no embedding varies are the same. The tolerance is the reciprocal of
    the variance inflation factor (Belsley, Kuh and Welsch, 1980), with one's own group left out. A strength that does not
    vary stands alone, with tolerance 0.
    """
    centred = np.asarray(strengths, dtype=np.float64) - np.mean(strengths, axis=0, dtype=np.float64)
    spread = np.sqrt(np.square(centred).mean(axis=0))
    varies = spread > 1e-12
    scaled = centred / np.where(varies, spread, 1.0)
    correlation = scaled.T @ scaled / max(len(scaled), 1)
    group = _components(np.abs(correlation) >= SAME)
    # One member stands for each group. The ridge keeps the inverse finite where concepts are combinations of one another.
    first = np.array(
        [np.flatnonzero(group == number)[0] for number in range(group.max(initial=-1) + 1)], dtype=np.int64
    )
    first = first[varies[first]]
    inverse = np.linalg.inv(correlation[np.ix_(first, first)] + RIDGE * np.eye(len(first)))
    of_group = np.zeros(group.max(initial=-1) + 1)
    of_group[group[first]] = np.clip(1.0 / np.diag(inverse), 0.0, 1.0)
    return Identifiability(group, np.where(varies, of_group[group], 0.0))


def _components(joined: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the connected component of each node, in order of first nodes."""
    group = np.full(len(joined), -1, dtype=np.int64)
    number = 0
    for start in range(len(joined)):
        if group[start] >= 0:
            continue
        open_nodes = [start]
        while open_nodes:
            node = open_nodes.pop()
            if group[node] < 0:
                group[node] = number
                open_nodes += [int(k) for k in np.flatnonzero(joined[node] & (group < 0))]
        number += 1
    return group
