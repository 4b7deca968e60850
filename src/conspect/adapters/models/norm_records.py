"""What batch norms recorded while they were trained, against what they see now: an encoder's own sign of being broken.

A batch norm keeps the mean and variance of each channel that it normalised in training. A fault before it, in weights,
channels, rounding or preprocessing, moves the means; a fault of the head does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def departure(encoder: nn.Module, batches: Iterable[Tensor]) -> float | None:
    """The largest, over batch norms, root mean square over channels of (mean now - recorded mean) / recorded deviation.

    0: nothing has moved; a sound network on its own training images stays near 0. None: no layer keeps a record, or no
    image was given.
    """
    layers = [
        layer
        for layer in encoder.modules()
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.running_mean is not None
    ]
    sums = [torch.zeros(layer.num_features, dtype=torch.float64) for layer in layers]
    counts = [0] * len(layers)

    def watch(place: int) -> Any:
        def hook(_layer: nn.Module, given: tuple[Tensor, ...], _out: Tensor) -> None:
            axes = [axis for axis in range(given[0].ndim) if axis != 1]
            sums[place] += given[0].sum(axes, dtype=torch.float64)
            counts[place] += given[0].numel() // given[0].shape[1]

        return hook

    hooks = [layer.register_forward_hook(watch(place)) for place, layer in enumerate(layers)]
    try:
        with torch.inference_mode():
            for batch in batches if layers else ():
                encoder(batch)
    finally:
        for hook in hooks:
            hook.remove()
    moved = [_moved(layer, total / count) for layer, total, count in zip(layers, sums, counts, strict=True) if count]
    return max(moved) if moved else None


def _moved(layer: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor) -> float:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    return float(((mean - layer.running_mean) ** 2 / (layer.running_var + layer.eps)).mean().sqrt())
