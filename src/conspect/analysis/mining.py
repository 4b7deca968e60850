"""Strength predicates that the data itself suggests: those that hold on at least a wanted share of a class's images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Floats
from conspect.statistics.intervals import clopper_pearson

Criterion: TypeAlias = Literal["bound", "rate"]


@dataclass(frozen=True, slots=True)
class MinedPredicate:
    """`left > right` holds on `holds` of `images` images of a class.

    `lower`: one-sided Clopper-Pearson bound of the share, at a confidence corrected (Bonferroni) for all pairs and
    classes that were looked at. It is valid for the images it was mined on although the best ones were picked.
    """

    class_name: str
    left: str
    right: str
    holds: int
    images: int
    lower: float

    @property
    def rate(self) -> float:
        """Observed share, 0..1."""
        return self.holds / self.images


def mine(
    strengths: Floats,
    labels: NDArray[np.integer],
    *,
    class_names: tuple[str, ...],
    concept_names: tuple[str, ...],
    share: float = 0.95,
    confidence: float = 0.95,
    criterion: Criterion = "bound",
) -> tuple[MinedPredicate, ...]:
    """Predicates `i > j` that hold on at least `share` of the held-out images of a class, strongest first per class.

    `strengths [image, concept]`: cosines, higher = more present; `labels [image]`: index of the true class. `criterion`
    "bound": the corrected lower bound reaches the share, which holds beyond these images; "rate": the observed share
    does, on these images alone. A tie satisfies neither direction.
    """
    values = np.asarray(strengths, dtype=np.float64)
    if values.shape != (len(labels), len(concept_names)) or not np.isfinite(values).all():
        fix = "strengths are [image, concept], finite, with one label for each image and one name for each concept"
        raise user_error(
            "SPEC303", f"strengths {values.shape} for {len(labels)} labels and {len(concept_names)} concepts", fix
        )
    if not (0 < share <= 1 and 0 < confidence < 1):
        raise user_error(
            "SPEC124", f"share {share} or confidence {confidence} is out of range", "write shares such as 0.95"
        )
    pairs = len(concept_names) * (len(concept_names) - 1)
    looked_at = max(1, pairs * len(class_names))
    two_sided = 1 - 2 * (1 - confidence) / looked_at
    predicates: list[MinedPredicate] = []
    for index, class_name in enumerate(class_names):
        own = values[np.asarray(labels) == index]
        if len(own) == 0:
            continue
        counts = np.array([(own[:, [k]] > own).sum(axis=0) for k in range(len(concept_names))])
        low = clopper_pearson(counts, len(own), two_sided)[0]
        reached = low if criterion == "bound" else counts / len(own)
        rows = [
            MinedPredicate(
                class_name, concept_names[i], concept_names[j], int(counts[i, j]), len(own), float(low[i, j])
            )
            for i, j in np.argwhere(reached >= share)
            if i != j
        ]
        predicates += sorted(rows, key=lambda row: (-row.holds, row.left, row.right))
    return tuple(predicates)
