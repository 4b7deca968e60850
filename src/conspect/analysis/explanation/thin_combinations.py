"""Combinations of concepts that the images hardly contain, so that hardly anything is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.statistics.testing import fisher_two_sided

# A combination is thin where the images have at most this share of what two unrelated concepts would have, and so many.
THIN_SHARE, THIN_IMAGES, THIN_LISTED, ALPHA = 0.25, 10, 10, 0.05


@dataclass(frozen=True)
class ThinCombination:
    """Of the images of class `label`, `images` show both concepts more than a share `STANDS_OUT` of the class do;
    `expected` would if the two had nothing to do with each other. What the model does on such images is hardly tested.
    """

    label: int
    concepts: tuple[int, int]
    images: int
    expected: float


def thin_combinations(
    more: NDArray[np.bool_], labels: NDArray[np.int64], taking_part: NDArray[np.int64], ruled_out: NDArray[np.bool_]
) -> tuple[ThinCombination, ...]:
    """Pairs of concepts that images of a class stand out by one at a time and hardly ever together, beyond chance.

    `taking_part [k]`: concepts; of the k-th of them `more [image, k]`: the images that stand out by showing it, and `ruled_out
    [class, k]`: whether a class never has it.
    """
    first, second = np.triu_indices(len(taking_part), 1)
    tested: list[tuple[ThinCombination, float]] = []
    for label, total in zip(*np.unique(labels, return_counts=True), strict=True):
        held = more[labels == label].astype(np.float32)
        both = np.rint(held.T @ held).astype(np.int64)
        single = np.diag(both)
        together, alone, others = both[first, second], single[first], single[second]
        expected = alone * others / total
        possible = ~ruled_out[label]
        few = np.flatnonzero(
            (together <= THIN_SHARE * expected)
            & (together < THIN_IMAGES)
            & (expected >= THIN_IMAGES)
            & possible[first]
            & possible[second]
        )
        p_values = fisher_two_sided(together[few], alone[few], (others - together)[few], (total - alone)[few])
        tested += [
            (
                ThinCombination(
                    int(label),
                    (int(taking_part[first[k]]), int(taking_part[second[k]])),
                    int(together[k]),
                    float(expected[k]),
                ),
                float(p),
            )
            for k, p in zip(few, p_values, strict=True)
        ]
    # Each pair of each class was looked at.
    certain = [combination for combination, p in tested if p * len(first) * len(np.unique(labels)) < ALPHA]
    return tuple(sorted(certain, key=lambda combination: combination.images / combination.expected)[:THIN_LISTED])
