"""What decides what a torch network computes, hashed: weights, buffers, attributes and the source of its classes.

A state dict leaves out non-persistent buffers, plain attributes and `forward` itself, so that two networks with one state
dict may be two functions. What none of this shows (a number read from a file when the module is imported) the embeddings
of probe images show (`probes.sketch`).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from conspect.core.digests import digest_arrays, digest_bytes, digest_file, digest_json

if TYPE_CHECKING:
    import torch
    from torch import nn

# What every module has, and what `tensors_digest` covers.
OWN = {"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"}
DEPTH = 4


def network_digest(network: nn.Module) -> str:
    """SHA-256 over tensors, structure, attributes and source. Equal for a network made again from the same files."""
    return digest_json([tensors_digest(network), str(network), _attributes(network), _sources(network)])


def tensors_digest(network: nn.Module) -> str:
    """SHA-256 over names, dtypes, shapes and values of all parameters and buffers, also those that are not saved."""
    named = {**dict(network.named_parameters()), **dict(network.named_buffers()), **network.state_dict()}
    return digest_arrays({name: _plain(value) for name, value in named.items() if hasattr(value, "detach")})


def _plain(value: torch.Tensor) -> np.ndarray[Any, Any]:
    import torch

    plain = value.detach().cpu().contiguous()
    # NumPy has no bfloat16 and no float8: their bytes are taken.
    if plain.dtype.is_floating_point and plain.dtype.itemsize < 4:
        plain = plain.reshape(-1).view(torch.uint8)
    return np.asarray(plain.numpy())


def _attributes(network: nn.Module) -> list[list[Any]]:
    """Of every module, the attributes that are numbers, texts, tensors, functions, or lists of such."""
    return [
        [name, key, _described(value, DEPTH)]
        for name, module in network.named_modules()
        for key, value in sorted(vars(module).items())
        if key not in OWN and not key.endswith("_hooks") and "_hooks_" not in key
    ]


def _described(value: Any, depth: int) -> Any:
    """A JSON value that changes with `value` and with nothing else, such as an address."""
    described: Any = f"{type(value).__module__}.{type(value).__qualname__}"
    function = getattr(value, "__func__", value)
    if value is None or isinstance(value, bool | int | str):
        described = value
    elif isinstance(value, float | complex):
        described = repr(value)
    elif isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        described = digest_arrays({"": array}) if array.dtype.kind in "biufc" else "objects"
    elif hasattr(value, "detach") and hasattr(value, "contiguous"):
        described = digest_arrays({"": _plain(value)})
    elif isinstance(value, list | tuple) and depth:
        described = [_described(one, depth - 1) for one in value]
    elif isinstance(value, set | frozenset) and depth:
        described = sorted((_described(one, depth - 1) for one in value), key=repr)
    elif isinstance(value, Mapping) and depth:
        described = [[str(key), _described(one, depth - 1)] for key, one in value.items()]
    elif isinstance(getattr(function, "__code__", None), CodeType):
        described = _code(function.__code__)
    return described


def _sources(network: nn.Module) -> list[list[str]]:
    """The source files of the network's classes; of libraries their names alone, which `library` of the statement dates."""
    found: dict[str, str] = {}
    for kind in {type(module) for module in network.modules()}:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__.split(".")[0] == "torch":
            continue
        try:
            file = Path(inspect.getfile(kind))
            found[name] = "installed" if "site-packages" in file.parts else digest_file(file)
        except (TypeError, OSError):  # made in a notebook or a console: the code itself
            codes = [vars(kind)[key] for key in sorted(vars(kind))]
            found[name] = digest_json([_code(one.__code__) for one in codes if hasattr(one, "__code__")])
    return sorted([name, digest] for name, digest in found.items())


def _code(code: CodeType) -> str:
    constants = [_code(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return digest_bytes(code.co_code, repr((code.co_names, code.co_varnames, constants)).encode())
