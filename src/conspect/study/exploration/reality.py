"""How far a point of the embedding space is from real images, and which of them are next to it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.core.vectors import cosines
from conspect.results.exploration import Neighbour
from conspect.study.exploration.index import FLOAT32, StudyIndex, evenly, lowest

# What is usual between real images is read off so many of them, against all.
USUAL_OF = 300
# Of each shard the nearest image is proposed; those of so many shards are measured in float64.
PROPOSED_SHARDS = 4


class Reality:
    """The study's test images as points. Distances are Euclidean, in the model's embedding space."""

    def __init__(self, index: StudyIndex) -> None:
        self._index = index

    @cached_property
    def usual(self) -> Float64:
        """What real images have to their nearest other, ascending `[image]`; of `USUAL_OF` of them, evenly taken.

        Which other is nearest is decided in float32, its distance is measured in float64.
        """
        index, rows = self._index, evenly(len(self._index), USUAL_OF)
        if len(index) < 2:
            return np.zeros(0)
        points = index.model_space.taken(rows)
        best: dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}

        def act(where: slice, z: NDArray[np.float32]) -> None:
            rough = index.facts.squares[where][:, None] - 2 * (z @ points.T)
            own = np.flatnonzero((rows >= where.start) & (rows < where.stop))
            rough[rows[own] - where.start, own] = np.inf
            nearest = rough.argmin(axis=0)
            best[where.start] = rough[nearest, np.arange(len(rows))], where.start + nearest

        index.model_space.scanned(act)
        values, places = (np.stack([best[start][k] for start in sorted(best)]) for k in (0, 1))
        proposed = np.argsort(values, axis=0, kind="stable")[:PROPOSED_SHARDS]
        distances = [
            np.linalg.norm(
                index.model_space.taken(places[shards, k]).astype(np.float64) - points[k].astype(np.float64), axis=1
            )
            for k, shards in enumerate(proposed.T)
        ]
        # A shard that holds the image alone proposes that image: its own distance says nothing.
        alone = np.isinf(np.take_along_axis(values, proposed, axis=0)).T
        return np.sort([float(d[~lone].min(initial=np.inf)) for d, lone in zip(distances, alone, strict=True)])

    def closest(self, point: Float64, count: int, *, without: int | None = None) -> list[tuple[int, float]]:
        """Rows of the `count` images next to `point [D]`, nearest first, with their distances; `without`: a row left out.

        A scan in float32 proposes all that rounding leaves in question, which are measured in float64.
        """
        index, narrow = self._index, point.astype(np.float32)
        squares = index.facts.squares
        rough = squares - 2 * index.products(narrow[None])[:, 0]
        if without is not None:
            rough[without] = np.inf
        length, longest = float(np.linalg.norm(point)), float(np.sqrt(squares.max(initial=0)))
        rows = lowest(rough, count, slack=2 * len(point) * FLOAT32 * longest * (longest + 2 * length))
        exact = np.linalg.norm(index.model_space.taken(rows).astype(np.float64) - point, axis=1)
        near = sorted((float(d), int(row)) for d, row in zip(exact, rows, strict=True) if row != without)
        return [(row, distance) for distance, row in near[:count] if np.isfinite(distance)]

    def distance(self, point: Float64, *, without: int | None = None) -> float:
        """From `point [D]` to the nearest image, infinite where there is none; `without`: a row left out."""
        near = self.closest(point, 1, without=without)
        return near[0][1] if near else float("inf")

    def relative(self, distance: float) -> float | None:
        """A distance over the median of what real images have to their nearest other: about 1 is where images lie."""
        usual = float(np.median(self.usual)) if len(self.usual) else 0.0
        return round(distance / usual, 3) if usual > 0 and np.isfinite(distance) else None

    def extent(self, distance: float) -> float:
        """The share of real images that are farther from their nearest other than `distance`."""
        return float((self.usual > distance).mean()) if len(self.usual) else 0.0

    def nearest(self, point: Float64, count: int, *, without: int | None = None) -> tuple[tuple[Neighbour, float], ...]:
        """The images next to `point [D]`, nearest first, each with its distance; `cosine` as between embeddings."""
        closest = []
        for row, distance in self.closest(point, count, without=without):
            cosine = float(cosines(self._index.embedding(row), point))
            names = self._index.class_names
            label, output = names[self._index.labels[row]], names[self._index.outputs[row]]
            closest.append((Neighbour(row, self._index.ids[row], label, output, round(cosine, 4)), distance))
        return tuple(closest)
