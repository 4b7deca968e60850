"""What went wrong in one image, in words: the strength predicates that its class keeps and the image breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conspect.analysis.heatmaps import HeatmapCounts
from conspect.core.spaces import Floats

# So many broken pairs are looked at before more are sorted.
PIECE = 64


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
    listed: list[BrokenPair] = []
    for flat in order:
        i, j = divmod(int(flat), len(share))
        if not broken[i, j] or len(listed) == limit:
            break
        if all(i != pair.stronger and j != pair.weaker for pair in listed):
            listed.append(BrokenPair(i, j, float(share[i, j])))
    return listed


class UsualPairs:
    """The pairs that a class keeps, most reliable first: `broken` gives what `broken_pairs` gives, for many images.

    Sorting all pairs anew for each image is what costs; their reliability is the same for all images of the class.
    """

    def __init__(self, usual: HeatmapCounts) -> None:
        share = np.nan_to_num(usual.share)
        stronger, weaker = np.nonzero(share > 0.5)
        rounded = np.round(share[stronger, weaker], 3)
        order = np.argsort(-rounded, kind="stable")
        self._share, self._rounded = share, rounded[order]
        self._stronger, self._weaker = stronger[order], weaker[order]

    def broken(self, strengths: Floats, *, limit: int = 3) -> list[BrokenPair]:
        """Of one image with `strengths [concept]`."""
        gap = strengths[self._weaker] - strengths[self._stronger]
        there = np.flatnonzero(gap >= 0)
        pairs: list[BrokenPair] = []
        start = 0
        while start < len(there) and len(pairs) < limit:
            # Ties in reliability are ordered by the gap: a piece ends where the reliability changes.
            last = self._rounded[there[min(start + PIECE, len(there)) - 1]]
            stop = int(np.searchsorted(-self._rounded[there], -last, side="right"))
            piece = there[start:stop]
            for k in piece[np.lexsort((-gap[piece], -self._rounded[piece]))]:
                i, j = int(self._stronger[k]), int(self._weaker[k])
                if len(pairs) < limit and all(i != pair.stronger and j != pair.weaker for pair in pairs):
                    pairs.append(BrokenPair(i, j, float(self._share[i, j])))
            start = stop
        return pairs
