"""What batch norms recorded while they were trained, against what they see now: an encoder's own sign of being broken.

A batch norm keeps the mean and variance of each channel that it normalised in training. A fault before it, in weights,
channels, rounding or preprocessing, moves means or deviations; a fault of the head does not. Read layer by layer, in the order in
which they are called, they say where it begins.

Records are met in the operations themselves, so that it does not matter whether a layer, a function, a program of torch.export
or one of torch.jit calls them; and in modules that keep such a record and compute with it themselves (frozen batch norms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from conspect.adapters.models.departures import departure
from conspect.core.protocols import LayerDeparture

aten = torch.ops.aten
# Operations that normalise with a recorded mean and variance, their fourth and fifth argument, the channels of axis 1.
NORMALISING = {
    aten.batch_norm.default, aten.native_batch_norm.default, aten._native_batch_norm_legit_no_training.default,
    aten._native_batch_norm_legit.default, aten._batch_norm_no_update.default, aten._batch_norm_with_update.default,
    aten.cudnn_batch_norm.default, aten.miopen_batch_norm.default, aten.instance_norm.default,
}  # fmt: skip
MEAN, VARIANCE, EPSILON = "running_mean", "running_var", 1e-5
# What wraps the network of a file, and is no part of its layers' names.
WRAPPED = "graph_module."


@dataclass
class _Record:
    """One record, and the sums over images and positions of what was normalised with it, less the mean, and of its square."""

    mean: Tensor
    variance: Tensor
    epsilon: float
    total: Tensor
    squares: Tensor
    count: int = 0

    def add(self, given: Tensor) -> None:
        """`given [image, channel, ...]`."""
        axes = [axis for axis in range(given.ndim) if axis != 1]
        # From the recorded mean, so that squares of large values do not cancel.
        apart = given - self.mean.float().reshape([-1 if axis == 1 else 1 for axis in range(given.ndim)])
        self.total = self.total + apart.sum(axes, dtype=torch.float64).cpu()
        self.squares = self.squares + (apart * apart).sum(axes, dtype=torch.float64).cpu()
        self.count += given.numel() // given.shape[1]

    def departure(self, name: str) -> LayerDeparture:
        """Of the layer called `name`."""
        moved = self.total / self.count
        variance, recorded = self.squares / self.count - moved**2, self.variance.double().cpu() + self.epsilon
        return departure(name, moved.numpy(), variance.numpy(), recorded.numpy(), self.epsilon)


class _Met:
    """Records in the order in which they are met, by where their mean lies in memory."""

    def __init__(self) -> None:
        self.records: dict[int, _Record] = {}

    def add(self, mean: Tensor, variance: Tensor, epsilon: float, given: Tensor) -> None:
        """What a call normalises with a record; called more often than once, all calls count together."""
        if given.ndim < 2 or given.shape[1] != mean.numel() or not given.is_floating_point():
            return
        key = mean.data_ptr()
        if key not in self.records:
            nothing = torch.zeros((), dtype=torch.float64)
            self.records[key] = _Record(mean, variance, epsilon, nothing, nothing)
        self.records[key].add(given)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the operations that normalise."""

    def __init__(self, met: _Met) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._met = met

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the operation as it is."""
        if func in NORMALISING:
            names = [argument.name for argument in func._schema.arguments]
            arguments = dict(zip(names, args, strict=False)) | (kwargs or {})
            mean, variance = arguments.get(MEAN), arguments.get(VARIANCE)
            if isinstance(mean, Tensor) and isinstance(variance, Tensor):
                epsilon = next((arguments[name] for name in ("eps", "epsilon") if name in arguments), EPSILON)
                self._met.add(mean, variance, float(epsilon), args[0])
        return func(*args, **(kwargs or {}))


def layer_departures(
    network: nn.Module, batches: Iterable[Tensor], call: Callable[[Tensor], Any] | None = None
) -> tuple[LayerDeparture, ...]:
    """Of every record that the network normalises with, in the order of their first calls; empty without one.

    `call` runs a batch through the network (default: the network itself). A layer that is called more often than once is
    judged by all its calls together.
    """
    operations, modules = _Met(), _Met()

    def watch(layer: nn.Module, given: tuple[Any, ...], _out: Any) -> None:
        if given and isinstance(given[0], Tensor):
            epsilon = float(getattr(layer, "eps", EPSILON))
            modules.add(getattr(layer, MEAN), getattr(layer, VARIANCE), epsilon, given[0])

    named = dict(network.named_buffers(remove_duplicate=False))
    if not any(value.ndim == 1 and value.is_floating_point() for value in named.values()):
        return ()  # where nothing is kept by channel, nothing need be run
    hooks = [layer.register_forward_hook(watch) for layer in network.modules() if _keeps_record(layer)]
    try:
        with torch.inference_mode(), _Operations(operations):
            for batch in batches:
                (call or network)(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return _departures(operations, modules, named)


def _keeps_record(layer: nn.Module) -> bool:
    if isinstance(layer, torch.jit.ScriptModule):
        return False
    return all(isinstance(getattr(layer, name, None), Tensor) for name in (MEAN, VARIANCE))


def _departures(operations: _Met, modules: _Met, named: dict[str, Tensor]) -> tuple[LayerDeparture, ...]:
    """Records by the names of their layers; one that a module keeps and an operation normalises with is counted once."""
    places = {value.data_ptr(): name for name, value in reversed(named.items())}
    departures = []
    for number, (key, record) in enumerate({**modules.records, **operations.records}.items(), 1):
        name = places.get(key, f"batch norm {number}").removeprefix(WRAPPED)
        departures.append(record.departure(name.removesuffix(f".{MEAN}")))
    return tuple(departures)
