"""The fused detector: from a ready embedding and its logits to a suspicion. Imports NumPy and nothing else outside Conspect.

Everything the detector reads off an embedding is an affine map of it (strength numerators of concepts and of class
names, a second head, the concept evidence for each output class), so all are folded into one matrix. A decision is one
small matrix product, a dozen features, and one weighted sum. No VLM, no norm, no SciPy. Arithmetic is float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_arrays
from conspect.monitor.runtime import suspicion as formula
from conspect.monitor.runtime.numpy_arrays import ManyImages, OneImage
from conspect.monitor.runtime.suspicion import Arrays, V

Float32: TypeAlias = NDArray[np.float32]
MANY, ONE = ManyImages(), OneImage()


@dataclass(frozen=True, eq=False)
class FoldedReadings:
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
        values = np.ascontiguousarray((np.asarray(embeddings, dtype=np.float32) @ self.weight.T).T)
        values += self.offset[:, None]
        return values


@dataclass(frozen=True, eq=False)
class Detector:
    """Everything fitted on the first split. All arrays float32.

    `present [concept]`: numerator above which a concept counts as present; `failure [concept]`: log odds ratio of
    failure when it is. `whitening [direction, class + concept]` and `centres [class, direction]`: for the distance of
    (logits, numerators) from those of right outputs. The second head's scores are `sharpness [1]` * logits + correction.
    `weights [2, feature]` act on the standardised features and on
    their squares; `mean`, `scale [feature]` standardise; `bias [class]` by output class.
    """

    folded: FoldedReadings
    present: Float32
    failure: Float32
    sharpness: Float32
    whitening: Float32
    centres: Float32
    mean: Float32
    scale: Float32
    weights: Float32
    bias: Float32

    @property
    def digest(self) -> str:
        """SHA-256 of all arrays."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "folded"}
        return digest_arrays({"weight": self.folded.weight, "offset": self.folded.offset, **own})

    def features(self, logits: Float32, readings: Float32) -> tuple[Float32, NDArray[np.intp]]:
        """`[feature, image]` in the order of FEATURES and the output class `[image]`, from `logits [class, image]`."""
        outputs = MANY.largest_place(logits)
        return formula.features(MANY, self, logits, readings, outputs), outputs

    def suspicion_of_features(self, features: Float32, outputs: NDArray[np.intp]) -> Float32:
        """Log-odds that the output is wrong `[image]`, higher = suspect, from `features [feature, image]`."""
        return np.asarray(formula.weighed(MANY, self, features, outputs))

    def suspicion(
        self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]
    ) -> tuple[Float32, NDArray[np.intp]]:
        """Suspicion `[image]` in nats and output class `[image]`, from `embeddings [image, D]`, `logits [image, class]`."""
        if len(embeddings) == 1:
            embedding, scores = (np.asarray(array[0], dtype=np.float32) for array in (embeddings, logits))
            number, output = formula.suspicion(ONE, self, embedding, scores)
            return np.array([number], dtype=np.float32), np.array([output])
        across = np.ascontiguousarray(np.asarray(logits, dtype=np.float32).T)
        features, outputs = self.features(across, self.folded.readings(embeddings))
        return self.suspicion_of_features(features, outputs), outputs

    def suspicion_with(self, arrays: Arrays[V], embeddings: V, logits: V) -> tuple[V, V]:
        """The same in another library: suspicion and output class."""
        return formula.suspicion(arrays, self, embeddings, logits)
