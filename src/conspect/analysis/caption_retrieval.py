"""Does a VLM find the right caption of a picture among all captions?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Floats
from conspect.core.vectors import unit


@dataclass(frozen=True)
class RetrievalRanks:
    """Of `images`, those whose caption is the nearest (`first`) or among the five nearest of `captions`; rank 1 = nearest."""

    images: int
    captions: int
    first: int
    in_five: int
    median_rank: float


def retrieval_ranks(images: Floats, captions: Floats, right: NDArray[np.int64]) -> RetrievalRanks:
    """`images [image, E]`, `captions [caption, E]`, `right [image]`: the caption of each. By cosine; ties count against."""
    cosines = unit(images) @ unit(captions).T
    own = cosines[np.arange(len(right)), right]
    ranks = (cosines >= own[:, None]).sum(axis=1)
    return RetrievalRanks(
        len(right), len(captions), int((ranks == 1).sum()), int((ranks <= 5).sum()), float(np.median(ranks))
    )
