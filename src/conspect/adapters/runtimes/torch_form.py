"""In which form a torch network takes images, read from its first layer and its weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from conspect.adapters.runtimes.input_form import InputForm, Readings
from conspect.core.diagnostics import user_error


def readings_of_network(network: nn.Module) -> Readings:
    """From the first convolution or linear layer, and the type of the weights; a network may say it itself, as `readings`.

    Where a network for colour or grey does not take the channels first, as is torch's custom, they are tried last.
    """
    readings = getattr(network, "readings", None)
    if isinstance(readings, tuple | list) and all(isinstance(form, InputForm) for group in readings for form in group):
        return readings
    floating = (parameter.dtype for parameter in network.parameters() if parameter.dtype.is_floating_point)
    kind = str(next(floating, torch.float32)).removeprefix("torch.")
    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    first = next(layers, None)
    if first is None:
        form = InputForm(f"its weights are {kind}", type=kind)
    elif isinstance(first, nn.Conv2d):
        evidence = f"its first convolution takes {first.in_channels} channels, its weights are {kind}"
        form = InputForm(evidence, grey=first.in_channels == 1, type=kind)
    else:
        evidence = f"its first linear layer takes {first.in_features:,} numbers an image, its weights are {kind}"
        form = InputForm(evidence, type=kind)
    of_images = isinstance(first, nn.Conv2d) and first.in_channels in (1, 3)
    return ((form,), (replace(form, channels_last=True),)) if of_images else ((form,),)


def in_evaluation(network: nn.Module, name: str) -> nn.Module:
    """The network in evaluation mode. A module of `torch.export` has one mode alone.

    Raises UserError MODEL002 for weights without values.
    """
    for part, value in [*network.named_parameters(), *network.named_buffers()]:
        if value.is_meta:
            problem = f"{name}: {part} has no values: it is on the device meta"
            raise user_error(
                "MODEL002", problem, "make the network on the CPU, and load its weights before it is returned"
            )
    try:
        return network.eval()
    except NotImplementedError:
        return network


@contextmanager
def confirm_nothing_random(name: str) -> Iterator[None]:
    """Raises UserError MODEL002 where random numbers were drawn in the block, from torch, NumPy or Python: dropout
    or noise that is left on may well give probes the same values twice.
    """
    before = _random_states()
    yield
    if _random_states() != before:
        problem = (
            f"{name} is not a function of one image: it draws random numbers, which may give other values each time"
        )
        fix = (
            "turn off dropout, stochastic depth, noise and whatever else is random at inference, also where it is called "
            "as a function (functional.dropout(x, training=self.training))"
        )
        raise user_error("MODEL002", problem, fix)


def _random_states() -> tuple[object, ...]:
    drawn = np.random.get_state(legacy=False)
    assert isinstance(drawn, dict)
    state = drawn["state"]
    cuda = (
        [generator.numpy().tobytes() for generator in torch.cuda.get_rng_state_all()]
        if torch.cuda.is_available()
        else []
    )
    return torch.get_rng_state().numpy().tobytes(), cuda, state["key"].tobytes(), state["pos"], random.getstate()


def protect_input(network: nn.Module, probes: torch.Tensor) -> None:
    """Gives a network that writes into its input (`x.sub_(mean)`) copies from now on: what a caller holds stays as it is.

    `probes` are spoilt where it does.
    """
    before = probes.clone()
    network(probes)
    if not torch.equal(before, probes):
        network.register_forward_pre_hook(lambda _network, given: tuple(_copied(argument) for argument in given))


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value
