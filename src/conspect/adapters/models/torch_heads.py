"""Finding the head of a torch network: the last affine map, whose output is the network's but for a known ending."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from conspect.adapters.models.replay import Replay, as_two_classes, no_head, replay_of, two_columns
from conspect.core.spaces import AffineMap, Float64, Head

if TYPE_CHECKING:
    import torch
    from torch import nn

    from conspect.adapters.models.torch_watch import Outputs, WatchedNetwork

PRODUCT, NOTHING = "matrix product", "none"
NO_HEAD = (
    "tell head and encoder apart: no affine map, nor affine maps with ReLUs between them, replays its outputs, which stand for "
    "the embeddings; what is said of the lens and of concepts is said of the outputs"
)


@dataclass(frozen=True, eq=False)
class FoundHead:
    """Where the head is, what it computes with all that follows folded in, how its logits end, and who watches it.

    `key` is a layer's name, `PRODUCT` with its number, or `NOTHING`.
    """

    key: str
    head: Head
    ending: str
    watched: WatchedNetwork


def candidates(network: nn.Module) -> list[str]:
    """Every linear layer and 1 x 1 convolution as `name (D -> class)`, in the order of definition."""
    layers = [(name, _affine_map(layer)) for name, layer in network.named_modules() if _is_affine(layer)]
    return [
        f"{name} ({affine.weight.shape[1]} -> {affine.weight.shape[0]})"
        for name, affine in layers
        if affine is not None
    ]


def named_head(
    network: nn.Module, key: str, probes: torch.Tensor, outputs: Outputs, *, tolerance: float, name: str
) -> FoundHead:
    """The head in the layer called `key`. Raises UserError MODEL003 where that layer is not one or does not replay."""
    from conspect.adapters.models.torch_watch import WatchedLayer

    layer, head = head_of(network, key, name=name)
    watched = WatchedLayer(network, layer, outputs)
    given, returned = (_array(part) for part in watched(probes))
    size = head.layers[0].weight.shape[1]
    if given.shape[1] != size:
        why = f"{key!r} is fed {given.shape[1]} numbers an image, not one vector of {size}"
        raise no_head(name, why, candidates(network))
    fitted = fitting(head, given, returned, tolerance)
    if fitted is None:
        why = f"{key!r} applied to its own input does not give the model's output"
        raise no_head(name, why, candidates(network))
    return FoundHead(key, *fitted, watched)


def find_head(network: nn.Module, probes: torch.Tensor, outputs: Outputs, *, tolerance: float) -> FoundHead | None:
    """The last layer called, else the last matrix product, that is fed one vector an image and whose output is the network's
    up to scale, shift and ending; None when there is none. `probes` go through the network three times at most.
    """
    from conspect.adapters.models.torch_watch import Products, WatchedLayer, WatchedProduct, as_head, pooled

    calls: list[tuple[str, torch.Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, given, _out, key=key: calls.append((key, given[0])))
        for key, layer in network.named_modules()
        if _is_affine(layer)
    ]
    try:
        returned = _array(outputs(network(probes), len(probes)))
    finally:
        for hook in hooks:
            hook.remove()
    names = [key for key, _ in calls]
    for key, given in reversed(calls):
        layer, head = head_of(network, key, name=key)
        embeddings = _array(pooled(given) if given.ndim == 4 else given)
        if names.count(key) == 1 and embeddings.ndim == 2 and embeddings.shape[1] == head.layers[0].weight.shape[1]:
            fitted = fitting(head, embeddings, returned, tolerance)
            if fitted is not None:
                return FoundHead(key, *fitted, WatchedLayer(network, layer, outputs))
    with Products() as products:
        returned = _array(outputs(network(probes), len(probes)))
    for (place, call), turned in product(reversed(list(enumerate(products.calls))), (False, True)):
        given, weight, offset = as_head(call, turned)
        if len(given) != len(probes):
            continue
        matrix = _array(weight)
        head = Head((AffineMap(matrix, np.zeros(len(matrix)) if offset is None else _array(offset)),))
        fitted = fitting(head, _array(given), returned, tolerance)
        if fitted is not None:
            return FoundHead(f"{PRODUCT} {place + 1}", *fitted, WatchedProduct(network, place, turned, outputs))
    return None


def without_head(network: nn.Module, probes: torch.Tensor, outputs: Outputs) -> FoundHead:
    """The outputs themselves as embeddings, under a head that changes nothing."""
    from conspect.adapters.models.torch_watch import WatchedOutputs

    watched = WatchedOutputs(network, outputs)
    returned = _array(watched(probes)[1])
    watched.shares = are_shares(returned)
    watched.one = returned.shape[1] == 1
    return FoundHead(
        NOTHING, Head.identity(max(returned.shape[1], 2)), "softmax" if watched.shares else "logits", watched
    )


def are_shares(outputs: Float64) -> bool:
    """Whether outputs `[image, class]` are probabilities: rows of sum 1, or, of one output, values between 0 and 1."""
    if outputs.shape[1] == 1:
        return bool((outputs >= 0).all() and (outputs <= 1).all())
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(1), 1, atol=1e-3))


def fitting(head: Head, embeddings: Float64, outputs: Float64, tolerance: float) -> tuple[Head, str] | None:
    """The head with scale and shift folded in, and the ending, that replay `outputs`; None when none do.

    A head of one logit becomes one of two classes.
    """
    logits = head.logits(embeddings)
    replay: Replay | None = replay_of(logits, outputs, tolerance)
    if replay is None:
        return None
    folded = replay.folded(head)
    return (as_two_classes(folded), replay.ending) if outputs.shape[1] == 1 else (folded, replay.ending)


def outputs_as_two_classes(outputs: Any, ending: str) -> tuple[Any, str]:
    """Outputs `[image, 1]` and their ending as those of two classes: logits [0, z], or shares [1 - p, p]."""
    if ending == "sigmoid":
        return np.concatenate([1 - outputs, outputs], axis=1), "softmax"
    return two_columns(outputs), ending


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


def _array(tensor: torch.Tensor) -> Float64:
    return np.asarray(tensor.detach().double().cpu().numpy())


def _is_affine(layer: nn.Module) -> bool:
    from torch import nn

    if not isinstance(layer, nn.Conv2d):
        return isinstance(layer, nn.Linear)
    pointwise = set(layer.kernel_size) == set(layer.stride) == {1} and layer.groups == 1
    return bool(pointwise and layer.padding in ((0, 0), "same", "valid"))


def _affine_maps(layer: nn.Module) -> tuple[AffineMap, ...] | None:
    from torch import nn

    steps = [
        step for step in (list(layer) if isinstance(layer, nn.Sequential) else [layer]) if not _changes_nothing(step)
    ]
    relus = [isinstance(step, nn.ReLU) for step in steps]
    maps = [_affine_map(step) for step in steps if not isinstance(step, nn.ReLU)]
    alternates = relus == [bool(index % 2) for index in range(len(steps))] and len(steps) % 2 == 1
    return tuple(affine for affine in maps if affine is not None) if alternates and None not in maps else None


def _changes_nothing(layer: nn.Module) -> bool:
    from torch import nn

    return isinstance(layer, nn.Dropout | nn.Identity | nn.Flatten)


def _affine_map(layer: nn.Module) -> AffineMap | None:
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if weight is None or weight.ndim < 2 or any(side != 1 for side in weight.shape[2:]):
        return None
    matrix = weight.detach().double().cpu().numpy().reshape(weight.shape[:2])
    return AffineMap(matrix, np.zeros(len(matrix)) if bias is None else bias.detach().double().cpu().numpy())
