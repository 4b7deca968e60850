"""A monitor as an ONNX graph: from embedding and logits, or from what an encoder's graph gives, to a verdict.

The same arithmetic as `Detector` and `Monitor.check`, in float32. Needs the package onnx to build the graph; any ONNX
runtime from operator set 17 on runs it, and Conspect is not needed there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import outside_error, user_error
from conspect.core.files import write_atomically, writing_to
from conspect.monitor.runtime import SUSPECT, VERDICTS, Monitor
from conspect.monitor.runtime.detector import LARGEST_SQUARE, LEAST_PROBABILITY
from conspect.monitor.runtime.storage import contents

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
EMBEDDING, LOGITS = "embedding", "logits"
# Outputs of the graph, in order; `output` is the index of the class the model says.
OUTPUTS = ("suspicion", "verdict", "output")


@dataclass
class _Nodes:
    """Nodes and constants in the making; every name begins with "monitor/"."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = name or f"monitor/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[np.generic] | np.generic) -> str:
        from onnx import numpy_helper

        name = f"monitor/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name

    def sum(self, x: str) -> str:
        """Sum over the last axis `[image, n]`, kept as `[image, 1]`."""
        return self.add("ReduceSum", x, self.constant(np.array([1])), keepdims=1)

    def largest(self, x: str) -> str:
        """Largest along the last axis `[image, n]`, kept as `[image, 1]`."""
        return self.add("ReduceMax", x, axes=[1], keepdims=1)


def monitor_graph(monitor: Monitor, *, guarantee: Mapping[str, Any] | None = None) -> onnx.ModelProto:
    """One graph: `embedding [image, D]`, `logits [image, class]` float32 to `suspicion`, `verdict`, `output` `[image]`.

    `suspicion`: float32, nats, higher = suspect. `verdict`: int8, index into `runtime.VERDICTS`; an input with NaN is
    suspect. `output`: int64, the class with the largest logit. The number of images is free. Names of classes and
    concepts, thresholds, the guarantee and the digest of the arrays stand in the model's metadata.
    Raises OutsideError MONITOR006 without the package onnx.
    """
    _need_onnx()
    import onnx
    from onnx import TensorProto, helper

    nodes = _Nodes()
    _detector(nodes, monitor)
    classes, dimension = monitor.detector.folded.classes, monitor.detector.folded.weight.shape[1]
    graph = helper.make_graph(
        nodes.nodes,
        "conspect_monitor",
        [
            helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["image", dimension]),
            helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["image", classes]),
        ],
        [
            helper.make_tensor_value_info(name, kind, ["image"])
            for name, kind in zip(OUTPUTS, (TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64), strict=True)
        ],
        nodes.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "conspect"
    helper.set_model_props(model, _metadata(monitor, guarantee))
    onnx.checker.check_model(model, full_check=True)
    return model


def attached(
    encoder: onnx.ModelProto, monitor: Monitor, *, guarantee: Mapping[str, Any] | None = None
) -> onnx.ModelProto:
    """The graph of a model with the monitor behind it: the encoder's inputs to `logits`, `suspicion`, `verdict`, `output`.

    `encoder`: of operator set 17, with outputs `embedding [image, D]` and `logits [image, class]`. Raises
    UserError MONITOR001 when these outputs are missing or of another shape, OutsideError MONITOR006 without onnx.
    """
    own = monitor_graph(monitor, guarantee=guarantee)
    import onnx
    from onnx import compose, helper

    widths = {out.name: [axis.dim_value for axis in out.type.tensor_type.shape.dim] for out in encoder.graph.output}
    wanted = {value.name: value.type.tensor_type.shape.dim[1].dim_value for value in own.graph.input}
    # A width of 0 stands for one that the graph leaves open.
    if any(len(widths.get(name, [])) != 2 or widths[name][1] not in (0, width) for name, width in wanted.items()):
        fix = (
            f"the encoder's graph gives {EMBEDDING} [image, {wanted[EMBEDDING]}] and {LOGITS} [image, {wanted[LOGITS]}]"
        )
        raise user_error("MONITOR001", f"an encoder with the outputs {widths}", fix)
    encoder.ir_version = IR_VERSION
    whole = compose.merge_models(
        encoder, own, io_map=[(EMBEDDING, EMBEDDING), (LOGITS, LOGITS)], outputs=[LOGITS, *OUTPUTS]
    )
    whole.producer_name = "conspect"
    del whole.metadata_props[:]
    helper.set_model_props(whole, {entry.key: entry.value for entry in own.metadata_props})
    onnx.checker.check_model(whole, full_check=True)
    return whole


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
    if EMBEDDING in {one.name for one in graph.output}:
        return changed
    makers = {name: node for node in graph.node for name in node.output}
    fixed = {one.name for one in graph.initializer} | {
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
        if EMBEDDING in makers or EMBEDDING in fixed | {one.name for one in graph.input}:
            problem = f"the graph has another value called {EMBEDDING}"
            raise user_error("MONITOR001", problem, "rename it, with onnx.compose.add_prefix for instance")
        graph.node.append(helper.make_node("Identity", [node.input[0]], [EMBEDDING]))
    width = _input_width(node, {one.name: one for one in graph.initializer})
    graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["image", width]))
    onnx.checker.check_model(changed, full_check=True)
    return changed


