"""The fused detector: from a ready embedding and its logits to a suspicion. Imports NumPy and nothing else outside Conspect.

Everything the detector reads off an embedding is an affine map of it (strength numerators of concepts and of class
names, a second head, the concept evidence for each output class), so all are folded into one matrix. A decision is one
small matrix product, a dozen features, and one weighted sum. No VLM, no norm, no SciPy. Arithmetic is float32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime import suspicion as formula
from conspect.monitor.runtime.numpy_arrays import ManyImages, OneImage
from conspect.monitor.runtime.parameters import DetectorParameters, Float32
from conspect.monitor.runtime.suspicion import Arrays, V

MANY, ONE = ManyImages(), OneImage()


class Detector(DetectorParameters):
    """The detector in use: the formula of `suspicion` over what was fitted."""

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
