"""An optional tier without a VLM: the model itself looks again, at the image mirrored and moved a little.

What an image shows does not change when it is mirrored; an output, or a strength predicate, that does not survive it
was not worth much. It costs one more forward pass of the model for each further look. Run time needs NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64, Floats
from conspect.monitor.runtime.detector import Float32, Folded
from conspect.monitor.runtime.suspicion import LARGEST_SQUARE, LEAST_PROBABILITY

# Columns of `SecondLook.features`. For the output class o of the first look:
LOOK_FEATURES = (
    "log-odds over looks",  # of o under the softmax, nats, mean over looks
    "first tier",  # its suspicion, nats
    "lens gap over looks",  # class-name numerator of o minus the largest other, mean over looks
    "agreement",  # share of looks whose output is o
    "spread",  # standard deviation of the log-odds over looks
    "stability",  # share of strength predicates i > j that survive, each with the weight of its gap
    "movement",  # root mean square change of the strength numerators, in standard deviations
)


@dataclass(frozen=True, eq=False)
class Looks:
    """`embeddings [image, look, D]` and `logits [image, look, class]`; look 0 is the image as it came."""

    embeddings: Floats
    logits: Floats

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3 or self.logits.ndim != 3 or self.embeddings.shape[:2] != self.logits.shape[:2]:
            problem = f"embeddings {self.embeddings.shape} and logits {self.logits.shape}"
            raise user_error("MONITOR001", problem, "embeddings are [image, look, D], logits [image, look, class]")

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Looks:
        """The chosen rows."""
        return Looks(self.embeddings[rows], self.logits[rows])


@dataclass(frozen=True, eq=False)
class SecondLook:
    """Suspicion from several looks: `weights [2, feature]` on the standardised features and on their squares.

    `mean`, `scale [feature]` standardise, `bias [class]` by output class, `deviation [concept]` of the numerators. float32.
    `looks`: how many there were in fitting; as many are needed to ask.
    """

    looks: int
    deviation: Float32
    mean: Float32
    scale: Float32
    weights: Float32
    bias: Float32

    def features(self, looked: Looks, first: Floats, folded: Folded) -> tuple[Float64, NDArray[np.intp]]:
        """`[image, feature]` in the order of LOOK_FEATURES and the output class `[image]`.

        `first [image]`: the first tier's suspicion. Raises UserError MONITOR001 for another number of looks.
        """
        if looked.logits.shape[1] != self.looks:
            problem = f"{looked.logits.shape[1]} looks at each image, but it was fitted with {self.looks}"
            raise user_error("MONITOR001", problem, "give the image as it came, then the same further looks")
        return look_features(looked, first, folded, self.deviation)

    def suspicion(self, looked: Looks, first: Floats, folded: Folded) -> tuple[Float32, NDArray[np.intp]]:
        """Log-odds that the output of the first look is wrong `[image]`, higher = suspect; and that output."""
        features, outputs = self.features(looked, first, folded)
        standard = (features - self.mean) * self.scale
        squares = np.minimum(np.square(standard), LARGEST_SQUARE)
        found = standard @ self.weights[0] + squares @ self.weights[1] + self.bias[outputs]
        return found.astype(np.float32), outputs


def look_features(looked: Looks, first: Floats, folded: Folded, deviation: Floats) -> tuple[Float64, NDArray[np.intp]]:
    """See `SecondLook.features`; `deviation [concept]` scales the movement."""
    images, looks, classes = looked.logits.shape
    outputs = looked.logits[:, 0].argmax(1)
    rows = np.arange(images)
    readings = folded.readings(looked.embeddings.reshape(images * looks, -1)).T.reshape(images, looks, -1)
    numerators = readings[..., : folded.concepts]
    named = readings[..., folded.concepts : folded.concepts + classes]
    odds = _log_odds(looked.logits, outputs)
    own = named[rows, :, outputs]
    others = np.array(named)
    others[rows, :, outputs] = -np.inf
    gaps = numerators[:, :1, :, None] - numerators[:, :1, None, :]
    survive = (numerators[:, 1:, :, None] - numerators[:, 1:, None, :]) * np.sign(gaps) > 0
    weight = np.abs(gaps)
    total = np.maximum(weight.sum((1, 2, 3)) * max(looks - 1, 1), LEAST_PROBABILITY)
    moved = (numerators[:, 1:] - numerators[:, :1]) / np.where(deviation > 0, deviation, 1)
    found = [
        odds.mean(1),
        np.asarray(first, dtype=np.float64),
        (own - others.max(2)).mean(1),
        (looked.logits.argmax(2) == outputs[:, None]).mean(1),
        odds.std(1),
        (survive * weight).sum((1, 2, 3)) / total,
        np.sqrt(np.square(moved).sum((1, 2)) / max(moved.shape[1] * moved.shape[2], 1)),
    ]
    return np.column_stack(found), outputs


def _log_odds(logits: Floats, outputs: NDArray[np.intp]) -> Float64:
    """Of class `outputs [image]` under the softmax of each look, `[image, look]`, nats."""
    rows = np.arange(len(logits))
    shifted = np.asarray(logits - logits.max(2, keepdims=True), dtype=np.float64)
    own = np.exp(shifted[rows, :, outputs])
    rest = np.exp(shifted)
    rest[rows, :, outputs] = 0.0
    floor = float(LEAST_PROBABILITY)
    return np.asarray(np.log(np.maximum(own, floor)) - np.log(np.maximum(rest.sum(2), floor)))
