"""How far what a batch norm sees is from what it recorded, whatever library runs the network."""

from __future__ import annotations

import numpy as np

from conspect.core.protocols import LayerDeparture
from conspect.core.spaces import Float64


def departure(name: str, moved: Float64, variance: Float64, recorded: Float64, epsilon: float) -> LayerDeparture:
    """From `[channel]`: how far means moved, the variance now, and the recorded one with the layer's `epsilon` added."""
    ratio = (np.maximum(variance, 0.0) + epsilon) / recorded
    return LayerDeparture(
        name,
        moved=float(np.sqrt(np.mean(np.square(moved) / recorded))),
        spread=float(np.sqrt(np.mean(np.square(np.log(ratio) / 2)))),
    )
