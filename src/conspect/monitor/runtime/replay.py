"""What a network returns, told from what its last linear layer makes: the logits that its monitor was fitted on.

Imports NumPy and nothing else outside Conspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from conspect.core.vectors import log_softmax
from conspect.monitor.runtime.parameters import Float32

# What the head makes of the embedding again may differ from what is returned by this, relative to the largest logit.
TOLERANCE = 1e-3
# The same of a network that computes in sixteen bits, of which a further operation loses more.
COARSE = 2e-2
# Shares below this one say too little of their logits.
LEAST_SHARE = 1e-4


class Ending(Enum):
    """What stands between logits and what is returned."""

    NONE = "none"
    LOG_SOFTMAX = "log_softmax"
    SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True)
class Replay:
    """The layer's output times `scale` (one over a temperature) is the logits; after `ending` it is what is returned."""

    ending: Ending
    scale: float

    def logits(self, made: Float32, returned: Float32) -> Float32:
        """Logits `[image, class]` of what the layer `made` and the network `returned`."""
        return returned if self.ending is Ending.NONE else np.asarray(self.scale * made, dtype=np.float32)


# The layer's output is what is returned.
SAME = Replay(Ending.NONE, 1.0)


def replay_of(made: Float32, returned: Float32, *, tolerance: float = TOLERANCE) -> Replay | None:
    """How `returned [image, class]` comes of `made [image, class]`, in least squares; None where it does not."""
    if made.shape != returned.shape or made.ndim != 2:
        return None
    # Of finite values alone: with an infinite limit anything would be close to anything.
    limit = tolerance * max(float(np.abs(returned[np.isfinite(returned)]).max(initial=0.0)), 1.0)
    if np.allclose(made, returned, rtol=0, atol=limit, equal_nan=True):
        return SAME
    if not (np.isfinite(made).all() and np.isfinite(returned).all()):
        return None
    scale = _scale(made, returned)
    if scale > 0 and np.allclose(scale * made, returned, rtol=0, atol=limit):
        return Replay(Ending.NONE, scale)
    shares = returned.min(initial=0.0) >= 0
    ending = Ending.SOFTMAX if shares else Ending.LOG_SOFTMAX
    counted = returned > LEAST_SHARE if shares else np.ones(returned.shape, dtype=bool)
    logs = np.log(np.maximum(returned, LEAST_SHARE)) if shares else returned
    scale = _scale(_centred(made, counted), _centred(logs, counted))
    again = log_softmax(scale * made)
    fits = np.allclose(np.exp(again) if shares else again, returned, rtol=0, atol=limit)
    # A scale near 1 that is rounding alone would move every logit a little.
    return Replay(ending, 1.0 if abs(scale - 1) < tolerance else scale) if scale > 0 and fits else None


def _scale(made: NDArray[np.floating], returned: NDArray[np.floating]) -> float:
    """The factor that brings `made` closest to `returned`, in least squares; 0 where there is none."""
    square = float((made.astype(np.float64) ** 2).sum())
    return float((made.astype(np.float64) * returned).sum()) / square if square > 0 else 0.0


def _centred(values: NDArray[np.floating], counted: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Each row's counted values around their mean, 0 elsewhere: a softmax does not change with a shift of its row."""
    means = (values * counted).sum(1, keepdims=True) / np.maximum(counted.sum(1, keepdims=True), 1)
    return np.asarray(np.where(counted, values - means, 0.0))
