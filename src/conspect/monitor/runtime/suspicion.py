"""The suspicion of an output: one formula, for NumPy, torch and ONNX alike.

It is written over a handful of operations, `Arrays`. Where the axis of images lies, what is kept in memory and whether
there is a gradient is an implementation's business; a test holds the values of all of them against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime.parameters import DetectorParameters

# For the output class o of an input:
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


class Value(Protocol):
    """What an implementation computes with: one or more components for each image."""

    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...


V = TypeVar("V", bound=Value)


class Arrays(Protocol[V]):
    """The operations. "Components" are classes, concepts or features; every value has them, or one number, per image."""

    def vector(self, values: NDArray[np.float32]) -> V:
        """The same components for every image."""

    def linear(self, x: V, weight: NDArray[np.float32]) -> V:
        """Component k is the sum over j of weight [k, j] times x's component j."""

    def split(self, x: V, sizes: Sequence[int]) -> Sequence[V]:
        """The first components, the next, and so on."""

    def stack(self, numbers: Sequence[V]) -> V:
        """One component for each of `numbers`."""

    def largest_place(self, x: V) -> V:
        """Index of the largest component, the first of equals."""

    def chosen(self, x: V, place: V) -> V:
        """The component at `place`, one number."""

    def without(self, x: V, place: V) -> V:
        """x with `LOWEST` at `place`. May change x, which the formula has made for this."""

    def rows(self, table: NDArray[np.float32], place: V) -> V:
        """Row `place` of `table [class, component]`; of `table [class]` one number."""

    def sum(self, x: V) -> V:
        """Over the components."""

    def largest(self, x: V) -> V:
        """Over the components."""

    def exp(self, x: V) -> V:
        """Of each component."""

    def log(self, x: V) -> V:
        """Of each component."""

    def at_least(self, x: V, least: np.float32) -> V:
        """Never below `least`; a NaN stays."""

    def at_most(self, x: V, most: np.float32) -> V:
        """Never above `most`; a NaN stays."""

    def above(self, x: V, threshold: V) -> V:
        """1 where x is larger, else 0."""

    def same_place(self, first: V, second: V) -> V:
        """1 where the two indices are equal, else 0."""

    def gaps(self, x: V) -> V:
        """Component i minus component j, for all pairs (i, j)."""

    def absolute(self, x: V) -> V:
        """Of each component."""

    def root(self, x: V) -> V:
        """Of each component, 0 or more."""


def suspicion(arrays: Arrays[V], detector: DetectorParameters, embeddings: V, logits: V) -> tuple[V, V]:
    """Log-odds that the output is wrong, nats, higher = suspect; and the output, the class with the largest logit."""
    outputs = arrays.largest_place(logits)
    folded = detector.folded
    readings = arrays.linear(embeddings, folded.weight) + arrays.vector(folded.offset)
    return weighed(arrays, detector, features(arrays, detector, logits, readings, outputs), outputs), outputs


def features(arrays: Arrays[V], detector: DetectorParameters, logits: V, readings: V, outputs: V) -> V:
    """The components of FEATURES, from the logits and what is read off the embedding."""
    folded, classes = detector.folded, detector.folded.classes
    numerators, named, correction, evidence = arrays.split(readings, (folded.concepts, classes, classes, classes))
    top = arrays.chosen(logits, outputs)
    others = others_of(arrays, logits, outputs)
    # What remains of the softmax beside the output is added up by itself, not left over from a difference: where the
    # model is sure, 1 - p would be rounding alone.
    weights = arrays.exp(others)
    beside = arrays.sum(weights)
    total = beside + np.float32(1)
    logarithm = arrays.log(total)
    second = others_of(arrays, logits * detector.sharpness[0] + correction, outputs)
    highest = arrays.largest(second)
    gap = (
        arrays.linear(logits, detector.whitening[:, :classes])
        + arrays.linear(numerators, detector.whitening[:, classes:])
        - arrays.rows(detector.centres, outputs)
    )
    present = arrays.above(numerators, arrays.vector(detector.present))
    return arrays.stack(
        (
            -arrays.log(arrays.at_least(beside, LEAST_PROBABILITY)),
            -arrays.largest(others),
            top + logarithm,
            logarithm - arrays.sum(weights * others) / total,
            -arrays.largest(others_of(arrays, named, outputs)),
            -(highest + arrays.log(arrays.sum(arrays.exp(second - highest)))),
            arrays.chosen(evidence, outputs),
            arrays.sum(present * arrays.vector(detector.failure)),
            arrays.log(arrays.sum(gap * gap) + LEAST_PROBABILITY),
        )
    )


class Weights(Protocol):
    """What features are weighed with: `mean`, `scale [feature]`, `weights [2, feature]`, `bias [class]`."""

    @property
    def mean(self) -> NDArray[np.float32]:
        """Taken off each feature."""

    @property
    def scale(self) -> NDArray[np.float32]:
        """What is left is multiplied by this."""

    @property
    def weights(self) -> NDArray[np.float32]:
        """Of the standardised features, and of their squares."""

    @property
    def bias(self) -> NDArray[np.float32]:
        """By output class."""


def weighed(arrays: Arrays[V], by: Weights, quantities: V, outputs: V) -> V:
    """The weighted sum of standardised features, their squares, and a bias by output class."""
    standard = (quantities - arrays.vector(by.mean)) * arrays.vector(by.scale)
    squares = arrays.at_most(standard * standard, LARGEST_SQUARE)
    terms = standard * arrays.vector(by.weights[0]) + squares * arrays.vector(by.weights[1])
    return arrays.sum(terms) + arrays.rows(by.bias, outputs)  # type: ignore[no-any-return]


def others_of(arrays: Arrays[V], scores: V, outputs: V) -> V:
    """How far the scores of all classes but the output's lie above the output's own."""
    return arrays.without(scores - arrays.chosen(scores, outputs), outputs)
