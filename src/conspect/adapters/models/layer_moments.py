"""Mean and deviation of what every layer of a torch module gives, channel by channel, in the order of the layers' first calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from conspect.core.protocols import LayerMoments


def module_moments(
    network: nn.Module, batches: Iterable[Tensor], call: Callable[[Tensor], Any] | None = None
) -> tuple[LayerMoments, ...]:
    """Of every layer without layers inside that gives a tensor; `call` runs a batch through the network.

    Channels are the second axis of pictures and vectors, the last of tokens `[image, token, channel]`.
    """
    leaves = {name: layer for name, layer in network.named_modules() if next(layer.children(), None) is None}
    sums: dict[str, tuple[Tensor, Tensor, int]] = {}

    def watch(name: str) -> Any:
        def hook(_layer: nn.Module, _given: object, out: object) -> None:
            if not isinstance(out, Tensor) or out.ndim < 2 or not out.is_floating_point():
                return
            channel = out.ndim - 1 if out.ndim == 3 else 1
            axes = [axis for axis in range(out.ndim) if axis != channel]
            values = out.detach().double().cpu()
            total, squares, count = sums.get(name, (torch.zeros(()).double(), torch.zeros(()).double(), 0))
            number = values.numel() // values.shape[channel]
            sums[name] = (total + values.sum(axes), squares + values.square().sum(axes), count + number)

        return hook

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in leaves.items()]
    try:
        with torch.inference_mode():
            for batch in batches:
                (call or network)(batch)
    finally:
        for hook in hooks:
            hook.remove()
    moments = []
    for name, (total, squares, count) in sums.items():
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        moments.append(LayerMoments(name, mean.numpy(), deviation.numpy()))
    return tuple(moments)
