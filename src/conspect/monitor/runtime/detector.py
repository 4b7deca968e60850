"""The fused detector: from a ready embedding and its logits to a suspicion. Imports NumPy and nothing else outside Conspect.

Everything the detector reads off an embedding is an affine map of it (strength numerators of concepts and of class
names, a second head, the concept evidence for each output class), so all are folded into one matrix. A decision is one
small matrix product, a dozen features, and one weighted sum. No VLM, no norm, no SciPy. Arithmetic is float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error

Float32: TypeAlias = NDArray[np.float32]
# Rows of `Detector.features`. For the output class o of an input:
FEATURES = (
    "log-odds",  # of o under the softmax, nats
    "logit gap",  # logit of o minus the largest other
    "energy",  # log sum exp of the logits
    "entropy",  # of the softmax, nats
    "lens gap",  # class-name strength numerator of o minus the largest other
    "second log-odds",  # of o under the second head, nats
    "concept evidence",  # log P(strengths | o wrong) - log P(strengths | o right), nats
    "concept failures",  # sum over the concepts present of the log odds ratio of failure given the concept
    "distance",  # log of the squared distance of the readings from those of right outputs o
)
LEAST_PROBABILITY = np.float32(1e-7)
# Stands in for minus infinity where 0 times it must be 0.
LOWEST = np.float32(-1e30)
# Squares of standardised features end here, so that one far feature cannot outvote all others.
LARGEST_SQUARE = np.float32(36)


@dataclass(frozen=True, eq=False)
class Folded:
    """What is read off an embedding: `weight [reading, D]`, `offset [reading]`, float32.

    Readings in order: `concepts` strength numerators; `classes` class-name numerators; `classes` corrections of the
    second head to the logits; `classes` values of the concept evidence.
    """

    weight: Float32
    offset: Float32
    concepts: int
    classes: int

    def __post_init__(self) -> None:
        readings = self.concepts + 3 * self.classes
        if self.weight.ndim != 2 or len(self.weight) != readings or self.offset.shape != (readings,):
            problem = f"weight {self.weight.shape} and offset {self.offset.shape} for {readings} readings"
            raise user_error("MONITOR001", problem, "readings: concepts + 3 * classes, as `fusion.fit` makes them")

    def readings(self, embeddings: NDArray[np.floating]) -> Float32:
        """`[reading, image]` from `embeddings [image, D]`."""
        # Multiplied this way round, and then turned, because the other way is slower by a third in large batches.
        found = np.ascontiguousarray((np.asarray(embeddings, dtype=np.float32) @ self.weight.T).T)
        found += self.offset[:, None]
        return found


@dataclass(frozen=True, eq=False)
class Detector:
    """Everything fitted on the first split. All arrays float32.

    `present [concept]`: numerator above which a concept counts as present; `failure [concept]`: log odds ratio of
    failure when it is. `whitening [direction, class + concept]` and `centres [class, direction]`: for the distance of
    (logits, numerators) from those of right outputs. The second head's scores are `sharpness [1]` * logits + correction.
    `weights [2, feature]` act on the standardised features and on
    their squares; `mean`, `scale [feature]` standardise; `bias [class]` by output class.
    """

    folded: Folded
    present: Float32
    failure: Float32
    sharpness: Float32
    whitening: Float32
    centres: Float32
    mean: Float32
    scale: Float32
    weights: Float32
    bias: Float32

    def features(self, logits: Float32, readings: Float32) -> tuple[Float32, NDArray[np.intp]]:
        """`[feature, image]` in the order of FEATURES and the output class `[image]`, from `logits [class, image]`."""
        classes, concepts = self.folded.classes, self.folded.concepts
        images = logits.shape[1]
        outputs = logits.argmax(0)
        flat = outputs * images + np.arange(images)
        found = np.empty((len(FEATURES), images), dtype=np.float32)
        top = logits.ravel()[flat]
        # Order C, whatever the order of what came in: the rows of outputs are written through flat views.
        shifted = np.subtract(logits, top, order="C")
        # Without the output class: what remains of the softmax is added up by itself, not left over from a difference.
        shifted.ravel()[flat] = -np.inf
        np.negative(shifted.max(0), out=found[1])
        weights = np.exp(shifted)
        others = weights.sum(0)
        total = others + np.float32(1)
        np.negative(np.log(np.maximum(others, LEAST_PROBABILITY)), out=found[0])
        logarithm = np.log(total)
        np.add(top, logarithm, out=found[2])
        shifted.ravel()[flat] = 0
        weights *= shifted
        np.subtract(logarithm, weights.sum(0) / total, out=found[3])
        named = readings[concepts : concepts + classes].copy()
        chosen = named.ravel()[flat]
        named.ravel()[flat] = -np.inf
        np.subtract(chosen, named.max(0), out=found[4])
        second = np.multiply(logits, self.sharpness, order="C")
        second += readings[concepts + classes : concepts + 2 * classes]
        second -= second.ravel()[flat]
        second.ravel()[flat] = -np.inf
        highest = second.max(0)
        np.negative(highest + np.log(np.exp(second - highest).sum(0)), out=found[5])
        found[6] = readings[concepts + 2 * classes :].ravel()[flat]
        numerators = readings[:concepts]
        found[7] = self.failure @ (numerators > self.present[:, None]).astype(np.float32)
        gap = self.whitening[:, :classes] @ logits
        gap += self.whitening[:, classes:] @ numerators
        gap -= self.centres.T.take(outputs, axis=1)
        gap *= gap
        np.log(gap.sum(0) + LEAST_PROBABILITY, out=found[8])
        return found, outputs

    def suspicion_of_features(self, features: Float32, outputs: NDArray[np.intp]) -> Float32:
        """Log-odds that the output is wrong `[image]`, higher = suspect."""
        standard = (features - self.mean[:, None]) * self.scale[:, None]
        linear = self.weights[0] @ standard
        standard *= standard
        np.minimum(standard, LARGEST_SQUARE, out=standard)
        linear += self.weights[1] @ standard
        linear += self.bias[outputs]
        return np.asarray(linear)

    def suspicion(
        self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]
    ) -> tuple[Float32, NDArray[np.intp]]:
        """Suspicion `[image]` in nats and output class `[image]`, from `embeddings [image, D]`, `logits [image, class]`."""
        if len(embeddings) == 1:
            one, output = self._suspicion_of_one(
                np.asarray(embeddings[0], dtype=np.float32), np.asarray(logits[0], dtype=np.float32)
            )
            return np.array([one], dtype=np.float32), np.array([output])
        across = np.ascontiguousarray(np.asarray(logits, dtype=np.float32).T)
        features, outputs = self.features(across, self.folded.readings(embeddings))
        return self.suspicion_of_features(features, outputs), outputs

    def _suspicion_of_one(self, embedding: Float32, logits: Float32) -> tuple[float, int]:
        """The same for one `embedding [D]` and its `logits [class]`, in half the time: vectors and numbers, no matrices."""
        concepts, classes = self.folded.concepts, self.folded.classes
        readings = self.folded.weight.dot(embedding)
        readings += self.folded.offset
        numerators, named = readings[:concepts], readings[concepts : concepts + classes]
        second = readings[concepts + classes : concepts + 2 * classes]
        output = int(logits.argmax())
        rivals = logits - logits[output]
        rivals[output] = LOWEST
        weights = np.exp(rivals)
        others = float(np.add.reduce(weights))
        logarithm = math.log(1 + others)
        chosen = float(named[output])
        named[output] = LOWEST
        second += self.sharpness * logits
        second -= second[output]
        second[output] = LOWEST
        highest = float(np.maximum.reduce(second))
        gap = self.whitening.dot(np.concatenate((logits, numerators)))
        gap -= self.centres[output]
        features = np.array(
            (
                # In this order max() keeps a NaN.
                -math.log(max(others, float(LEAST_PROBABILITY))),
                -np.maximum.reduce(rivals),
                float(logits[output]) + logarithm,
                logarithm - float(weights.dot(rivals)) / (1 + others),
                chosen - float(np.maximum.reduce(named)),
                -highest - math.log(np.add.reduce(np.exp(second - highest))),
                readings[concepts + 2 * classes + output],
                self.failure.dot(numerators > self.present),
                math.log(float(gap.dot(gap)) + LEAST_PROBABILITY),
            ),
            dtype=np.float32,
        )
        features -= self.mean
        features *= self.scale
        linear = self.weights[0].dot(features)
        features *= features
        np.minimum(features, LARGEST_SQUARE, out=features)
        return float(linear + self.weights[1].dot(features) + self.bias[output]), output