def _input_width(layer: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> int | str:
    """Dimensions that a Gemm or MatMul takes; a free name where its weight is no constant of the graph."""
    if layer.input[1] not in constants:
        return "dimension"
    turned = any(one.name == "transB" and one.i for one in layer.attribute)
    return int(constants[layer.input[1]].dims[1 if turned else 0])


def signature(model: onnx.ModelProto) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """ModelOutputs and outputs of a graph, in order: name, shape (a name for an axis that is free), type."""
    from onnx import TensorProto

    def described(value: onnx.ValueInfoProto) -> dict[str, Any]:
        tensor = value.type.tensor_type
        shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
        return {"name": value.name, "shape": shape, "type": TensorProto.DataType.Name(tensor.elem_type).lower()}

    return [described(value) for value in model.graph.input], [described(value) for value in model.graph.output]


def _detector(nodes: _Nodes, monitor: Monitor) -> None:
    """The nodes from `embedding` and `logits` to `OUTPUTS`."""
    add, constant = nodes.add, nodes.constant
    detector, folded = monitor.detector, monitor.detector.folded
    readings = add("Gemm", EMBEDDING, constant(folded.weight), constant(folded.offset), transB=1)
    sizes = np.array([folded.concepts, *[folded.classes] * 3])
    parts = [f"monitor/{name}" for name in ("numerators", "named", "correction", "evidence")]
    nodes.nodes.append(_split(readings, constant(sizes), parts))
    numerators, named, correction, evidence = parts
    output = add("ArgMax", LOGITS, axis=1, keepdims=0, name=OUTPUTS[2])
    column = add("Unsqueeze", output, constant(np.array([1])))
    own = add("Equal", constant(np.arange(folded.classes)), column)
    nothing = constant(np.float32(-np.inf))

    def chosen(x: str) -> str:
        return add("GatherElements", x, column, axis=1)

    def rivals(x: str) -> str:
        return add("Where", own, nothing, x)

    def logarithm_of(x: str, least: np.float32) -> str:
        return add("Log", add("Max", x, constant(least)))

    top = chosen(LOGITS)
    shifted = add("Sub", LOGITS, top)
    others = rivals(shifted)
    weights = add("Exp", others)
    beside = nodes.sum(weights)
    total = add("Add", beside, constant(np.float32(1)))
    logarithm = add("Log", total)
    mean = add("Div", nodes.sum(add("Mul", weights, add("Where", own, constant(np.float32(0)), shifted))), total)
    scores = add("Add", add("Mul", LOGITS, constant(detector.sharpness)), correction)
    second = rivals(add("Sub", scores, chosen(scores)))
    highest = nodes.largest(second)
    second_others = add("Add", highest, add("Log", nodes.sum(add("Exp", add("Sub", second, highest)))))
    present = add("Cast", add("Greater", numerators, constant(detector.present)), to=1)
    whitened = add("MatMul", add("Concat", LOGITS, numerators, axis=1), constant(detector.whitening.T))
    gap = add("Sub", whitened, add("Gather", constant(detector.centres), output, axis=0))
    features = add(
        "Concat",
        add("Neg", logarithm_of(beside, LEAST_PROBABILITY)),
        add("Neg", nodes.largest(others)),
        add("Add", top, logarithm),
        add("Sub", logarithm, mean),
        add("Sub", chosen(named), nodes.largest(rivals(named))),
        add("Neg", second_others),
        chosen(evidence),
        add("MatMul", present, constant(detector.failure[:, None])),
        add("Log", add("Add", nodes.sum(add("Mul", gap, gap)), constant(LEAST_PROBABILITY))),
        axis=1,
    )
    standard = add("Mul", add("Sub", features, constant(detector.mean)), constant(detector.scale))
    squares = add("Min", add("Mul", standard, standard), constant(LARGEST_SQUARE))
    linear, quadratic = (
        add("MatMul", x, constant(row)) for x, row in zip((standard, squares), detector.weights, strict=True)
    )
    bias = add("Gather", constant(detector.bias), output, axis=0)
    suspicion = add("Add", add("Add", linear, quadratic), bias, name=OUTPUTS[0])
    # Each threshold that is not exceeded takes one off; a NaN, which satisfies no comparison, stays suspect.
    verdict = constant(np.int32(SUSPECT))
    for threshold in (monitor.thresholds.suspect, monitor.thresholds.accept):
        within = add("LessOrEqual", suspicion, constant(np.float32(threshold)))
        verdict = add("Sub", verdict, add("Cast", within, to=6))
    add("Cast", verdict, to=3, name=OUTPUTS[1])


def _split(x: str, sizes: str, names: list[str]) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Split", [x, sizes], names, axis=1)


def _metadata(monitor: Monitor, guarantee: Mapping[str, Any] | None) -> dict[str, str]:
    """`conspect.NAME` to JSON: what `monitor.json` says, and what the verdicts mean."""
    _, about = contents(monitor, guarantee=guarantee)
    del about["arrays"]
    about["verdicts"] = list(VERDICTS)
    return {f"conspect.{name}": json.dumps(value, ensure_ascii=False) for name, value in about.items()}


def _need_onnx() -> None:
    if find_spec("onnx") is None:
        raise outside_error(
            "MONITOR006", "exporting a monitor needs the package onnx", "pip install 'conspect[export]'"
        )
