"""Focus regions: sets of embeddings {centre + factor w : |w| <= size} that a property is claimed for.

`|.|` is the maximum norm for boxes and the Euclidean norm for ellipsoids; `factor` is one column per direction. The
arrays *are* the region, bit by bit: nothing that is proved later depends on how they were estimated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from conspect.core.digests import digest_arrays, digest_json
from conspect.core.spaces import Float64, Floats

Norm: TypeAlias = Literal["max", "euclid"]
Shape: TypeAlias = Literal["box", "ellipsoid", "pca-box", "span", "band", "segment"]


@dataclass(frozen=True, eq=False)
class Region:
    """`centre [D]`, `factor [D]` (a diagonal) or `[D, D]`, `size` an exact rational >= 0, `cut` a class index or None.

    With a cut, only the embeddings that the head assigns to that class belong to the region. `provenance` says from
    which embeddings the region was estimated and how its size was chosen. `inverse` of a full factor, when it is known,
    makes `coordinates` cheap; nothing that is proved uses it.
    """

    centre: Float64
    factor: Float64
    size: Fraction
    cut: int | None = None
    provenance: str = ""
    inverse: Float64 | None = field(default=None, repr=False)

    shape: ClassVar[Shape]
    norm: ClassVar[Norm]

    def __post_init__(self) -> None:
        dimension = self.centre.shape[0]
        flat: dict[Shape, tuple[int, ...]] = {"box": (dimension,), "band": (dimension,), "segment": (dimension, 1)}
        expected = flat.get(self.shape, (dimension, dimension))
        if self.centre.ndim != 1 or self.factor.shape != expected:
            raise ValueError(f"centre {self.centre.shape} and factor {self.factor.shape} are not a {self.shape}")
        if not (np.isfinite(self.centre).all() and np.isfinite(self.factor).all()):
            raise ValueError("a region needs finite numbers")
        if self.size < 0:
            raise ValueError(f"a region cannot have the negative size {self.size}")

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.centre.shape[0])

    def resized(self, size: Fraction) -> Region:
        """The same centre and directions with another size."""
        other = replace(self, size=size)
        vars(other)["arrays_digest"] = self.arrays_digest  # the same arrays: not hashed again for every size
        return other

    def coordinates(self, embeddings: Floats) -> Float64:
        """w with centre + factor w = z, `[image, D]`; infinite where a flat direction cannot reach z."""
        offset = np.asarray(embeddings, dtype=np.float64) - self.centre
        if self.factor.ndim == 2:
            if self.inverse is not None:
                return np.asarray(offset @ self.inverse.T, dtype=np.float64)
            return np.asarray(np.linalg.solve(self.factor, offset.T).T, dtype=np.float64)
        flat = self.factor == 0
        scaled = offset / np.where(flat, 1.0, self.factor)
        return np.where(flat, np.where(offset == 0, 0.0, np.inf), scaled)

    def points(self, coordinates: Floats) -> Float64:
        """centre + factor w, `[image, D]`, for `coordinates [image, D]`."""
        spread = coordinates @ self.factor.T if self.factor.ndim == 2 else coordinates * self.factor
        return np.asarray(self.centre + spread, dtype=np.float64)

    def sizes(self, embeddings: Floats) -> Float64:
        """The smallest size at which each embedding is inside, `[image]`; the cut is not considered."""
        coordinates = self.coordinates(embeddings)
        if self.norm == "max":
            return np.asarray(np.max(np.abs(coordinates), axis=1), dtype=np.float64)
        return np.asarray(np.linalg.norm(coordinates, axis=1), dtype=np.float64)

    def contains(self, embeddings: Floats, predicted: np.ndarray | None = None) -> np.ndarray:
        """Whether each embedding is inside, bool `[image]`. A region with a cut needs the `predicted` classes."""
        inside = self.sizes(embeddings) <= float(self.size)
        if self.cut is None:
            return np.asarray(inside)
        if predicted is None:
            raise ValueError("a region that is cut by a prediction needs the predicted classes")
        return np.asarray(inside & (predicted == self.cut))

    @cached_property
    def arrays_digest(self) -> str:
        """SHA-256 over centre and factor alone: the same for every size and cut."""
        return digest_arrays({"centre": self.centre, "factor": self.factor})

    @cached_property
    def digest(self) -> str:
        """SHA-256 over shape, centre, factor, size and cut; the provenance does not count."""
        return digest_json({"arrays": self.arrays_digest, "cut": self.cut, "shape": self.shape, "size": str(self.size)})


class Box(Region):
    """centre +- size * factor per dimension: the focus region of paper A when factor is the standard deviation."""

    shape = "box"
    norm = "max"


class PrincipalBox(Region):
    """A box along principal axes: column k of factor is axis k times its standard deviation."""

    shape = "pca-box"
    norm = "max"


class Ellipsoid(Region):
    """Embeddings within Mahalanobis distance `size` of the centre; factor factor' is the covariance."""

    shape = "ellipsoid"
    norm = "euclid"


def estimate_region(embeddings: Floats, shape: Shape, size: Fraction, *, provenance: str = "") -> Region:
    """The region of a shape around `embeddings [image, D]` (two or more), float64, without cut.

    Covariances of the two sloped shapes are shrunk towards the diagonal with weight D / (D + n): with fewer images than
    dimensions the plain estimate is singular, and its region would hold no other image.
    """
    data = np.asarray(embeddings, dtype=np.float64)
    if data.ndim != 2 or data.shape[0] < 2:
        raise ValueError(f"a region needs two or more embeddings, got an array of shape {data.shape}")
    centre = data.mean(axis=0)
    deviation = data.std(axis=0, ddof=1)
    if shape == "box":
        return Box(centre, deviation, size, provenance=provenance)
    count, dimension = data.shape
    weight = dimension / (dimension + count)
    covariance = (1 - weight) * np.cov(data, rowvar=False, ddof=1).reshape(dimension, dimension)
    covariance[np.diag_indices(dimension)] += weight * deviation**2
    values, axes = np.linalg.eigh(covariance)
    floor = max(float(values[-1]), 1e-300) * 1e-12
    deviations = np.sqrt(np.maximum(values, floor))
    factor, inverse = axes * deviations, (axes / deviations).T
    note = f"{provenance}; covariance shrunk towards its diagonal with weight {weight:.3f}"
    kind = PrincipalBox if shape == "pca-box" else Ellipsoid
    return kind(centre, factor, size, provenance=note, inverse=inverse)


def conformal_size(region: Region, embeddings: Floats, coverage: Fraction) -> Fraction | None:
    """The smallest size that covers a share of future images, by split conformal prediction; None with too few images.

    The ceil((n + 1) P)-th smallest size of n held-out embeddings that had no part in estimating the region
    (Papadopoulos 2002; Vovk, Gammerman and Shafer 2005): an exchangeable new image lies inside with probability >= P.
    """
    sizes = np.sort(region.sizes(embeddings))
    rank = math.ceil((len(sizes) + 1) * coverage)
    if rank > len(sizes) or not np.isfinite(sizes[rank - 1]):
        return None
    return Fraction(float(np.nextafter(sizes[rank - 1], np.inf)))
