"""An ONNX classifier's own graph with its normalisation before it and its head made anew behind it: from pixels to logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.preprocessing import Preprocessing
from conspect.adapters.runtimes.input_form import InputForm
from conspect.core.spaces import Head

# The least operator set that the monitor's graph can be written in; older graphs are converted.
LEAST_OPSET = 13
PREFIX = "model/"
# Shares below are taken for it before their logarithm, as the model's adapter does.
LEAST = 1e-30


@dataclass(frozen=True)
class Joint:
    """Where a classifier's graph is cut: the value `embedding` goes into the head, averaged over positions where it has some.

    Without a head the outputs stand for it: their logarithm where they are `shares`, and with a first class beside where they
    are of `one` column.
    """

    embedding: str
    averaged: bool = False
    shares: bool = False
    one: bool = False


def joined(graph: Any, joint: Joint, head: Head, steps: Preprocessing, form: InputForm) -> Any:
    """`image [image, y, x, 3]` uint8 to `embedding [image, D]` and `logits [image, class]`.

    `graph`: an onnx.ModelProto with one input of images, in `form`. What the graph does after its head, a softmax for instance,
    is left out.
    """
    from onnx import TensorProto, compose, helper, version_converter

    opset = next(imported.version for imported in graph.opset_import if imported.domain in {"", "ai.onnx"})
    if opset < LEAST_OPSET:
        graph = version_converter.convert_version(graph, LEAST_OPSET)
        opset = LEAST_OPSET
    whole = compose.add_prefix(graph, PREFIX)
    (given,) = whole.graph.input
    kind, axes = given.type.tensor_type.elem_type, given.type.tensor_type.shape.dim
    batch: int | str = axes[0].dim_value or "image"
    nodes = _Writer(helper, "preparation")
    pixels = nodes.add("Cast", "image", to=TensorProto.FLOAT)
    if form.grey:  # ITU-R 601 in whole numbers, as Pillow computes it, exact in float32
        pixels = nodes.add("Mul", pixels, nodes.constant(np.asarray([19595.0, 38470.0, 7471.0])))
        axis = nodes.constant(np.asarray([3]), np.int64)
        pixels = nodes.add("ReduceSum", pixels, axis, keepdims=1)
        pixels = nodes.add("Add", pixels, nodes.constant(np.asarray(32768.0)))
        pixels = nodes.add("Floor", nodes.add("Div", pixels, nodes.constant(np.asarray(65536.0))))
    values = (np.asarray(steps.scale), np.asarray(steps.mean), np.asarray(steps.deviation))
    for operation, value in zip(("Mul", "Sub", "Div"), values, strict=True):
        pixels = nodes.add(operation, pixels, nodes.constant(value[:1] if form.grey and value.ndim else value))
    if not form.channels_last:
        pixels = nodes.add("Transpose", pixels, perm=[0, 3, 1, 2])
    if form.takes_bytes:
        pixels = nodes.add("Round", pixels)
    nodes.add("Cast", pixels, to=kind, name=given.name)
    after = _Writer(helper, "head")
    flat = _flat(after, joint, head.layers[0].weight.shape[1])
    for index, layer in enumerate(head.layers):
        weight, offset = (after.constant(array) for array in (layer.weight, layer.offset))
        last = index == len(head.layers) - 1
        flat = after.add("Gemm", flat, weight, offset, transB=1, name="logits" if last else None)
        flat = flat if last else after.add("Relu", flat)
    rows, columns = steps.side or (0, 0)
    size = [batch, rows or "y", columns or "x", 3]
    made = helper.make_graph(
        [*nodes.nodes, *whole.graph.node, *after.nodes],
        "conspect_model",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, size)],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, head.layers[0].weight.shape[1]]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, head.classes]),
        ],
        [*whole.graph.initializer, *nodes.constants, *after.constants],
        sparse_initializer=list(whole.graph.sparse_initializer),
    )
    model = helper.make_model(made, opset_imports=list(whole.opset_import), functions=list(whole.functions))
    model.ir_version = max(graph.ir_version, 8)
    return model


def _flat(after: _Writer, joint: Joint, size: int) -> str:
    """What goes into the head, `[image, D]` float32, called `embedding`."""
    from onnx import TensorProto

    given = after.add("Cast", PREFIX + joint.embedding, to=TensorProto.FLOAT)
    if joint.averaged:
        given = after.add("GlobalAveragePool", given)
    if joint.one:
        given = after.add("Reshape", given, after.constant(np.asarray([-1, 1]), np.int64))
        first = after.add("Mul", given, after.constant(np.asarray(-1.0 if joint.shares else 0.0)))
        first = after.add("Add", first, after.constant(np.asarray(1.0 if joint.shares else 0.0)))
        given = after.add("Concat", first, given, axis=1)
    if joint.shares:
        given = after.add("Log", after.add("Max", given, after.constant(np.asarray(LEAST))))
    # A graph that loses the axis of a batch of one has no rows here.
    return after.add("Reshape", given, after.constant(np.asarray([-1, size]), np.int64), name="embedding")


class _Writer:
    """Nodes and constants in the making; their names begin with what they are for."""

    def __init__(self, helper: Any, prefix: str) -> None:
        self._helper, self._prefix = helper, prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """A node; gives the name of its output."""
        name = name or f"{self._prefix}/{len(self.nodes)}/{kind.lower()}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any], kind: type[np.generic] = np.float32) -> str:
        """A constant; gives its name."""
        from onnx import numpy_helper

        name = f"{self._prefix}/constant/{len(self.constants)}"
        array = np.ascontiguousarray(value, dtype=kind).reshape(np.shape(value))
        self.constants.append(numpy_helper.from_array(array, name))
        return name
