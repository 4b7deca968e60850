"""A network of the user's own: `package.module:function` makes it, a file may hold its weights."""

from __future__ import annotations

import importlib

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.runtimes.weights import load_weights
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import user_error


def load(request: Request) -> TorchModel:
    """Imports and calls what `name` says, which runs the user's own code.

    Raises UserError MODEL002 when that gives no network, MODEL003 without a head; OutsideError MODEL001.
    """
    need("torch", "MODEL001", "a network of your own", "torch")
    from torch import nn

    name = str(request.name)
    module, _, function = name.partition(":")
    try:
        network = getattr(importlib.import_module(module), function)()
    except Exception as error:
        problem = f"{name} does not give a network: {type(error).__name__}: {error}"
        fix = 'name = "package.module:function", importable (PYTHONPATH), called without arguments'
        raise user_error("MODEL002", problem, fix) from error
    if not isinstance(network, nn.Module):
        problem = f"{name} gives a {type(network).__name__}, not a torch.nn.Module"
        raise user_error("MODEL002", problem, "let the function return the network")
    if request.path is not None:
        load_weights(network, request.path)
    steps = request.own_preprocessing()
    if steps is None:
        raise user_error(
            "MODEL002", "a network does not say how images are prepared", "give a file with `preprocessing`"
        )
    return torch_model(
        network,
        steps,
        request.class_names(),
        name=name,
        head=request.head,
        output=request.output,
        device=request.device,
        precision=request.precision,
    )
