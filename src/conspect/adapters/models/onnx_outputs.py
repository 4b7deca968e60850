"""What an ONNX graph gives: which of its outputs holds the logits, and how precise its weights are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conspect.adapters.models.torch_outputs import LOGITS
from conspect.adapters.runtimes.input_form import TOLERANCES
from conspect.core.diagnostics import SourceLocation, user_error

# float, float16, double and bfloat16 of TensorProto.DataType.
FLOATS = (1, 10, 11, 16)


def precision_of(graph: Any) -> float:
    """The tolerance of half precision where weights are kept in it (tensors of type 10 float16 and 16 bfloat16)."""
    kinds = {tensor.data_type for tensor in graph.initializer}
    return max(TOLERANCES["float16"] if 10 in kinds else 0.0, TOLERANCES["bfloat16"] if 16 in kinds else 0.0)


def logits_of(graph: Any, classes: int, named: str | None, path: Path) -> str:
    """The output called `named` or of that number; else what is called logits, else what has as many columns as classes (one for
    two). Raises UserError MODEL002 where there is none, or where several fit.
    """
    names = [value.name for value in graph.output]
    if named is not None:
        chosen = next((name for index, name in enumerate(names) if named in (name, str(index))), None)
        if chosen is None:
            fix = f"name one with `output`: {', '.join(names)}"
            raise user_error("MODEL002", f"it has no output {named!r}", fix, SourceLocation(str(path)))
        return str(chosen)
    fix = f"say which holds the logits with `output`: {', '.join(names)}"
    other = [value.name for value in graph.output if not value.type.HasField("tensor_type")]
    if len(other) == len(names):
        problem = f"its outputs ({', '.join(other)}) are sequences or maps, not a tensor [image, class]"
        raise user_error(
            "MODEL002", problem, "export it without ZipMap, with the tensor of its logits", SourceLocation(str(path))
        )
    whole = [value.name for value in graph.output if value.type.tensor_type.elem_type not in FLOATS]
    real = [value for value in graph.output if value.name not in whole]
    if not real:
        problem = f"its outputs ({', '.join(whole)}) are whole numbers, such as classes; logits are floats"
        raise user_error("MODEL002", problem, "export the network with its logits", SourceLocation(str(path)))
    called = next((value.name for name in LOGITS for value in real if value.name == name), None)
    columns = {
        value.name: dims[1].dim_value if len(dims := value.type.tensor_type.shape.dim) > 1 else None for value in real
    }
    fitting = [name for name, number in columns.items() if number == classes]
    fitting = fitting or [name for name, number in columns.items() if classes == 2 and number == 1]
    if called is None and len(fitting) > 1:
        problem = f"{' and '.join(fitting)} have as many columns as there are classes"
        raise user_error("MODEL002", problem, fix, SourceLocation(str(path)))
    chosen = str(called or (fitting or list(columns))[0])
    sorts = [node for node in graph.node if node.op_type == "TopK" and chosen in node.output[:1]]
    if sorts:
        problem = f"{chosen} is sorted, so that its columns are not the classes"
        raise user_error("MODEL002", problem, "export the network with its logits", SourceLocation(str(path)))
    return chosen
