"""Regions of readouts: an ellipsoid and a band. Their points are readouts, see `regions.readouts`, not embeddings."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from conspect.core.regions import Region
from conspect.core.spaces import Float64, Floats
from conspect.verification.queries.numbers import require_squarable

# Readouts depend on each other (18 strengths of a lens of rank 9 differ in 9 directions). In directions in which they do
# not differ the ellipsoid keeps this share of its longest half-axis: far above rounding, far below anything that matters.
FLOOR = 1e-6


class SpanEllipsoid(Region):
    """Readouts within Mahalanobis distance `size` of the centre; factor factor' is their covariance."""

    shape = "span"
    norm = "euclid"


class Band(Region):
    """Differences of readouts, one axis for each ordered pair: each at least its mean (centre) minus `size` times factor.

    One-sided: the pair read the other way round is an axis of its own, with a deviation of its own.
    """

    shape = "band"
    norm = "max"

    def sizes(self, embeddings: Floats) -> Float64:
        """The smallest size at which each image's differences `[image, pair]` are inside, `[image]`; 0 at least."""
        return np.asarray(np.max(-self.coordinates(embeddings), axis=1, initial=0.0), dtype=np.float64)


def span_ellipsoid(readouts: Float64, provenance: str) -> SpanEllipsoid:
    """The ellipsoid of `readouts [image, V]` (two or more) at size 1."""
    require_squarable(readouts, "what properties read of the embeddings")
    centre = readouts.mean(axis=0)
    covariance = np.cov(readouts, rowvar=False, ddof=1).reshape(len(centre), len(centre))
    values, axes = np.linalg.eigh(covariance)
    longest = max(float(values[-1]), 1e-300) ** 0.5
    deviations = np.maximum(np.sqrt(np.maximum(values, 0.0)), FLOOR * longest)
    return SpanEllipsoid(centre, axes * deviations, Fraction(1), provenance=provenance, inverse=(axes / deviations).T)


def band(differences: Float64, provenance: str) -> Band:
    """The band of `differences [image, pair]` (two or more) at size 1; a pair that never differs keeps a tiny width.

    Deviations are those below the mean alone (semideviation): differences of strengths lean to one side.
    """
    require_squarable(differences, "what properties read of the embeddings")
    mean = differences.mean(axis=0)
    deviation = np.sqrt(np.square(np.minimum(differences - mean, 0.0)).mean(axis=0))
    floor = FLOOR * max(float(deviation.max(initial=0.0)), 1e-300)
    return Band(mean, np.maximum(deviation, floor), Fraction(1), provenance=provenance)
