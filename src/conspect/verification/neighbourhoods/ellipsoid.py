"""The ellipsoid of ordinary changes: its shape from displacements of readouts, its radius by conformal prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conspect.core.digests import digest_arrays
from conspect.core.spaces import Float64
from conspect.verification.queries.numbers import require_squarable

# Entries of the factor are multiples of 2**-FACTOR_BITS of the power of two above the largest: exact and short integers.
FACTOR_BITS = 44
# Directions in which nothing moves keep this share of the longest half-axis.
FLOOR = 1e-5
# Radii are widened by this share: far more than the rounding of sizes in float64, far less than anything that matters.
WIDENED = 1e-9


@dataclass(frozen=True, eq=False)
class ChangeEllipsoid:
    """Displacements {F w : |w| <= radius}. `factor [V, V]` (F, float64, exact), `inverse [V, V]` rounded."""

    factor: Float64
    inverse: Float64

    @property
    def digest(self) -> str:
        """SHA-256 of the factor."""
        return digest_arrays({"factor": self.factor})

    def sizes(self, displacements: Float64) -> Float64:
        """The radius at which each displacement `[..., V]` is inside, `[...]`."""
        return np.asarray(np.linalg.norm(displacements @ self.inverse.T, axis=-1), dtype=np.float64)


def least_extent_ellipsoid(displacements: Float64, compared: Sequence[Float64]) -> ChangeEllipsoid:
    """The shape that best serves what formulas compare, from `displacements [n, V]`.

    `compared`: groups of rows `[row, V]`; formulas compare the rows of a group pair by pair. Among the ellipsoids
    {d : d' E^-1 d <= r^2} with the same mean of d' E^-1 d over the displacements this one has the least sum of squared
    extents along the comparisons, each in units of its own root mean square displacement. With S the second moment of
    displacements and A the sum of g g' / (g'Sg) over comparisons g, the minimum of tr(AE) given tr(S E^-1) solves
    A = E^-1 S E^-1 up to scale: E is the geometric mean of A^-1 and S,

        E = A^-1/2 (A^1/2 S A^1/2)^1/2 A^-1/2.

    The covariance itself (E = S) weighs a direction by how little it moves, though nothing reads it; there the proofs
    pay for directions that no formula compares.
    """
    require_squarable(displacements, "what changed pictures do to the embeddings")
    width = displacements.shape[1]
    second = displacements.T @ displacements / max(1, len(displacements))
    scale = float(np.trace(second)) / width
    scale = scale if scale > 1e-24 else 1e-24
    second = second / scale + np.eye(width) * FLOOR**2
    weighed = np.zeros((width, width))
    for rows in compared:
        products = rows @ second @ rows.T
        own = np.diag(products)
        weights = 1 / np.maximum(own[:, None] + own[None, :] - 2 * products, FLOOR**2)
        np.fill_diagonal(weights, 0.0)
        # The sum of w (r_i - r_j)(r_i - r_j)' over pairs is R'LR with the Laplacian L of the weights.
        weighed += rows.T @ (np.diag(weights.sum(axis=1)) - weights) @ rows
    weighed += np.eye(width) * (1e-9 * np.trace(weighed) / width + 1e-300)
    values, axes = np.linalg.eigh(weighed)
    root = (axes * np.sqrt(values)) @ axes.T
    back = (axes / np.sqrt(values)) @ axes.T
    inner, turned = np.linalg.eigh(root @ second @ root)
    longest = math.sqrt(max(float(inner[-1]), 1e-300))
    deviations = np.maximum(np.sqrt(np.maximum(inner, 0.0)), FLOOR * longest)
    factor = _short(math.sqrt(scale) * (back @ turned) * np.sqrt(deviations))
    return ChangeEllipsoid(factor, np.asarray(np.linalg.inv(factor), dtype=np.float64))


def _short(factor: Float64) -> Float64:
    """The matrix with entries rounded to multiples of one power of two."""
    unit = 2.0 ** (math.frexp(float(np.abs(factor).max()))[1] - FACTOR_BITS)
    return np.asarray(np.rint(factor / unit) * unit, dtype=np.float64)


def conformal_radius(sizes: Float64, share: Fraction) -> Fraction | None:
    """The smallest radius at which a share of (image, picture) pairs lies inside, guaranteed; None with too few images.

    `sizes [image, picture]` of images that had no part in the shape. Images are exchangeable, the pictures of one are
    not: the new image counts as one whose pictures all lie outside (Dunn, Wasserman and Ramdas 2023, pooled quantiles
    of hierarchical data), so the ceil(share (n + 1) m)-th smallest of the n m sizes holds a random picture of a new
    image with probability >= share.
    """
    images, pictures = sizes.shape
    rank = math.ceil(share * (images + 1) * pictures)
    if not 1 <= rank <= images * pictures:
        return None
    radius = float(np.sort(sizes, axis=None)[rank - 1])
    if not math.isfinite(radius):
        return None
    return Fraction(float(np.nextafter(radius * (1 + WIDENED), np.inf)))
