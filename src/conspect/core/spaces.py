"""Maps between spaces: affine maps, heads, and the lens that reads strengths off an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.digests import digest_arrays

Floats: TypeAlias = NDArray[np.floating]
Float64: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AffineMap:
    """z -> weight z + offset, with `weight [out, in]` and `offset [out]`, both float64."""

    weight: Float64
    offset: Float64

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.offset.shape != self.weight.shape[:1]:
            raise ValueError(f"weight {self.weight.shape} and offset {self.offset.shape} are not an affine map")

    def __call__(self, points: Floats) -> Float64:
        """`[image, in]` to `[image, out]`, float64."""
        return np.asarray(points @ self.weight.T + self.offset, dtype=np.float64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over both arrays."""
        return digest_arrays({"weight": self.weight, "offset": self.offset})


@dataclass(frozen=True, eq=False)
class Head:
    """From an embedding to logits: affine layers with a ReLU between each two. One layer: a linear head."""

    layers: tuple[AffineMap, ...]

    @classmethod
    def linear(cls, weight: Float64, bias: Float64) -> Head:
        """A linear head: `weight [class, D]`, `bias [class]`."""
        return cls((AffineMap(weight, bias),))

    @classmethod
    def identity(cls, classes: int) -> Head:
        """The head of a model in which none was found: its embeddings are the logits themselves."""
        return cls((AffineMap(np.eye(classes), np.zeros(classes)),))

    @property
    def is_identity(self) -> bool:
        """True when embeddings are the logits themselves, so that head and encoder cannot be told apart."""
        last = self.layers[-1]
        return self.is_linear and np.array_equal(last.weight, np.eye(*last.weight.shape)) and not last.offset.any()

    @property
    def is_linear(self) -> bool:
        """True when logits are an affine function of the embedding."""
        return len(self.layers) == 1

    @property
    def classes(self) -> int:
        """Number of logits."""
        return int(self.layers[-1].offset.shape[0])

    def logits(self, embeddings: Floats) -> Float64:
        """`[image, D]` to `[image, class]`, float64."""
        out: Float64 = np.asarray(embeddings, dtype=np.float64)
        for layer in self.layers[:-1]:
            out = np.maximum(layer(out), 0.0)
        return self.layers[-1](out)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all layers."""
        return digest_arrays(
            {
                f"{i}.{part}": getattr(layer, part)
                for i, layer in enumerate(self.layers)
                for part in ("weight", "offset")
            }
        )


@dataclass(frozen=True, eq=False)
class Lens:
    """A VLM's concept directions made readable on the vision model's embeddings.

    `alignment`: z -> M z + d, from D to E dimensions. `directions [concept, E]`: unit text directions q, float64.
    Strength of concept k at z: cos(M z + d, q_k), higher = more present (paper A, rep with r_map). Comparisons of two
    strengths need the folded numerators C z + b alone, with C = Q M and b = Q d, because both share ||M z + d||.
    """

    alignment: AffineMap
    concept_names: tuple[str, ...]
    directions: Float64

    @cached_property
    def folded(self) -> AffineMap:
        """z -> C z + b `[concept]`: the strengths times ||M z + d||; equal order, hence equal strength predicates."""
        return AffineMap(self.directions @ self.alignment.weight, self.directions @ self.alignment.offset)

    def strengths(self, embeddings: Floats) -> Float64:
        """cos(M z + d, q_k) `[image, concept]`, float64 in [-1, 1]; 0 where M z + d vanishes."""
        return self.cosines(self.alignment(embeddings))

    def cosines(self, mapped: Floats) -> Float64:
        """cos(y, q_k) `[image, concept]` of embeddings `[image, E]` that are in the VLM's space already; 0 where y vanishes."""
        # float32 may overflow when it is squared
        mapped = np.asarray(mapped, dtype=np.float64)
        norms = np.linalg.norm(mapped, axis=1, keepdims=True)
        cosines = mapped @ self.directions.T / np.where(norms > 0, norms, 1.0)
        return np.asarray(np.clip(cosines, -1.0, 1.0), dtype=np.float64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the map, the directions and the names."""
        arrays: dict[str, NDArray[np.generic]] = {
            "weight": self.alignment.weight,
            "offset": self.alignment.offset,
            "directions": self.directions,
            "names": np.frombuffer("\0".join(self.concept_names).encode(), dtype=np.uint8),
        }
        return digest_arrays(arrays)
