"""A monitor as an ONNX graph: from embedding and logits, or from what an encoder's graph gives, to a verdict.

The same arithmetic as `Detector` and `Monitor.check`, in float32. Needs the package onnx to build the graph; any ONNX
runtime that knows operator set 17 runs it, and Conspect is not needed there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conspect.core.diagnostics import outside_error, user_error
from conspect.core.files import write_atomically, writing_to
from conspect.monitor.export.looking import FIRST_LOGITS, around
from conspect.monitor.export.onnx_arrays import Node, OnnxArrays
from conspect.monitor.runtime import SUSPECT, VERDICTS, Monitor, Thresholds
from conspect.monitor.runtime.guarantee import Guarantee
from conspect.monitor.runtime.second_look import look_components
from conspect.monitor.runtime.storage import contents
from conspect.monitor.runtime.suspicion import weighed

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
EMBEDDING, LOGITS = "embedding", "logits"
# Outputs of the graph, in order; `output` is the index of the class the model says.
OUTPUTS = ("suspicion", "verdict", "output")


def monitor_graph(
    monitor: Monitor,
    *,
    guarantee: Guarantee | None = None,
    opset: int = OPSET,
    second_look: bool = False,
) -> onnx.ModelProto:
    """One graph: `embedding [image, D]`, `logits [image, class]` float32 to `suspicion`, `verdict`, `output` `[image]`.

    `suspicion`: float32, nats, higher = suspect. `verdict`: int8, index into `runtime.VERDICTS`; an input with NaN is
    suspect. `output`: int64, the class with the largest logit. The number of images is free. Names of classes and
    concepts, thresholds, the guarantee and the digest of the arrays stand in the model's metadata. With `second_look` the
    inputs are `[image, look, D]` and `[image, look, class]`, and the verdict is that of the second look.
    Raises OutsideError MONITOR006 without the package onnx, UserError MONITOR001 without a second look.
    """
    _need_onnx()
    looks = len(monitor.required_second_look().required_looks()) + 1 if second_look else None
    import onnx
    from onnx import TensorProto, helper

    arrays = OnnxArrays(opset)
    embedding, logits = Node(arrays, EMBEDDING), Node(arrays, LOGITS)
    if second_look:
        suspicion, output = _looking(arrays, monitor, embedding, logits)
        _decide(arrays, suspicion, output, monitor.second_thresholds or monitor.thresholds)
    else:
        suspicion, output = monitor.detector.suspicion_with(arrays, embedding, logits)
        _decide(arrays, suspicion, output, monitor.thresholds)
    classes, dimension = monitor.detector.folded.classes, monitor.detector.folded.weight.shape[1]
    graph = helper.make_graph(
        arrays.nodes,
        "conspect_monitor",
        [
            helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, _axes(looks, dimension)),
            helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, _axes(looks, classes)),
        ],
        [
            helper.make_tensor_value_info(name, kind, ["image"])
            for name, kind in zip(OUTPUTS, (TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64), strict=True)
        ],
        arrays.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)
    model.producer_name = "conspect"
    helper.set_model_props(model, _metadata(monitor, guarantee))
    onnx.checker.check_model(model, full_check=True)
    return model


def _axes(looks: int | None, width: int) -> list[str | int]:
    return ["image", width] if looks is None else ["image", looks, width]


def _looking(arrays: OnnxArrays, monitor: Monitor, embedding: Node, logits: Node) -> tuple[Node, Node]:
    """Suspicion and output `[image, 1]` by the second look, from `[image, look, ...]`."""
    tier, folded = monitor.required_second_look(), monitor.detector.folded

    def look(whole: Node, number: int) -> Node:
        return arrays.add("Gather", whole, np.int64(number), axis=1)

    embeddings, scores = ([look(whole, k) for k in range(tier.looks)] for whole in (embedding, logits))
    first, _ = monitor.detector.suspicion_with(arrays, embeddings[0], scores[0])
    readings = [arrays.linear(looked, folded.weight) + arrays.vector(folded.offset) for looked in embeddings]
    components, output = look_components(arrays, scores, readings, first, folded, tier.deviation)
    return weighed(arrays, tier, components, output), output


def attached(
    encoder: onnx.ModelProto,
    monitor: Monitor,
    *,
    guarantee: Guarantee | None = None,
    second_look: bool = False,
) -> onnx.ModelProto:
    """The graph of a model with the monitor behind it: the encoder's inputs to `logits`, `suspicion`, `verdict`, `output`.

    `encoder`: of operator set 13 or later, with outputs `embedding [image, D]` and `logits [image, class]`; with
    `second_look` its input is `[image, y, x, 3]` and goes through it once for every look. Raises UserError MONITOR001 when
    these outputs are missing or of another shape, or the encoder takes a fixed number of images and is to look again;
    OutsideError MONITOR006 without onnx.
    """
    _need_onnx()
    import onnx
    from onnx import compose, helper

    opset = next(imported.version for imported in encoder.opset_import if imported.domain in {"", "ai.onnx"})
    own = monitor_graph(monitor, guarantee=guarantee, opset=opset, second_look=second_look)
    folded = monitor.detector.folded
    _require_outputs(encoder, {EMBEDDING: folded.weight.shape[1], LOGITS: folded.classes})
    encoder.ir_version = own.ir_version = max(encoder.ir_version, IR_VERSION)
    if second_look:
        encoder = around(encoder, monitor.required_second_look().required_looks())
    outputs = [FIRST_LOGITS if second_look else LOGITS, *OUTPUTS]
    whole = compose.merge_models(encoder, own, io_map=[(EMBEDDING, EMBEDDING), (LOGITS, LOGITS)], outputs=outputs)
    whole.producer_name = "conspect"
    del whole.metadata_props[:]
    helper.set_model_props(whole, {entry.key: entry.value for entry in own.metadata_props})
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _require_outputs(encoder: onnx.ModelProto, wanted: Mapping[str, int]) -> None:
    widths = {out.name: [axis.dim_value for axis in out.type.tensor_type.shape.dim] for out in encoder.graph.output}
    # A width of 0 stands for one that the graph leaves open.
    if any(len(widths.get(name, [])) != 2 or widths[name][1] not in (0, width) for name, width in wanted.items()):
        fix = (
            f"the encoder's graph gives {EMBEDDING} [image, {wanted[EMBEDDING]}] and {LOGITS} [image, {wanted[LOGITS]}]"
        )
        raise user_error("MONITOR001", f"an encoder with the outputs {widths}", fix)


def write(model: onnx.ModelProto, path: Path) -> None:
    """Writes the graph; a reader sees it whole or not at all. Raises OutsideError STORE001."""
    with writing_to(path.parent, path.name):
        write_atomically(path, model.SerializeToString())


def with_embedding(model: onnx.ModelProto, *, logits: str | None = None) -> onnx.ModelProto:
    """A copy of a classifier's graph with a further output, `embedding`: what enters the last linear layer.

    `logits`: name of the output that the layer makes; the first one by default. Between layer and output an added bias
    and nodes that keep values as they are may stand, but no softmax. A graph that has an output of this name already is
    not changed. Raises UserError MONITOR001 when there is no such layer, OutsideError MONITOR006 without onnx.
    """
    _need_onnx()
    import onnx
    from onnx import TensorProto, helper

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    if EMBEDDING in {value.name for value in graph.output}:
        return changed
    makers = {name: node for node in graph.node for name in node.output}
    fixed = {constant.name for constant in graph.initializer} | {
        name for name, node in makers.items() if node.op_type == "Constant"
    }
    place = logits or graph.output[0].name
    while (node := makers.get(place)) is not None and node.op_type in {"Add", "Identity", "Cast", "Dropout"}:
        moving = [name for name in node.input if name not in fixed]
        if len(moving) != 1:
            break
        place = moving[0]
    if node is None or node.op_type not in {"Gemm", "MatMul"} or node.input[0] in fixed:
        problem = f"the output {logits or graph.output[0].name} is not made by a linear layer"
        raise user_error("MONITOR001", problem, "name the output with the logits, before any softmax: logits=")
    if node.input[0] != EMBEDDING:
        if EMBEDDING in makers or EMBEDDING in fixed | {value.name for value in graph.input}:
            problem = f"the graph has another value called {EMBEDDING}"
            raise user_error("MONITOR001", problem, "rename it, with onnx.compose.add_prefix for instance")
        graph.node.append(helper.make_node("Identity", [node.input[0]], [EMBEDDING]))
    width = _input_width(node, {constant.name: constant for constant in graph.initializer})
    graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["image", width]))
    onnx.checker.check_model(changed, full_check=True)
    return changed


def _input_width(layer: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> int | str:
    """Dimensions that a Gemm or MatMul takes; a free name where its weight is no constant of the graph."""
    if layer.input[1] not in constants:
        return "dimension"
    turned = any(attribute.name == "transB" and attribute.i for attribute in layer.attribute)
    return int(constants[layer.input[1]].dims[1 if turned else 0])


@dataclass(frozen=True, slots=True)
class GraphValue:
    """An input or output of a graph: its name, its shape (a name for an axis that is free), its type as ONNX calls it."""

    name: str
    shape: tuple[str | int, ...]
    type: str


def signature(model: onnx.ModelProto) -> tuple[tuple[GraphValue, ...], tuple[GraphValue, ...]]:
    """Inputs and outputs of a graph, in order."""
    from onnx import TensorProto

    def described(value: onnx.ValueInfoProto) -> GraphValue:
        tensor = value.type.tensor_type
        shape = tuple(axis.dim_param or axis.dim_value for axis in tensor.shape.dim)
        return GraphValue(value.name, shape, TensorProto.DataType.Name(tensor.elem_type).lower())

    return tuple(map(described, model.graph.input)), tuple(map(described, model.graph.output))


def _decide(arrays: OnnxArrays, suspicion: Node, output: Node, thresholds: Thresholds) -> None:
    """The nodes that turn a suspicion `[image, 1]` into `OUTPUTS`."""
    arrays.squeezed(output, name=OUTPUTS[2])
    flat = arrays.squeezed(suspicion, name=OUTPUTS[0])
    # Each threshold that is not exceeded takes one off; a NaN, which satisfies no comparison, stays suspect.
    verdict = arrays.constant(np.int32(SUSPECT))
    for threshold in (thresholds.suspect, thresholds.accept):
        within = arrays.add("LessOrEqual", flat, np.float32(threshold))
        verdict = verdict - arrays.add("Cast", within, to=6)
    arrays.add("Cast", verdict, to=3, name=OUTPUTS[1])


def _metadata(monitor: Monitor, guarantee: Guarantee | None) -> dict[str, str]:
    """`conspect.NAME` to JSON: what `monitor.json` says, and what the verdicts mean."""
    _, header = contents(monitor, guarantee=guarantee)
    metadata = {**asdict(header), "verdicts": VERDICTS}
    return {
        f"conspect.{name}": json.dumps(value, ensure_ascii=False)
        for name, value in metadata.items()
        if name != "arrays"
    }


def _need_onnx() -> None:
    if find_spec("onnx") is None:
        raise outside_error(
            "MONITOR006", "exporting a monitor needs the package onnx", "pip install 'conspect[export]'"
        )
