"""An optional tier without a VLM: the model itself looks again, at the image mirrored and moved a little.

What an image shows does not change when it is mirrored; an output, or a strength predicate, that does not survive it
was not worth much. It costs one more forward pass of the model for each further look. Run time needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64, Floats
from conspect.monitor.runtime.detector import MANY
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.parameters import Float32, FoldedReadings
from conspect.monitor.runtime.suspicion import LEAST_PROBABILITY, Arrays, V, others_of, weighed

# Pairs of concepts are looked at for so many images at once.
IMAGES_AT_ONCE = 256
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
    `looks`: how many there were in fitting; as many are needed to ask. `further`: all but the first, where they are known.
    """

    looks: int
    deviation: Float32
    mean: Float32
    scale: Float32
    weights: Float32
    bias: Float32
    further: tuple[Look, ...] = ()

    def required_looks(self) -> tuple[Look, ...]:
        """The further looks. Raises UserError MONITOR001 when the tier does not know what they were."""
        if len(self.further) != self.looks - 1:
            fix = "fit the second look with further=, or give the looks to check_looks yourself"
            raise user_error("MONITOR001", "the second look does not know which looks it was fitted with", fix)
        return self.further

    def features(self, looked: Looks, first: Floats, folded: FoldedReadings) -> tuple[Float64, NDArray[np.intp]]:
        """`[image, feature]` in the order of LOOK_FEATURES and the output class `[image]`.

        `first [image]`: the first tier's suspicion. Raises UserError MONITOR001 for another number of looks.
        """
        if looked.logits.shape[1] != self.looks:
            problem = f"{looked.logits.shape[1]} looks at each image, but it was fitted with {self.looks}"
            raise user_error("MONITOR001", problem, "give the image as it came, then the same further looks")
        return look_features(looked, first, folded, self.deviation)

    def suspicion(self, looked: Looks, first: Floats, folded: FoldedReadings) -> tuple[Float32, NDArray[np.intp]]:
        """Log-odds that the output of the first look is wrong `[image]`, higher = suspect; and that output."""
        features, outputs = self.features(looked, first, folded)
        return np.asarray(weighed(MANY, self, features.T, outputs), dtype=np.float32), outputs


def look_features(
    looked: Looks, first: Floats, folded: FoldedReadings, deviation: Floats
) -> tuple[Float64, NDArray[np.intp]]:
    """See `SecondLook.features`; `deviation [concept]` scales the movement. In float64, some images at a time."""
    values = np.empty((len(looked), len(LOOK_FEATURES)))
    outputs = np.empty(len(looked), dtype=np.intp)
    start_at = np.asarray(first, dtype=np.float64)
    for start in range(0, len(looked), IMAGES_AT_ONCE):
        rows = slice(start, start + IMAGES_AT_ONCE)
        some = looked.take(np.arange(len(looked))[rows])
        logits = [np.asarray(some.logits[:, k].T, dtype=np.float64) for k in range(some.logits.shape[1])]
        readings = [folded.readings(some.embeddings[:, k]).astype(np.float64) for k in range(len(logits))]
        components, outputs[rows] = look_components(MANY, logits, readings, start_at[rows], folded, deviation)
        values[rows] = components.T
    return values, outputs


def look_components(  # noqa: PLR0917
    arrays: Arrays[V], logits: Sequence[V], readings: Sequence[V], first: V, folded: FoldedReadings, deviation: Floats
) -> tuple[V, V]:
    """The components of LOOK_FEATURES and the first look's output, from each look's logits and readings."""
    classes, looks = folded.classes, len(logits)
    parts = [arrays.split(reading, (folded.concepts, classes, 2 * classes)) for reading in readings]
    numerators, named = [part[0] for part in parts], [part[1] for part in parts]
    outputs = arrays.largest_place(logits[0])
    odds = [_log_odds(arrays, logit, outputs) for logit in logits]
    mean = _sum(odds) / np.float32(looks)
    agreeing = _sum([arrays.same_place(arrays.largest_place(logit), outputs) for logit in logits])
    leads = _sum([-arrays.largest(others_of(arrays, evidence, outputs)) for evidence in named])
    gaps = arrays.gaps(numerators[0])
    weight, nothing = arrays.absolute(gaps), arrays.vector(np.zeros(folded.concepts**2, dtype=np.float32))
    # A predicate i > j survives a look where its gap keeps its sign.
    kept = [arrays.sum(arrays.above(arrays.gaps(numerator) * gaps, nothing) * weight) for numerator in numerators[1:]]
    further = max(looks - 1, 1)
    total = arrays.at_least(arrays.sum(weight) * np.float32(further), LEAST_PROBABILITY)
    scale = arrays.vector(np.asarray(1 / np.where(deviation > 0, deviation, 1), dtype=np.float32))
    moved = [(numerator - numerators[0]) * scale for numerator in numerators[1:]]
    nowhere = numerators[0] - numerators[0]
    return arrays.stack(
        (
            mean,
            first,
            leads / np.float32(looks),
            agreeing / np.float32(looks),
            arrays.root(_sum([(each - mean) * (each - mean) for each in odds]) / np.float32(looks)),
            (_sum(kept) if kept else arrays.sum(nowhere)) / total,
            arrays.root(
                arrays.sum(_sum([difference * difference for difference in moved] or [nowhere]))
                / np.float32(further * folded.concepts)
            ),
        )
    ), outputs


def _log_odds(arrays: Arrays[V], logits: V, outputs: V) -> V:
    """Of class `outputs` under the softmax, nats; neither it nor what is left of it counts as less than a floor."""
    shifted = logits - arrays.largest(logits)
    own = arrays.exp(arrays.chosen(shifted, outputs))
    rest = arrays.sum(arrays.exp(arrays.without(shifted, outputs)))
    return arrays.log(arrays.at_least(own, LEAST_PROBABILITY)) - arrays.log(arrays.at_least(rest, LEAST_PROBABILITY))  # type: ignore[no-any-return]


def _sum(values: Sequence[V]) -> V:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
