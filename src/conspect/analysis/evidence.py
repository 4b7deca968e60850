"""What went wrong in one image, in words: the strength predicates that its class keeps and the image breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conspect.analysis.heatmaps import HeatmapCounts
from conspect.core.spaces import Floats


@dataclass(frozen=True, slots=True)
class BrokenPair:
    """`stronger > weaker` holds for `usual` (0..1) of the class's images, and not for this one."""

    stronger: int
    weaker: int
    usual: float


def broken_pairs(strengths: Floats, usual: HeatmapCounts, *, limit: int = 3) -> list[BrokenPair]:
    """The pairs that the class keeps most reliably and this image (`strengths [concept]`) breaks, most reliable first.

    Ties in reliability are ordered by how far the image breaks them. Only pairs that the class keeps more often than not;
    each concept is named at most once on each side, so that a few lines tell several things.
    """
    share = np.nan_to_num(usual.share)
    gap = strengths[None, :] - strengths[:, None]
    broken = (gap >= 0) & (share > 0.5)
    order = np.lexsort((-gap.ravel(), -np.where(broken, np.round(share, 3), -1.0).ravel()))
    found: list[BrokenPair] = []
    for flat in order:
        i, j = divmod(int(flat), len(share))
        if not broken[i, j] or len(found) == limit:
            break
        if all(i != pair.stronger and j != pair.weaker for pair in found):
            found.append(BrokenPair(i, j, float(share[i, j])))
    return found
