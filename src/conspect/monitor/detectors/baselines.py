"""The detectors everybody has: MSP, max logit, energy, entropy, Mahalanobis, kNN, ViM. Arrays in, a `Score` out.

`logits [image, class]`, `embeddings [image, D]`; sums in float64. What a detector learns from training embeddings is a
small frozen type with `score`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from conspect.core.diagnostics import user_error
from conspect.core.spaces import AffineMap, Float64, Floats
from conspect.core.vectors import log_softmax, softmax, unit
from conspect.statistics.detection import Score

# Embeddings compared with the training set at once: bounds the memory of `NearestNeighbours.score`.
BLOCK = 512
# Added to the diagonal of the summed scatter, so that a dimension without variance does not divide by zero.
SCATTER_FLOOR = 1e-6


def maximum_softmax(logits: Floats) -> Score:
    """Largest softmax probability, 0..1, higher = normal. Source: Hendrycks and Gimpel (ICLR 2017)."""
    return Score(softmax(logits).max(1), "normal")


def maximum_logit(logits: Floats) -> Score:
    """Largest logit, higher = normal. Source: Hendrycks et al. (ICML 2022)."""
    return Score(np.asarray(logits, dtype=np.float64).max(1), "normal")


def energy(logits: Floats, *, temperature: float = 1.0) -> Score:
    """Negative free energy T log sum exp(logit / T), higher = normal. Source: Liu et al. (NeurIPS 2020), eq. 4."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return Score(temperature * special.logsumexp(scaled, axis=1), "normal")


def entropy(logits: Floats) -> Score:
    """Entropy of the softmax in nats, 0..log C, higher = suspect. Source: Shannon (1948)."""
    logarithms = log_softmax(logits)
    return Score(-np.sum(np.exp(logarithms) * logarithms, axis=1), "suspect")


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Class means `[class, D]` and the inverse of the covariance within classes `[D, D]`.

    Source: Lee et al. (NeurIPS 2018), the last layer alone, without input preprocessing.
    """

    means: Float64
    precision: Float64

    @classmethod
    def fit(cls, embeddings: Floats, labels: NDArray[np.integer], classes: int) -> Mahalanobis:
        """From training embeddings and their true labels. Raises UserError MONITOR003 for a class without images."""
        x = np.asarray(embeddings, dtype=np.float64)
        counts = np.bincount(labels, minlength=classes)
        if (counts == 0).any():
            fix = "fit on training images of every class"
            raise user_error("MONITOR003", f"no training image of {int((counts == 0).sum())} classes", fix)
        means = np.stack([x[labels == label].mean(0) for label in range(classes)])
        centred = x - means[labels]
        scatter = centred.T @ centred + SCATTER_FLOOR * np.eye(x.shape[1])
        return cls(means, len(x) * np.linalg.pinv(scatter, hermitian=True))

    def distances(self, embeddings: Floats) -> Float64:
        """Squared distance to each class mean `[image, class]`, 0 or more."""
        x = np.asarray(embeddings, dtype=np.float64)
        gaps = (x - mean for mean in self.means)
        return np.stack([np.sum((gap @ self.precision) * gap, axis=1) for gap in gaps], axis=1)

    def score(self, embeddings: Floats) -> Score:
        """Squared distance to the nearest class mean, higher = suspect."""
        return Score(self.distances(embeddings).min(1), "suspect")


@dataclass(frozen=True, eq=False)
class NearestNeighbours:
    """Training embeddings of unit length `[train, D]`. Source: Sun et al. (ICML 2022); k = 50 is theirs for CIFAR-10."""

    units: Float64
    k: int

    @classmethod
    def fit(cls, embeddings: Floats, *, k: int = 50) -> NearestNeighbours:
        """Keeps the normalised embeddings. Raises UserError MONITOR003 when there are fewer than k."""
        if not 1 <= k <= len(embeddings):
            fix = f"use more training images, or a k of at most {len(embeddings)}"
            raise user_error("MONITOR003", f"neighbour {k} of {len(embeddings)} training embeddings", fix)
        return cls(unit(embeddings), k)

    def score(self, embeddings: Floats) -> Score:
        """Euclidean distance, 0..2, to the k-th nearest training embedding, both of unit length; higher = suspect."""
        queries = unit(embeddings)
        # 1 each, but 0 for an embedding that is nothing but zeros and so has no unit length.
        lengths, trained = np.square(queries).sum(1), np.square(self.units).sum(1)
        nearest = np.empty(len(queries))
        for start in range(0, len(queries), BLOCK):
            squared = trained - 2 * queries[start : start + BLOCK] @ self.units.T
            nearest[start : start + BLOCK] = np.partition(squared, self.k - 1, axis=1)[:, self.k - 1]
        return Score(np.sqrt(np.maximum(lengths + nearest, 0.0)), "suspect")


@dataclass(frozen=True, eq=False)
class VirtualLogit:
    """ViM: the origin `[D]`, the directions without much variance `[D, D - d]`, and the scale of the virtual logit.

    Source: Wang et al. (CVPR 2022), equations 3 to 8.
    """

    origin: Float64
    residual_space: Float64
    scale: float

    @classmethod
    def fit(cls, embeddings: Floats, head: AffineMap, *, principal: int | None = None) -> VirtualLogit:
        """From training embeddings and a linear head. `principal`: dimensions that are kept out of the residual.

        By default as in the paper's code: 1000 from 2048 dimensions on, 512 from 768 on, else half of them.
        """
        x = np.asarray(embeddings, dtype=np.float64)
        width = x.shape[1]
        if principal is None:
            principal = 1000 if width >= 2048 else 512 if width >= 768 else width // 2
        origin = -np.linalg.pinv(head.weight) @ head.offset
        shifted = x - origin
        _, vectors = np.linalg.eigh(shifted.T @ shifted / len(x))
        residual_space = np.ascontiguousarray(vectors[:, : width - principal])  # eigenvalues ascend
        norms = np.linalg.norm(shifted @ residual_space, axis=1)
        spread = norms.mean()  # 0 when no training embedding has a residual: then none counts
        return cls(origin, residual_space, float(head(x).max(1).mean() / spread) if spread > 0 else 0.0)

    def score(self, embeddings: Floats, logits: Floats) -> Score:
        """Virtual logit minus log sum exp of the logits, higher = suspect (monotone in the paper's probability)."""
        shifted = np.asarray(embeddings, dtype=np.float64) - self.origin
        virtual = self.scale * np.linalg.norm(shifted @ self.residual_space, axis=1)
        return Score(virtual - special.logsumexp(np.asarray(logits, dtype=np.float64), axis=1), "suspect")
