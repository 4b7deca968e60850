"""In which form a torch network takes images, read from its first layer and its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from conspect.adapters.runtimes.input_form import InputForm


def form_of(network: nn.Module) -> InputForm:
    """From the first convolution or linear layer, and the type of the weights; a network may say it itself, as `form`."""
    said = getattr(network, "form", None)
    if isinstance(said, InputForm):
        return said
    floating = (one.dtype for one in network.parameters() if one.dtype.is_floating_point)
    kind = str(next(floating, torch.float32)).removeprefix("torch.")
    layers = (one for one in network.modules() if isinstance(one, nn.Conv2d | nn.Linear))
    first = next(layers, None)
    if first is None:
        return InputForm(f"its weights are {kind}", type=kind)
    if isinstance(first, nn.Conv2d):
        told = f"its first convolution takes {first.in_channels} channels, its weights are {kind}"
        return InputForm(told, grey=first.in_channels == 1, type=kind)
    return InputForm(
        f"its first linear layer takes {first.in_features:,} numbers an image, its weights are {kind}", type=kind
    )


def protect_input(network: nn.Module, probes: torch.Tensor) -> None:
    """Gives a network that writes into its input (`x.sub_(mean)`) copies from now on: what a caller holds stays as it is.

    `probes` are spoilt where it does.
    """
    before = probes.clone()
    network(probes)
    if not torch.equal(before, probes):
        network.register_forward_pre_hook(lambda _network, given: tuple(_copied(one) for one in given))


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value
