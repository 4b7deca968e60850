"""An ONNX classifier's own graph with its normalisation before it and its head made anew behind it: from pixels to logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from conspect.adapters.preprocessing import Preprocessing
from conspect.core.spaces import Head

# The least operator set that the monitor's graph can be written in; older graphs are converted.
LEAST_OPSET = 13
PREFIX = "model/"


def joined(graph: Any, embedding: str, head: Head, steps: Preprocessing, *, channels_last: bool) -> Any:
    """`image [image, y, x, 3]` uint8 to `embedding [image, D]` and `logits [image, class]`.

    `graph`: an onnx.ModelProto with one input of images; `embedding`: the value in it that goes into `head`. What the
    graph does after its head, a softmax for instance, is left out.
    """
    from onnx import TensorProto, compose, helper, version_converter

    opset = next(one.version for one in graph.opset_import if one.domain in {"", "ai.onnx"})
    if opset < LEAST_OPSET:
        graph = version_converter.convert_version(graph, LEAST_OPSET)
        opset = LEAST_OPSET
    whole = compose.add_prefix(graph, PREFIX)
    (given,) = whole.graph.input
    kind, axes = given.type.tensor_type.elem_type, given.type.tensor_type.shape.dim
    batch: int | str = axes[0].dim_value or "image"
    nodes, constants = _Writer(helper), []
    pixels = nodes.add("Cast", "image", to=TensorProto.FLOAT)
    values = (np.asarray(steps.scale), np.asarray(steps.mean), np.asarray(steps.deviation))
    for operation, value in zip(("Mul", "Sub", "Div"), values, strict=True):
        constants.append(_tensor(f"preparation/{operation.lower()}", value))
        pixels = nodes.add(operation, pixels, constants[-1].name)
    if not channels_last:
        pixels = nodes.add("Transpose", pixels, perm=[0, 3, 1, 2])
    nodes.add("Cast", pixels, to=kind, name=given.name)
    after = _Writer(helper)
    flat = after.add("Cast", after.add("Flatten", PREFIX + embedding, axis=1), to=TensorProto.FLOAT, name="embedding")
    for index, layer in enumerate(head.layers):
        weight, offset = (_tensor(f"head/{index}/{name}", array) for name, array in layer_arrays(layer))
        constants += [weight, offset]
        last = index == len(head.layers) - 1
        flat = after.add("Gemm", flat, weight.name, offset.name, transB=1, name="logits" if last else None)
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
        [*whole.graph.initializer, *constants],
        sparse_initializer=list(whole.graph.sparse_initializer),
    )
    model = helper.make_model(made, opset_imports=list(whole.opset_import), functions=list(whole.functions))
    model.ir_version = max(graph.ir_version, 8)
    return model


def layer_arrays(layer: Any) -> list[tuple[str, Any]]:
    """Weight and offset of an affine map, float32."""
    return [("weight", layer.weight.astype(np.float32)), ("offset", layer.offset.astype(np.float32))]


def _tensor(name: str, value: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32).reshape(np.shape(value)), name)


class _Writer:
    """Nodes in the making."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.nodes: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        name = name or f"{inputs[0]}/{kind.lower()}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name
