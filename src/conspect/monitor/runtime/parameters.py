"""What is fitted of the detector: arrays alone, which its formula reads. Imports NumPy and nothing else outside Conspect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_arrays

Float32: TypeAlias = NDArray[np.float32]


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
class DetectorParameters:
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
