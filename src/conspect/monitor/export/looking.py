"""An encoder's graph that looks several times: each look picks its places in the image, and all go through together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conspect.core.diagnostics import user_error
from conspect.monitor.runtime.looks import Look

if TYPE_CHECKING:
    import onnx

PREFIX = "encoder/"
# What the model says of the image as it came, `[image, class]`.
FIRST_LOGITS = "first_logits"


def around(encoder: onnx.ModelProto, looks: Sequence[Look]) -> onnx.ModelProto:
    """`image [image, y, x, 3]` to `embedding [image, look, D]`, `logits [image, look, class]` and `FIRST_LOGITS`.

    `encoder`: the same image to `embedding [image, D]` and `logits [image, class]`. Raises UserError MONITOR001 for a
    graph that takes another input, or a fixed number of images.
    """
    from onnx import compose, helper, numpy_helper

    (given,) = encoder.graph.input
    axes = given.type.tensor_type.shape.dim
    if len(axes) != 4 or axes[0].dim_value or not axes[1].dim_value or not axes[2].dim_value:
        shape = [axis.dim_param or axis.dim_value for axis in axes]
        fix = (
            "export it without the second look, or a model that takes any number of images [image, y, x, 3] of one size"
        )
        raise user_error("MONITOR001", f"a second look at an input {shape}", fix)
    whole = compose.add_prefix(encoder, PREFIX)
    constants: list[Any] = []

    def constant(value: Any) -> str:
        name = f"looks/constant_{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.int64), name))
        return name

    before: list[Any] = []
    seen: list[str] = [given.name]
    for number, look in enumerate(looks):
        rows, columns = look.places(axes[1].dim_value, axes[2].dim_value)
        moved, looked = f"looks/{number}/moved", f"looks/{number}/image"
        before.append(helper.make_node("Gather", [given.name, constant(rows)], [moved], axis=1))
        before.append(helper.make_node("Gather", [moved, constant(columns)], [looked], axis=2))
        seen.append(looked)
    before.append(helper.make_node("Concat", seen, [PREFIX + given.name], axis=0))
    after: list[Any] = []
    outputs: list[Any] = []
    for out in whole.graph.output:
        value, width = out.name.removeprefix(PREFIX), out.type.tensor_type.shape.dim[1].dim_value
        # All images at the first look, then all at the next: look becomes the second axis.
        regrouped = constant([len(looks) + 1, -1, width])
        after.append(helper.make_node("Reshape", [out.name, regrouped], [f"looks/{value}"]))
        after.append(helper.make_node("Transpose", [f"looks/{value}"], [value], perm=[1, 0, 2]))
        outputs.append(helper.make_tensor_value_info(value, 1, ["image", len(looks) + 1, width]))
        if value == "logits":
            after.append(helper.make_node("Gather", [value, constant(0)], [FIRST_LOGITS], axis=1))
            outputs.append(helper.make_tensor_value_info(FIRST_LOGITS, 1, ["image", width]))
    graph = helper.make_graph(
        [*before, *whole.graph.node, *after],
        "conspect_looks",
        [given],
        outputs,
        [*whole.graph.initializer, *constants],
        sparse_initializer=list(whole.graph.sparse_initializer),
    )
    model = helper.make_model(graph, opset_imports=list(whole.opset_import), functions=list(whole.functions))
    model.ir_version = encoder.ir_version
    return model
