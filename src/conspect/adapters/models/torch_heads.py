"""Finding the head of a torch network: the last linear layer, whose output is the network's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conspect.adapters.models.replay import ending_of, no_head
from conspect.core.spaces import AffineMap, Head

if TYPE_CHECKING:
    import torch
    from torch import nn


def outputs_of(found: Any) -> torch.Tensor:
    """The logits in whatever a network returns: a tensor, something with `.logits`, a dictionary or a sequence."""
    import torch

    if hasattr(found, "logits"):
        found = found.logits
    elif isinstance(found, dict):
        found = next((found[name] for name in ("logits", "out", "output") if name in found), next(iter(found.values())))
    elif isinstance(found, tuple | list):
        found = found[0]
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        kind = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
        raise no_head("the model", f"it returns {kind}, not logits [image, class]", [])
    return found


class Watched:
    """A network of which every call tells what went into one of its layers."""

    def __init__(self, network: nn.Module, layer: nn.Module) -> None:
        self.network = network
        self._seen: list[torch.Tensor] = []
        layer.register_forward_pre_hook(lambda _layer, inputs: self._seen.append(inputs[0]))

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings `[image, D]` and outputs `[image, class]` of images as the network takes them."""
        self._seen.clear()
        outputs = outputs_of(self.network(images))
        if len(self._seen) != 1:
            raise no_head("the model", f"the named layer is called {len(self._seen)} times for one batch", [])
        embeddings = self._seen.pop()
        return embeddings.reshape(len(images), -1), outputs


def candidates(network: nn.Module) -> list[str]:
    """Every linear layer as `name (D -> class)`, in the order of definition."""
    from torch import nn

    found = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    return [f"{name} ({layer.in_features} -> {layer.out_features})" for name, layer in found]


def find_head(network: nn.Module, images: torch.Tensor, *, tolerance: float, name: str) -> str:
    """The name of the last linear layer called that is fed one vector an image and whose output is the network's.

    `images` go through the network once. Raises UserError MODEL003, with all linear layers, when there is none.
    """
    from torch import nn

    calls: list[tuple[str, torch.Tensor, torch.Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, given, out, key=key: calls.append((key, given[0], out)))
        for key, layer in network.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        outputs = outputs_of(network(images)).float().cpu().numpy()
    finally:
        for hook in hooks:
            hook.remove()
    names = [key for key, _, _ in calls]
    for key, given, out in reversed(calls):
        fits = given.ndim == 2 and out.shape == outputs.shape and names.count(key) == 1
        if fits and ending_of(out.double().cpu().numpy(), outputs, tolerance) is not None:
            return key
    why = "no linear layer's output is the model's output, not even after softmax, log-softmax or sigmoid"
    raise no_head(name, why, candidates(network))


def head_of(network: nn.Module, key: str, *, name: str) -> tuple[nn.Module, Head]:
    """The layer called `key` and what it computes: anything with a weight [class, D] and perhaps a bias, a 1 x 1
    convolution, or a chain of such layers with ReLUs between them.

    Raises UserError MODEL003 for another kind of layer.
    """
    try:
        layer = network.get_submodule(key)
    except AttributeError as error:
        raise no_head(name, f"it has no layer called {key!r}", candidates(network)) from error
    layers = _affine_maps(layer)
    if layers is None:
        why = f"{key!r} is a {type(layer).__name__}, which is not a linear layer, nor linear layers with ReLUs between them"
        raise no_head(name, why, candidates(network))
    return layer, Head(layers)


def _affine_maps(layer: nn.Module) -> tuple[AffineMap, ...] | None:
    from torch import nn

    steps = [one for one in (list(layer) if isinstance(layer, nn.Sequential) else [layer]) if not _changes_nothing(one)]
    relus = [isinstance(one, nn.ReLU) for one in steps]
    maps = [_affine_map(one) for one in steps if not isinstance(one, nn.ReLU)]
    alternates = relus == [bool(index % 2) for index in range(len(steps))] and len(steps) % 2 == 1
    return tuple(one for one in maps if one is not None) if alternates and None not in maps else None


def _changes_nothing(layer: nn.Module) -> bool:
    from torch import nn

    return isinstance(layer, nn.Dropout | nn.Identity | nn.Flatten)


def _affine_map(layer: nn.Module) -> AffineMap | None:
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if weight is None or weight.ndim < 2 or any(side != 1 for side in weight.shape[2:]):
        return None
    matrix = weight.detach().double().cpu().numpy().reshape(weight.shape[:2])
    return AffineMap(matrix, np.zeros(len(matrix)) if bias is None else bias.detach().double().cpu().numpy())
