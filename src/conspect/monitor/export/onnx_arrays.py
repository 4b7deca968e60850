# ruff: noqa: D102 (what each does is said in conspect.monitor.runtime.suspicion.Arrays)
"""The operations of the suspicion as nodes of an ONNX graph: nothing is computed, a graph is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime.suspicion import LOWEST

if TYPE_CHECKING:
    import onnx

# ReduceMax takes its axes as an input from this operator set on; ReduceSum has since 13, the least there may be.
AXES_AS_INPUT, LEAST_OPSET = 18, 13
PREFIX = "monitor/"


@dataclass(frozen=True, slots=True)
class Node:
    """The name of a value in the graph that `arrays` writes: `[image, component]`, or `[image, 1]`."""

    arrays: OnnxArrays
    name: str

    def __add__(self, other: Any) -> Node:
        return self.arrays.add("Add", self, other)

    def __sub__(self, other: Any) -> Node:
        return self.arrays.add("Sub", self, other)

    def __mul__(self, other: Any) -> Node:
        return self.arrays.add("Mul", self, other)

    def __truediv__(self, other: Any) -> Node:
        return self.arrays.add("Div", self, other)

    def __neg__(self) -> Node:
        return self.arrays.add("Neg", self)


@dataclass
class OnnxArrays:
    """Nodes and constants in the making; every name begins with "monitor/"."""

    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: Node | Any, name: str | None = None, **attributes: Any) -> Node:
        """A node; inputs that are no nodes become constants."""
        from onnx import helper

        names = [value.name if isinstance(value, Node) else self.constant(value).name for value in inputs]
        name = name or f"{PREFIX}{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [name], **attributes))
        return Node(self, name)

    def constant(self, value: NDArray[np.generic] | np.generic) -> Node:
        """An initializer."""
        from onnx import numpy_helper

        name = f"{PREFIX}constant_{len(self.constants)}"
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        self.constants.append(numpy_helper.from_array(array, name))
        return Node(self, name)

    def vector(self, values: NDArray[np.float32]) -> Node:
        return self.constant(values)

    def linear(self, x: Node, weight: NDArray[np.float32]) -> Node:
        return self.add("MatMul", x, weight.T)

    def split(self, x: Node, sizes: Sequence[int]) -> Sequence[Node]:
        from onnx import helper

        names = [f"{PREFIX}Split_{len(self.nodes)}_{k}" for k in range(len(sizes))]
        lengths = self.constant(np.array(sizes, dtype=np.int64))
        self.nodes.append(helper.make_node("Split", [x.name, lengths.name], names, axis=1))
        return [Node(self, name) for name in names]

    def stack(self, numbers: Sequence[Node]) -> Node:
        return self.add("Concat", *numbers, axis=1)

    def largest_place(self, x: Node) -> Node:
        return self.add("ArgMax", x, axis=1, keepdims=1)

    def chosen(self, x: Node, place: Node) -> Node:
        return self.add("GatherElements", x, place, axis=1)

    def without(self, x: Node, place: Node) -> Node:
        return self.add("ScatterElements", x, place, self._like(place, LOWEST), axis=1)

    def rows(self, table: NDArray[np.float32], place: Node) -> Node:
        wide = table if table.ndim == 2 else table[:, None]
        return self.add("Gather", wide, self.squeezed(place), axis=0)

    def sum(self, x: Node) -> Node:
        return self.add("ReduceSum", x, np.array([1]), keepdims=1)

    def largest(self, x: Node) -> Node:
        if self.opset < AXES_AS_INPUT:
            return self.add("ReduceMax", x, axes=[1], keepdims=1)
        return self.add("ReduceMax", x, np.array([1]), keepdims=1)

    def exp(self, x: Node) -> Node:
        return self.add("Exp", x)

    def log(self, x: Node) -> Node:
        return self.add("Log", x)

    def at_least(self, x: Node, least: np.float32) -> Node:
        return self.add("Max", x, least)

    def at_most(self, x: Node, most: np.float32) -> Node:
        return self.add("Min", x, most)

    def above(self, x: Node, threshold: Node) -> Node:
        return self.add("Cast", self.add("Greater", x, threshold), to=1)

    def same_place(self, first: Node, second: Node) -> Node:
        return self.add("Cast", self.add("Equal", first, second), to=1)

    def gaps(self, x: Node) -> Node:
        columns, rows = (self.add("Unsqueeze", x, np.array([axis])) for axis in (2, 1))
        return self.add("Flatten", columns - rows, axis=1)

    def absolute(self, x: Node) -> Node:
        return self.add("Abs", x)

    def root(self, x: Node) -> Node:
        return self.add("Sqrt", x)

    def squeezed(self, x: Node, name: str | None = None) -> Node:
        """`[image]` of `[image, 1]`."""
        return self.add("Squeeze", x, np.array([1]), name=name)

    def _like(self, place: Node, value: np.float32) -> Node:
        return self.add("Expand", np.array([[value]]), self.add("Shape", place))
