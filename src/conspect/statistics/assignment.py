"""The one-to-one assignment of columns to rows with the largest total (Kuhn 1955, "The Hungarian method")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def best_assignment(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The column of each row of a square `counts [row, column]`, all different, with the largest sum of counts.

    Where several assignments reach it, one with more of the diagonal is taken.
    """
    # The crumbs of all rows together stay below one count.
    rows, columns = linear_sum_assignment(-(counts + np.eye(len(counts)) / (2 * len(counts) + 1)))
    assigned = np.empty(len(counts), dtype=np.int64)
    assigned[rows] = columns
    return assigned
