"""Where in an image a concept is: the exact split of a strength over the positions that an encoder averages."""

from __future__ import annotations

import numpy as np

from conspect.core.spaces import Float64, Floats, Lens


def concept_map(lens: Lens, positions: Floats) -> Float64:
    """`[concept, y, x]` of an image's `positions [y, x, D]`, whose mean is its embedding.

    What comparisons read, C z + b, is affine, so it is the mean over positions of C h + b: the mean of a concept's map is its
    numerator in `Lens.folded`, and of the difference of two maps the margin of their pair. Nothing is estimated. (The strength
    itself, a cosine, is this divided by one number for the whole image.)
    """
    height, width, size = positions.shape
    values = lens.folded(np.asarray(positions, dtype=np.float64).reshape(-1, size))
    return np.asarray(values.T.reshape(-1, height, width), dtype=np.float64)
