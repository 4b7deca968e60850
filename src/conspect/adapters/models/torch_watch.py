"""Calling a network and telling what went into its head: a layer, a matrix product without a layer, or nothing of the kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from conspect.adapters.models.replay import no_head
from conspect.core.diagnostics import outside_error

aten = torch.ops.aten
COMPOSED = (aten.einsum.default, aten.tensordot.default)
# Probabilities below are taken for it: their logarithm stands for the logits.
LEAST = 1e-30
Outputs = Callable[[Any, int], Tensor]


class WatchedNetwork(Protocol):
    """A network of which every call tells what went into its head."""

    network: nn.Module

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, D]` and outputs `[image, class]` of images as the network takes them."""


def pooled(given: Tensor) -> Tensor:
    """What goes into a head as `[image, D]`: an average over positions does not care which side of an affine map it is on."""
    return given.mean((2, 3)) if given.ndim == 4 else given.flatten(1)


class WatchedLayer:
    """What goes into one layer, averaged over positions where it is a 1 x 1 convolution."""

    def __init__(self, network: nn.Module, layer: nn.Module, outputs: Outputs) -> None:
        self.network, self._outputs = network, outputs
        self._seen: list[Tensor] = []
        convolves = isinstance(layer, nn.Conv2d)
        layer.register_forward_pre_hook(
            lambda _layer, inputs: self._seen.append(pooled(inputs[0]) if convolves else inputs[0].flatten(1))
        )

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, D]` and outputs `[image, class]` of images as the network takes them."""
        self._seen.clear()
        outputs = self._outputs(self.network(images), len(images))
        if len(self._seen) != 1:
            raise no_head("the model", f"the named layer is called {len(self._seen)} times for one batch", [])
        return self._seen.pop(), outputs


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the products of two matrices, `[a, b]` times `[b, c]`, in the order of calls, with an offset `[c]` where one is
    added in the same operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the operation as it is and records it where it is a product."""
        if func in COMPOSED:  # in inference mode they arrive whole
            with self:
                return func.decompose(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        left: Any = None
        right: Any = None
        offset: Any = None
        if func is aten.linear.default:
            left, right, offset = args[0], args[1].T, args[2] if len(args) > 2 else None
        elif func is aten.addmm.default:
            left, right, offset = args[1], args[2], args[0]
        elif func in (aten.mm.default, aten.matmul.default):
            left, right = args[0], args[1]
        elif func is aten.bmm.default and len(args[0]) == 1:
            left, right = args[0][0], args[1][0]
        if left is not None and left.ndim == 2 and right.ndim == 2:
            plain = offset is None or offset.shape == right.shape[1:]
            self.calls.append((left, right, offset if plain else None))
        return result


def as_head(call: tuple[Tensor, Tensor, Tensor | None], turned: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """What goes in `[image, D]`, the matrix `[class, D]` and the offset of a product; `turned`: images are on its right."""
    left, right, offset = call
    return (right.T, left, None) if turned else (left, right.T, offset)


class WatchedProduct:
    """What goes into the matrix product `place` of those in `network`: a head that is no layer, such as one of cosines."""

    def __init__(self, network: nn.Module, place: int, turned: bool, outputs: Outputs) -> None:
        self.network, self._place, self._turned, self.outputs = network, place, turned, outputs

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, D]` and outputs `[image, class]` of images as the network takes them."""
        with Products() as products:
            outputs = self.outputs(self.network(images), len(images))
        if self._place >= len(products.calls):
            raise no_head("the model", "it has not the same matrix products for every batch", [])
        return as_head(products.calls[self._place], self._turned)[0], outputs


class _Results(TorchFunctionMode):
    """Numbers the calls of torch's functions, and gives what each returns to `take`; what runs in it can be traced."""

    def __init__(self, take: Callable[[int, Any], None]) -> None:
        super().__init__()
        self._take, self._number = take, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the function as it is."""
        result = func(*args, **(kwargs or {}))
        self._take(self._number, result)
        self._number += 1
        return result


class TracedProduct:
    """A `WatchedProduct` that can be traced: what goes into its head is what one call of a function of torch returns."""

    def __init__(self, watched: WatchedProduct, probes: Tensor) -> None:
        """Raises OutsideError MONITOR006 where no function returns it for `probes`, as in a program of torch.jit."""
        self.network, self._outputs = watched.network, watched.outputs
        wanted = watched(probes)[0]
        places: list[int] = []

        def compare(number: int, result: Any) -> None:
            if isinstance(result, Tensor) and result.shape == wanted.shape and torch.equal(result, wanted):
                places.append(number)

        with _Results(compare):
            self.network(probes)
        if not places:
            problem = (
                "what goes into the model's head cannot be followed through its code, as in a program of torch.jit"
            )
            fix = "export the monitor alone, from embedding and logits, and put it behind the model"
            raise outside_error("MONITOR006", problem, fix)
        self._place = places[0]

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, D]` and outputs `[image, class]` of images as the network takes them."""
        seen: list[Tensor] = []
        with _Results(lambda number, result: seen.append(result) if number == self._place else None):
            outputs = self._outputs(self.network(images), len(images))
        return seen[0], outputs


class WatchedOutputs:
    """The outputs of a network without a head in place of its embeddings; their logarithm where they are shares.

    One output stands for two classes, of which it speaks for the second.
    """

    def __init__(self, network: nn.Module, outputs: Outputs) -> None:
        self.network, self._outputs = network, outputs
        self.shares = self.one = False

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, class]` and outputs `[image, class]`."""
        outputs = self._outputs(self.network(images), len(images))
        if self.one:
            outputs = torch.cat([1 - outputs if self.shares else torch.zeros_like(outputs), outputs], dim=1)
        return (outputs.clamp_min(LEAST).log() if self.shares else outputs), outputs
