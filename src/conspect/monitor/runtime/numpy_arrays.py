"""`Arrays` in NumPy: for many images at once, and for a single one in half the time."""

# ruff: noqa: D102 (what each does is said in `Arrays`)

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime.suspicion import LOWEST

Float32: TypeAlias = NDArray[np.float32]


class ManyImages:
    """Components lie along the first axis, images along the last: sums over few components run over long rows."""

    def vector(self, values: Float32) -> Float32:
        return values[:, None]

    def linear(self, x: Float32, weight: Float32) -> Float32:
        return weight @ x

    def split(self, x: Float32, sizes: Sequence[int]) -> list[Float32]:
        return np.split(x, np.cumsum(sizes)[:-1])

    def stack(self, numbers: Sequence[Float32]) -> Float32:
        return np.stack(numbers)

    def largest_place(self, x: Float32) -> Any:
        return x.argmax(0)

    def chosen(self, x: Float32, place: Any) -> Float32:
        return np.asarray(x[place, np.arange(x.shape[1])])

    def without(self, x: Float32, place: Any) -> Float32:
        x[place, np.arange(x.shape[1])] = LOWEST
        return x

    def rows(self, table: Float32, place: Any) -> Float32:
        return np.asarray(table[place].T)

    def sum(self, x: Float32) -> Float32:
        return np.asarray(x.sum(0))

    def largest(self, x: Float32) -> Float32:
        return np.asarray(x.max(0))

    def exp(self, x: Float32) -> Float32:
        return np.exp(x)

    def log(self, x: Float32) -> Float32:
        return np.log(x)

    def at_least(self, x: Float32, least: np.float32) -> Float32:
        return np.maximum(x, least)

    def at_most(self, x: Float32, most: np.float32) -> Float32:
        return np.minimum(x, most)

    def above(self, x: Float32, threshold: Float32) -> Float32:
        return (x > threshold).astype(np.float32)

    def same_place(self, first: Any, second: Any) -> Float32:
        return np.asarray(np.equal(first, second), dtype=np.float32)

    def gaps(self, x: Float32) -> Float32:
        return (x[:, None] - x[None, :]).reshape(len(x) ** 2, -1)

    def absolute(self, x: Float32) -> Float32:
        return np.abs(x)

    def root(self, x: Float32) -> Float32:
        return np.sqrt(x)


class OneImage:
    """Components are a vector, and what is one number for each image is a number: no axis to carry along."""

    def vector(self, values: Any) -> Any:
        return values

    def linear(self, x: Any, weight: Float32) -> Any:
        return weight.dot(x)

    def split(self, x: Any, sizes: Sequence[int]) -> list[Any]:
        parts, start = [], 0
        for size in sizes:
            parts.append(x[start : start + size])
            start += size
        return parts

    def stack(self, numbers: Sequence[Any]) -> Any:
        return np.array(numbers, dtype=np.float32)

    def largest_place(self, x: Any) -> Any:
        return int(x.argmax())

    def chosen(self, x: Any, place: Any) -> Any:
        return float(x[place])

    def without(self, x: Any, place: Any) -> Any:
        x[place] = LOWEST
        return x

    def rows(self, table: Float32, place: Any) -> Any:
        return table[place]

    def sum(self, x: Any) -> Any:
        return float(np.add.reduce(x))

    def largest(self, x: Any) -> Any:
        return float(np.maximum.reduce(x))

    def exp(self, x: Any) -> Any:
        return np.exp(x)

    def log(self, x: Any) -> Any:
        # In NumPy the logarithm of 0 is minus infinity, and of a negative number, as of a NaN, NaN.
        return math.log(x) if x > 0 else float(np.log(np.float32(x)))

    def at_least(self, x: Any, least: np.float32) -> Any:
        # In this order max() keeps a NaN.
        return max(x, float(least))

    def at_most(self, x: Any, most: np.float32) -> Any:
        return np.minimum(x, most)

    def above(self, x: Any, threshold: Any) -> Any:
        return (x > threshold).astype(np.float32)

    def same_place(self, first: Any, second: Any) -> Any:
        return float(first == second)

    def gaps(self, x: Any) -> Any:
        return np.subtract.outer(x, x).ravel()

    def absolute(self, x: Any) -> Any:
        return np.abs(x)

    def root(self, x: Any) -> Any:
        return math.sqrt(x)
