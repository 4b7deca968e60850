# ruff: noqa: D102 (what each does is said in conspect.monitor.runtime.suspicion.Arrays)
"""The operations of the monitor's suspicion in torch, with gradients for attacks that know the monitor.

Two steps have no useful gradient and get one: whether a concept is present (the value stays 0 or 1, the gradient is a
logistic curve's), and floors and ceilings, where the gradient is as if they did not bind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LOWEST = -1e30  # of the same value in the monitor's formula; a test compares the two


class TorchArrays:
    """Values are `[image, component]`, or `[image, 1]` where there is one number for each image."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = device

    def vector(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.array(values)).to(self._device)

    def linear(self, x: Tensor, weight: NDArray[np.float32]) -> Tensor:
        return x @ self.vector(weight).T

    def split(self, x: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
        return torch.split(x, list(sizes), dim=1)

    def stack(self, numbers: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(numbers), dim=1)

    def largest_place(self, x: Tensor) -> Tensor:
        return x.argmax(1, keepdim=True)

    def chosen(self, x: Tensor, place: Tensor) -> Tensor:
        return x.gather(1, place)

    def without(self, x: Tensor, place: Tensor) -> Tensor:
        return x.scatter(1, place, LOWEST)

    def rows(self, table: NDArray[np.float32], place: Tensor) -> Tensor:
        rows = self.vector(table)[place[:, 0]]
        return rows if rows.ndim == 2 else rows[:, None]

    def sum(self, x: Tensor) -> Tensor:
        return x.sum(1, keepdim=True)

    def largest(self, x: Tensor) -> Tensor:
        return x.amax(1, keepdim=True)

    def exp(self, x: Tensor) -> Tensor:
        return x.exp()

    def log(self, x: Tensor) -> Tensor:
        return x.log()

    def at_least(self, x: Tensor, least: Any) -> Tensor:
        return x + (x.clamp(min=float(least)) - x).detach()

    def at_most(self, x: Tensor, most: Any) -> Tensor:
        return x - (x - x.clamp(max=float(most))).detach()

    def above(self, x: Tensor, threshold: Tensor) -> Tensor:
        hard, soft = (x > threshold).to(x.dtype), torch.sigmoid(x - threshold)
        return soft + (hard - soft).detach()

    def same_place(self, first: Tensor, second: Tensor) -> Tensor:
        return (first == second).float()

    def gaps(self, x: Tensor) -> Tensor:
        return (x[:, :, None] - x[:, None, :]).flatten(1)

    def absolute(self, x: Tensor) -> Tensor:
        return x.abs()

    def root(self, x: Tensor) -> Tensor:
        return x.sqrt()
