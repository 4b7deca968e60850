"""EfficientNet-Lite0 (Google, 2020; Apache-2.0) as an ONNX graph, built from the weights of its Python package.

Batch norms are folded into the convolutions, so ONNX Runtime sees convolutions, clips, additions and means alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# One row per block: kernel, stride, whether the input is expanded sixfold first.
BLOCKS: tuple[tuple[int, int, bool], ...] = (
    (3, 1, False),
    (3, 2, True), (3, 1, True),
    (5, 2, True), (5, 1, True),
    (3, 2, True), (3, 1, True), (3, 1, True),
    (5, 1, True), (5, 1, True), (5, 1, True),
    (5, 2, True), (5, 1, True), (5, 1, True), (5, 1, True),
    (3, 1, True),
)  # fmt: skip
BATCH_NORM_EPSILON = 1e-3
OPSET, IR_VERSION = 17, 9

Weights = Mapping[str, NDArray[np.float32]]


@dataclass
class _Graph:
    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def convolution(self, x: str, conv: str, norm: str, *, stride: int = 1, clip: bool) -> str:
        """Convolution with its batch norm folded in and "same" padding as in TensorFlow; then min(max(x, 0), 6)."""
        kernel = self.weights[f"{conv}.weight"]
        scale = self.weights[f"{norm}.weight"] / np.sqrt(self.weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        bias = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * scale
        weight_name = self.constant(f"{conv}.weight", (kernel * scale[:, None, None, None]).astype(np.float32))
        bias_name = self.constant(f"{conv}.bias", bias.astype(np.float32))
        x = self.add(
            "Conv",
            [x, weight_name, bias_name],
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
            group=kernel.shape[0] if kernel.shape[1] == 1 and kernel.shape[2] > 1 else 1,
        )
        return self.add("Clip", [x, "zero", "six"]) if clip else x


def build(weights: Weights, feature_blocks: tuple[int, ...]) -> bytes:
    """A serialised ONNX model from `image [batch, 3, side, side]` float32 to `features [batch, F]` float32.

    The features are the spatial means of the outputs of `feature_blocks` (indices into `BLOCKS`) followed by the
    1,280 of the last layer. Raises KeyError when a weight is missing.
    """
    graph = _Graph(weights)
    graph.constant("zero", np.asarray(0.0, np.float32))
    graph.constant("six", np.asarray(6.0, np.float32))
    x = graph.convolution("image", "_conv_stem", "_bn0", stride=2, clip=True)
    pooled: list[str] = []
    for index, (_kernel, stride, expands) in enumerate(BLOCKS):
        block, entry = f"_blocks.{index}", x
        if expands:
            x = graph.convolution(x, f"{block}._expand_conv", f"{block}._bn0", clip=True)
        x = graph.convolution(x, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride, clip=True)
        x = graph.convolution(x, f"{block}._project_conv", f"{block}._bn2", clip=False)
        if expands and stride == 1 and _widths_match(weights, block):
            x = graph.add("Add", [x, entry])
        if index in feature_blocks:
            pooled.append(graph.add("ReduceMean", [x], axes=[2, 3], keepdims=0))
    x = graph.convolution(x, "_conv_head", "_bn1", clip=True)
    pooled.append(graph.add("ReduceMean", [x], axes=[2, 3], keepdims=0))
    graph.nodes.append(helper.make_node("Concat", pooled, ["features"], axis=1))
    proto = helper.make_graph(
        graph.nodes,
        "efficientnet_lite0",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "side", "side"])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", None])],
        graph.initializers,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _widths_match(weights: Weights, block: str) -> bool:
    width_in = weights[f"{block}._expand_conv.weight"].shape[1]
    return bool(weights[f"{block}._project_conv.weight"].shape[0] == width_in)
