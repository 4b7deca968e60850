"""The alignment r_map: z -> M z + d, by ridge regression from streamed sums.

Source: paper A, "r_map"; Moayeri et al. (ICML 2023) fit the same map by gradient descent. The closed form needs only
n, sum x, sum y, X'X, X'Y and the diagonal of Y'Y, so it streams, merges across workers and has no learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conspect.core.spaces import AffineMap, Float64, Floats
from conspect.core.vectors import cosines

PENALTIES = tuple(10.0**power for power in np.arange(-6, 1.01, 0.5))


@dataclass(frozen=True, eq=False)
class AlignmentSums:
    """Sufficient statistics of image pairs (x of D dimensions, y of E), float64; `a + b` merges two shards."""

    count: int
    x: Float64
    y: Float64
    xx: Float64
    xy: Float64
    yy: float

    @classmethod
    def of(cls, x: Floats, y: Floats) -> AlignmentSums:
        """Sums over `x [image, D]` and `y [image, E]`."""
        x64, y64 = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if len(x64) != len(y64):
            raise ValueError(f"{len(x64)} embeddings against {len(y64)}: pairs are needed")
        return cls(len(x64), x64.sum(0), y64.sum(0), x64.T @ x64, x64.T @ y64, float(np.square(y64).sum()))

    def __add__(self, other: AlignmentSums) -> AlignmentSums:
        return AlignmentSums(
            self.count + other.count,
            self.x + other.x,
            self.y + other.y,
            self.xx + other.xx,
            self.xy + other.xy,
            self.yy + other.yy,
        )

    def __sub__(self, other: AlignmentSums) -> AlignmentSums:
        return AlignmentSums(
            self.count - other.count,
            self.x - other.x,
            self.y - other.y,
            self.xx - other.xx,
            self.xy - other.xy,
            self.yy - other.yy,
        )

    def squared_error(self, fitted: AffineMap) -> float:
        """Sum of ||y - (M x + d)||^2 over the images of these sums."""
        m, d = fitted.weight, fitted.offset
        quadratic = float(np.sum((m @ self.xx) * m))
        cross = float(np.sum(m * self.xy.T))
        return (
            self.yy
            + quadratic
            + self.count * float(d @ d)
            - 2 * cross
            - 2 * float(d @ self.y)
            + 2 * float(d @ (m @ self.x))
        )

    def total_variation(self) -> float:
        """Sum of ||y - mean y||^2."""
        return self.yy - float(self.y @ self.y) / self.count


@dataclass(frozen=True, eq=False)
class FittedAlignment:
    """The map, the penalty that cross-validation chose, and the cross-validated R2 of each penalty that was tried."""

    map: AffineMap
    penalty: float
    r2_by_penalty: tuple[tuple[float, float], ...]
    images: int


def stream_sums(x: Floats, y: Floats, *, chunk: int = 4096) -> AlignmentSums:
    """Sums over arrays (or memory maps) read `chunk` rows at a time."""
    total = AlignmentSums.of(x[:chunk], y[:chunk])
    for start in range(chunk, len(x), chunk):
        total = total + AlignmentSums.of(x[start : start + chunk], y[start : start + chunk])
    return total


def fold_sums(x: Floats, y: Floats, first: int, folds: int) -> list[AlignmentSums]:
    """Sums of each fold over a shard whose first image has the number `first`; image k belongs to fold k mod `folds`."""
    starts = [(fold - first) % folds for fold in range(folds)]
    return [AlignmentSums.of(x[start::folds], y[start::folds]) for start in starts]


@dataclass(frozen=True, eq=False)
class _Decomposed:
    """Ridge in the eigenbasis of the centred Gram matrix, where every penalty costs one division."""

    mean_x: Float64
    mean_y: Float64
    values: Float64
    vectors: Float64
    projected: Float64
    scale: float

    @classmethod
    def of(cls, sums: AlignmentSums) -> _Decomposed:
        mean_x, mean_y = sums.x / sums.count, sums.y / sums.count
        values, vectors = np.linalg.eigh(sums.xx - sums.count * np.outer(mean_x, mean_x))
        values = np.maximum(values, 0.0)
        projected = vectors.T @ (sums.xy - sums.count * np.outer(mean_x, mean_y))
        scale = float(values.mean())
        return cls(mean_x, mean_y, values, vectors, projected, scale if scale > 1e-200 else 1.0)  # constant embeddings

    def map(self, penalty: float) -> AffineMap:
        weight = (self.vectors @ (self.projected / (self.values + penalty * self.scale)[:, None])).T
        return AffineMap(np.ascontiguousarray(weight), self.mean_y - weight @ self.mean_x)

    def squared_errors(self, held: AlignmentSums, penalties: Sequence[float]) -> Float64:
        """`held.squared_error(self.map(p))` for every penalty without forming a map: D x (D + E) operations for each."""
        rotated = self.vectors.T @ held.xx @ self.vectors
        gram_of_projected = self.projected @ self.projected.T
        cross = np.sum(self.projected * (self.vectors.T @ held.xy), axis=1)
        x_held, x_mean = self.vectors.T @ held.x, self.vectors.T @ self.mean_x
        errors = np.empty(len(penalties))
        for k, penalty in enumerate(penalties):
            shrink = 1.0 / (self.values + penalty * self.scale)
            quadratic = shrink @ (rotated * gram_of_projected) @ shrink
            offset = self.mean_y - self.projected.T @ (shrink * x_mean)
            shift = held.count * offset @ offset - 2 * offset @ held.y
            shift += 2 * offset @ (self.projected.T @ (shrink * x_held))
            errors[k] = held.yy + quadratic - 2 * shrink @ cross + shift
        return errors


def solve(sums: AlignmentSums, penalties: Sequence[float]) -> list[AffineMap]:
    """Ridge solutions, one a penalty, from one eigendecomposition.

    The penalty is relative: it multiplies the mean eigenvalue of the centred Gram matrix, so one grid fits all scales.
    The offset is not penalised. M = (Xc'Xc + p v I)^-1 Xc'Yc, d = mean y - M mean x.
    """
    decomposed = _Decomposed.of(sums)
    return [decomposed.map(penalty) for penalty in penalties]


def fit(folds: Sequence[AlignmentSums], penalties: Sequence[float] = PENALTIES) -> FittedAlignment:
    """The map fitted on all folds, with the penalty of the best cross-validated R2.

    `folds`: sums of disjoint sets of images, two or more. Raises ValueError when there are fewer, or too few images.
    """
    if len(folds) < 2 or any(fold.count < 2 for fold in folds):
        raise ValueError("alignment needs at least two folds of at least two images each")
    total = folds[0]
    for fold in folds[1:]:
        total = total + fold
    errors = np.zeros(len(penalties))
    for fold in folds:
        errors += _Decomposed.of(total - fold).squared_errors(fold, penalties)
    variation = max(total.total_variation(), np.finfo(np.float64).tiny)
    r2 = 1.0 - errors / variation
    best = int(np.argmax(r2))
    table = tuple((float(p), float(s)) for p, s in zip(penalties, r2, strict=True))
    return FittedAlignment(solve(total, [penalties[best]])[0], float(penalties[best]), table, total.count)


def fit_arrays(x: Floats, y: Floats, *, folds: int = 5, penalties: Sequence[float] = PENALTIES) -> FittedAlignment:
    """`fit` on arrays `x [image, D]`, `y [image, E]`; image k belongs to fold k mod `folds`."""
    return fit([stream_sums(x[k::folds], y[k::folds]) for k in range(folds)], penalties)


@dataclass(frozen=True)
class AlignmentQuality:
    """What the alignment keeps of the VLM's space, on images it was not fitted on. R2 and cosine: higher = better."""

    r2: float
    mean_cosine: float
    images: int


def quality(fitted: AffineMap, x: Floats, y: Floats) -> AlignmentQuality:
    """R2 = 1 - sum ||y - r_map(x)||^2 / sum ||y - mean y||^2 and the mean of cos(y, r_map(x)) over `x`, `y`."""
    mapped, target = fitted(x), np.asarray(y, dtype=np.float64)
    residual = float(np.square(target - mapped).sum())
    variation = float(np.square(target - target.mean(0)).sum())
    r2 = 1.0 - residual / variation if variation > 0 else 0.0
    return AlignmentQuality(r2, float(cosines(mapped, target).mean()), len(target))
