"""By which concepts an image stands out among those of its class, and which of them make sense to say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Floats

# An image stands out by a concept when this share of the images of its class show it less (or more).
STANDS_OUT = 0.75


@dataclass(frozen=True, eq=False)
class Sayable:
    """Which conditions make sense. `carries [class, concept]`: images of the class show it, so that they can lack it;
    `ruled_out [class, concept]`: they never do, so that they show it only by looking like another class.
    """

    carries: NDArray[np.bool_]
    ruled_out: NDArray[np.bool_]

    def literals(self, label: int | None, output: int | None) -> NDArray[np.bool_]:
        """`[2 x concept]`, more and then less: what may be said of images of `label` (None: any) that are taken for `output`."""
        if label is None:
            return np.concatenate([~self.ruled_out.any(axis=0), self.carries.all(axis=0)])
        more = ~self.ruled_out[label]
        if output is not None:
            more = more | self.carries[output]
        return np.concatenate([more, self.carries[label]])


def literals_of(strengths: Floats, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`[image, 2 x concept]`: shown more, then less, than `STANDS_OUT` of the images of the class show it, strictly."""
    more, less = np.zeros(strengths.shape, dtype=bool), np.zeros(strengths.shape, dtype=bool)
    for index in np.unique(labels):
        rows = labels == index
        low, high = np.quantile(strengths[rows], (1 - STANDS_OUT, STANDS_OUT), axis=0)
        more[rows], less[rows] = strengths[rows] > high, strengths[rows] < low
    return np.concatenate([more, less], axis=1)
