"""The run-time half: from a ready embedding and its logits to a verdict. Imports NumPy and nothing else outside Conspect.

Everything the detector reads off an embedding is an affine map of it (strength numerators of concepts and of class
names, a second head, the concept evidence for each output class), so all are folded into one matrix. A decision is one
small matrix product, a dozen features, and one weighted sum. No VLM, no norm, no SciPy. Arithmetic is float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error

if TYPE_CHECKING:
    from conspect.monitor.second_look import SecondLook
    from conspect.monitor.stream import Stream

Float32: TypeAlias = NDArray[np.float32]
VerdictName: TypeAlias = Literal["accept", "uncertain", "suspect"]
VERDICTS: tuple[VerdictName, ...] = ("accept", "uncertain", "suspect")
ACCEPT, UNCERTAIN, SUSPECT = range(3)
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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Accept at or below `accept`, suspect above `suspect`, uncertain between. `accept` <= `suspect`."""

    accept: float
    suspect: float

    def __post_init__(self) -> None:
        if not self.accept <= self.suspect:
            problem = f"the accept threshold {self.accept} lies above the suspect threshold {self.suspect}"
            raise user_error("MONITOR005", problem, "an input cannot be both; lower the accept threshold")

    def verdicts(self, suspicion: Float32) -> NDArray[np.int8]:
        """Into VERDICTS `[image]`. Written so that a NaN, which satisfies no comparison, ends as suspect."""
        return np.asarray(np.int8(SUSPECT) - (suspicion <= self.suspect) - (suspicion <= self.accept))


@dataclass(frozen=True, eq=False)
class Decisions:
    """`outputs [image]`: class index; `suspicion [image]`: nats, higher = suspect; `verdicts [image]`: into VERDICTS."""

    outputs: NDArray[np.intp]
    suspicion: Float32
    verdicts: NDArray[np.int8]

    def names(self) -> list[VerdictName]:
        """The verdicts as words."""
        return [VERDICTS[verdict] for verdict in self.verdicts.tolist()]


@dataclass(frozen=True, slots=True)
class Reason:
    """`stronger > weaker` was seen, in the given shares (0..1) of right and of wrong outputs of the class."""

    output: str
    stronger: str
    weaker: str
    among_right: float
    among_wrong: float

    def __str__(self) -> str:
        return (
            f"{self.stronger} is stronger than {self.weaker}: so in {self.among_right:.0%} of the inputs rightly called "
            f"{self.output} and in {self.among_wrong:.0%} of those wrongly called so"
        )


@dataclass(frozen=True, eq=False)
class Monitor:
    """A detector with its thresholds and what it needs to give reasons and to watch for drift.

    `right_shares`, `wrong_shares` `[class, concept * concept]`: shrunken shares of i > j among right and wrong outputs.
    `reference [calibration image, concept + 1]`: strength numerators and, last, the suspicion. `second_look` and its
    thresholds: an optional tier for several looks at each image.
    """

    detector: Detector
    thresholds: Thresholds
    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    right_shares: Float32
    wrong_shares: Float32
    reference: Float32
    second_look: SecondLook | None = None
    second_thresholds: Thresholds | None = None

    def check(self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]) -> Decisions:
        """Verdicts for `embeddings [image, D]` and their `logits [image, class]`; an input with NaN is suspect.

        Raises UserError MONITOR001 for arrays of another shape.
        """
        folded = self.detector.folded
        if (
            embeddings.ndim != 2
            or embeddings.shape[1] != folded.weight.shape[1]
            or logits.shape != (len(embeddings), folded.classes)
        ):
            problem = f"embeddings {embeddings.shape} and logits {logits.shape}"
            fix = f"embeddings are [image, {folded.weight.shape[1]}], logits [image, {folded.classes}]"
            raise user_error("MONITOR001", problem, fix)
        suspicion, outputs = self.detector.suspicion(embeddings, logits)
        return Decisions(outputs, suspicion, self.thresholds.verdicts(suspicion))

    def check_looks(self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]) -> Decisions:
        """Verdicts from several looks: `embeddings [image, look, D]`, `logits [image, look, class]`; look 0 is the image itself.

        Raises UserError MONITOR001 for arrays of another shape, or when the monitor was fitted without a second look.
        """
        from conspect.monitor.second_look import Looked

        if self.second_look is None or self.second_thresholds is None:
            fix = "fit the monitor with the looks of the fit split"
            raise user_error("MONITOR001", "the monitor has no second look", fix)
        looked = Looked(embeddings, logits)
        first = self.check(looked.embeddings[:, 0], looked.logits[:, 0]).suspicion
        suspicion, outputs = self.second_look.suspicion(looked, first, self.detector.folded)
        return Decisions(outputs, suspicion, self.second_thresholds.verdicts(suspicion))

    def numerators(self, embeddings: NDArray[np.floating]) -> Float32:
        """Strength numerators `[concept, image]` of `embeddings [image, D]`."""
        return self.detector.folded.readings(embeddings)[: self.detector.folded.concepts]

    def reasons(self, embedding: NDArray[np.floating], output: int, *, limit: int = 3) -> list[Reason]:
        """The concept pairs seen in one `embedding [D]` that speak most against its output, strongest first.

        A pair speaks against the output by p log(p / r), with p its share among wrong and r among right outputs of that
        class: a pair that hardly ever occurs is no reason. Pairs that speak for it are left out. Each concept is named at
        most once on each side.
        """
        concepts = self.detector.folded.concepts
        numerators = self.numerators(np.asarray(embedding)[None])[:, 0]
        right = self.right_shares[output].reshape(concepts, concepts)
        wrong = self.wrong_shares[output].reshape(concepts, concepts)
        against = np.where(numerators[:, None] > numerators[None, :], wrong * (np.log(wrong) - np.log(right)), -np.inf)
        found: list[Reason] = []
        used: tuple[set[int], set[int]] = set(), set()
        for flat in np.argsort(-against, axis=None, kind="stable"):
            i, j = divmod(int(flat), concepts)
            if len(found) == limit or not against[i, j] > 0:
                break
            if i not in used[0] and j not in used[1]:
                used[0].add(i)
                used[1].add(j)
                names = self.class_names[output], self.concept_names[i], self.concept_names[j]
                found.append(Reason(*names, float(right[i, j]), float(wrong[i, j])))
        return found

    def stream(self, *, mean_time_to_false_alarm: int = 1_000_000, window: int = 200) -> Stream:
        """A new state for one stream of decisions; see `conspect.monitor.stream`."""
        from conspect.monitor.stream import Stream

        return Stream(
            self.class_names,
            self.concept_names,
            self.reference,
            mean_time_to_false_alarm=mean_time_to_false_alarm,
            window=window,
        )

    def save(self, folder: Path, *, guarantee: dict[str, Any] | None = None) -> None:
        """Writes `monitor.safetensors` and `monitor.json` into `folder`. Raises OutsideError MONITOR004."""
        from conspect.monitor.storage import save

        save(self, folder, guarantee=guarantee)

    @classmethod
    def load(cls, folder: Path) -> Monitor:
        """Reads what `save` wrote. Raises OutsideError MONITOR004 for anything missing, damaged or of another version."""
        from conspect.monitor.storage import load

        return load(folder)
