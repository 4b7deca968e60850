"""What batch norms recorded while they were trained, against what they see now: an encoder's own sign of being broken.

A batch norm keeps the mean and variance of each channel that it normalised in training. A fault before it, in weights,
channels, rounding or preprocessing, moves the means; a fault of the head does not. Read layer by layer, in the order in
which they are called, they say where it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from conspect.core.protocols import LayerDeparture

Recorded = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def layer_departures(
    network: nn.Module, batches: Iterable[Tensor], call: Callable[[Tensor], Any] | None = None
) -> tuple[LayerDeparture, ...]:
    """Of every batch norm of any module that keeps a record, in the order of their first calls; empty without one.

    `call` runs a batch through the network (default: the network itself). A layer that is called more often than once is
    judged by all its calls together.
    """
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, Recorded) and layer.running_mean is not None
    }
    sums: dict[str, tuple[Tensor, int]] = {}

    def watch(name: str) -> Any:
        def hook(_layer: nn.Module, given: tuple[Tensor, ...], _out: Tensor) -> None:
            axes = [axis for axis in range(given[0].ndim) if axis != 1]
            total, count = sums.get(name, (torch.zeros((), dtype=torch.float64), 0))
            seen = given[0].sum(axes, dtype=torch.float64).cpu()
            sums[name] = (total + seen, count + given[0].numel() // given[0].shape[1])

        return hook

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    try:
        with torch.inference_mode():
            for batch in batches if layers else ():
                (call or network)(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(LayerDeparture(name, _moved(layers[name], total / count)) for name, (total, count) in sums.items())


def _moved(layer: Any, mean: Tensor) -> float:
    """Root mean square over channels of (mean now - recorded mean) / recorded deviation."""
    recorded, variance = layer.running_mean.double().cpu(), layer.running_var.double().cpu()
    return float(((mean - recorded) ** 2 / (variance + layer.eps)).mean().sqrt())
