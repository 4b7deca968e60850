"""A small synthetic world whose answer is known: classes carry concepts, and unclear inputs are classified wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conspect.core.spaces import AffineMap, Lens
from conspect.monitor.fitting.fusion import ModelOutputs, Readout

CLASSES, CONCEPTS, DIMENSION = 4, 6, 12
CLASS_NAMES = ("truck", "car", "cat", "dog")
CONCEPT_NAMES = ("wheels", "metallic", "ears", "hairy", "tail", "wings")
_FIXED = np.random.default_rng(100)
CARRIED = np.array([[2, 2, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0.5], [0, 0, 2, 2, 1, 0], [0, 0, 1, 2, 2, 0]])
MIX = np.linalg.qr(_FIXED.normal(size=(DIMENSION, DIMENSION)))[0]
DIRECTIONS = MIX[:CONCEPTS]
_NAMED = CARRIED @ DIRECTIONS
LENS = Lens(AffineMap(np.eye(DIMENSION), np.zeros(DIMENSION)), CONCEPT_NAMES, DIRECTIONS)
READOUT = Readout.of(LENS, _NAMED / np.linalg.norm(_NAMED, axis=1, keepdims=True))
# The head overlooks the tail: what the lens reads and the head does not.
HEAD = AffineMap((CARRIED * [1, 1, 1, 1, 0.1, 1]) @ DIRECTIONS, -np.square(CARRIED).sum(1) / 2)


@dataclass(frozen=True, eq=False)
class Sample:
    inputs: ModelOutputs
    labels: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return self.inputs.outputs != self.labels


def sample(size: int, seed: int, *, noise: float = 0.8, shift: float = 0.0) -> Sample:
    generator = np.random.default_rng(seed)
    labels = generator.integers(CLASSES, size=size)
    strengths = CARRIED[labels] + noise * generator.normal(size=(size, CONCEPTS)) + shift
    rest = generator.normal(size=(size, DIMENSION - CONCEPTS))
    embeddings = (np.hstack([strengths, rest]) @ MIX).astype(np.float32)
    return Sample(ModelOutputs(embeddings, HEAD(embeddings)), labels)
