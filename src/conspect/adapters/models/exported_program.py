"""An exported program as a network with a layer called `head`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from conspect.adapters.models.replay import no_head
from conspect.core.diagnostics import user_error

aten = torch.ops.aten
ENDS = (aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default, aten.sigmoid.default,
        aten.clone.default, aten.alias.default)  # fmt: skip
TRANSPOSED = (aten.t.default, aten.permute.default, aten.transpose.int, aten.numpy_T.default)


class Program(nn.Module):
    """An exported program whose last linear operation stands as the layer `head`: it is called for what goes into it alone,
    so that what it computes can be compared with the program's output.
    """

    def __init__(self, program: torch.export.ExportedProgram, name: str) -> None:
        """Raises UserError MODEL003 without a linear operation at the end, MODEL002 with more than one input."""
        super().__init__()
        graph_module = program.module(check_guards=False)
        assert isinstance(graph_module, fx.GraphModule)
        graph = graph_module.graph
        images = [node for node in graph.nodes if node.op == "placeholder"]
        (output,) = [node for node in graph.nodes if node.op == "output"]
        outputs = output.all_input_nodes
        if len(images) != 1 or not outputs:
            problem = f"it takes {len(images)} inputs and gives {len(outputs)} outputs"
            raise user_error(
                "MODEL002", f"{name}: {problem}", "export the classifier with one batch of images as its input"
            )
        embedding, weight, bias = _last_linear(graph_module, outputs[0], name)
        graph.set_codegen(fx.graph.CodeGen())
        output.args = ((embedding, outputs[0]),)
        graph_module.recompile()
        batch = images[0].meta["val"].shape[0]
        self._batch = batch if isinstance(batch, int) else None
        self.graph_module = graph_module
        self.head = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        self.head.weight = nn.Parameter(weight)
        if bias is not None:
            self.head.bias = nn.Parameter(bias)

    def forward(self, images: Tensor) -> Tensor:
        """What the program gives; a program of a fixed batch is run as often as needed."""
        rows, size = len(images), self._batch or len(images)
        parts = []
        for start in range(0, rows, size):
            piece = images[start : start + size]
            short = size - len(piece)
            padded = torch.cat([piece, piece[-1:].expand(short, *piece.shape[1:])]) if short else piece
            parts.append([one[: len(piece)] for one in self.graph_module(padded)])
        embeddings, outputs = (torch.cat(column) for column in zip(*parts, strict=True))
        self.head(embeddings)
        return outputs

    def train(self, mode: bool = True) -> Any:
        """A program stays in the mode it was exported in."""
        return self


def _last_linear(module: fx.GraphModule, last: fx.Node, name: str) -> tuple[fx.Node, Tensor, Tensor | None]:
    """What goes into the last linear operation, its weight `[class, D]` and its bias."""
    node = last
    while node.op == "call_function" and node.target in ENDS:
        node = node.all_input_nodes[0]
    constant = _constants(module)
    if node.target == aten.linear.default:
        given, weight, bias = (
            node.args[0],
            constant(node.args[1]),
            constant(node.args[2]) if len(node.args) > 2 else None,
        )
    elif node.target == aten.addmm.default:
        given, weight, bias = node.args[1], constant(node.args[2]), constant(node.args[0])
        weight = None if weight is None else weight.T
    else:
        given, weight, bias = None, None, None
    if not isinstance(given, fx.Node) or weight is None:
        raise no_head(
            name, f"its output comes from {node.target}, not from a linear operation with constant weights", []
        )
    return given, weight.detach().clone(), None if bias is None else bias.detach().clone()


def _constants(module: fx.GraphModule) -> Any:
    def value(node: Any) -> Tensor | None:
        if not isinstance(node, fx.Node):
            return None
        if node.op == "get_attr":
            owner, _, leaf = str(node.target).rpartition(".")
            found = getattr(module.get_submodule(owner), leaf)
            return found if isinstance(found, Tensor) else None
        if node.target in TRANSPOSED:
            inner = value(node.args[0])
            return None if inner is None or inner.ndim != 2 else inner.T
        return None

    return value
