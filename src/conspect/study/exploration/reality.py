"""How far a point of the embedding space is from real images, and which of them are next to it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from conspect.core.spaces import Float64
from conspect.results.exploration import Neighbour
from conspect.study.exploration.index import StudyIndex

# What is usual between real images is read off so many of them, against all.
USUAL_OF = 300
# Float32 distances between neighbours may change places; so many more than asked are measured again.
PROPOSED_BESIDE = 16


class Reality:
    """The study's test images as points. Distances are Euclidean, in the model's embedding space."""

    def __init__(self, index: StudyIndex) -> None:
        self._index = index

    @cached_property
    def usual(self) -> Float64:
        """What real images have to their nearest other, ascending `[image]`; of `USUAL_OF` of them, evenly taken."""
        rows = np.unique(np.linspace(0, len(self._index) - 1, min(USUAL_OF, len(self._index))).astype(np.int64))
        if len(self._index) < 2:
            return np.zeros(0)
        points = np.concatenate([self._index.embedding(int(row))[None] for row in rows])
        nearest, start = np.full(len(rows), np.inf), 0
        for z, norms in self._index.measured_points():
            rough = norms[:, None] - 2 * (z @ points.T)
            own = np.flatnonzero((rows >= start) & (rows < start + len(z)))
            rough[rows[own] - start, own] = np.inf
            wanted = min(len(z), 1 + PROPOSED_BESIDE)
            proposed = np.argpartition(rough, wanted - 1, axis=0)[:wanted]
            for k, candidates in enumerate(proposed.T):
                others = candidates[start + candidates != rows[k]]
                exact = np.linalg.norm(z[others].astype(np.float64) - points[k].astype(np.float64), axis=1)
                nearest[k] = min(nearest[k], float(exact.min(initial=np.inf)))
            start += len(z)
        return np.sort(nearest)

    def closest(self, point: Float64, count: int, *, without: int | None = None) -> list[tuple[int, float]]:
        """Rows of the `count` images next to `point [D]`, nearest first, with their distances; `without`: a row left out.

        A first pass in float32 proposes some more, which are measured in float64.
        """
        near: list[tuple[float, int]] = []
        start, narrow = 0, point.astype(np.float32)
        for z, norms in self._index.measured_points():
            rough = norms - 2 * (z @ narrow)
            if without is not None and start <= without < start + len(z):
                rough[without - start] = np.inf
            wanted = min(len(rough), count + PROPOSED_BESIDE)
            rows = np.argpartition(rough, wanted - 1)[:wanted]
            exact = np.linalg.norm(z[rows].astype(np.float64) - point, axis=1)
            near += [(float(d), start + int(row)) for d, row in zip(exact, rows, strict=True) if start + row != without]
            near = sorted(near)[:count]
            start += len(z)
        return [(row, distance) for distance, row in near if np.isfinite(distance)]

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
        length, closest = float(np.linalg.norm(point)), []
        for row, distance in self.closest(point, count, without=without):
            own = self._index.embedding(row).astype(np.float64)
            cosine = float(own @ point) / max(length * float(np.linalg.norm(own)), 1e-300)
            names = self._index.class_names
            label, output = names[self._index.labels[row]], names[self._index.outputs[row]]
            closest.append((Neighbour(row, self._index.ids[row], label, output, round(cosine, 4)), distance))
        return tuple(closest)
