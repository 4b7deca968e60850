"""An exported program as a network with a layer called `head`, where its graph has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from conspect.adapters.models.replay import no_head
from conspect.adapters.models.torch_heads import NOTHING
from conspect.adapters.runtimes.input_form import Readings, readings_of
from conspect.core.diagnostics import user_error

aten = torch.ops.aten
# What may stand between head and output: endings, scales and shifts (fitted later), and what only renames.
ENDS = {
    aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default, aten.sigmoid.default,
    aten.clone.default, aten.alias.default, aten.mul.Tensor, aten.div.Tensor, aten.add.Tensor, aten.sub.Tensor,
    aten.view.default, aten.reshape.default, aten._unsafe_view.default, aten.flatten.using_ints, aten.squeeze.dim,
    aten.squeeze.dims, aten.squeeze.default, aten.mean.dim, aten.adaptive_avg_pool2d.default, aten._to_copy.default,
    aten.to.dtype, aten.dropout.default,
}  # fmt: skip
# What is computed from weights alone is computed once, up to so many numbers.
LARGEST_CONSTANT = 1 << 26
SORTS = (aten.topk.default, aten.sort.default, aten.sort.stable)
CONVOLUTIONS = (aten.conv2d.default, aten.convolution.default)


@dataclass(frozen=True, eq=False)
class _Linear:
    """A linear operation of the graph: what goes in, weight `[class, D]`, bias."""

    node: fx.Node
    given: fx.Node
    weight: Tensor
    bias: Tensor | None


class Program(nn.Module):
    """An exported program whose last linear operation stands as the layer `head`: it is called for what goes into it alone,
    so that what it computes can be compared with the program's output.
    """

    def __init__(
        self,
        program: torch.export.ExportedProgram,
        name: str,
        *,
        classes: int,
        head: str | None = None,
        output: str | None = None,
    ) -> None:
        """`head` names a node of the graph, `output` counts outputs from 0. Raises UserError MODEL003 for a node that is no
        linear operation, MODEL002 with more than one input or an output that is not there.
        """
        super().__init__()
        graph_module = program.module(check_guards=False)
        assert isinstance(graph_module, fx.GraphModule)
        graph = graph_module.graph
        images = [node for node in graph.nodes if node.op == "placeholder"]
        (last,) = [node for node in graph.nodes if node.op == "output"]
        outputs = [node for node in last.all_input_nodes if isinstance(node.meta.get("val"), Tensor)]
        if len(images) != 1 or not outputs:
            problem = f"it takes {len(images)} inputs and gives {len(last.all_input_nodes)} outputs"
            raise user_error(
                "MODEL002", f"{name}: {problem}", "export the classifier with one batch of images as its input"
            )
        logits = _chosen(outputs, classes, output, name)
        linear = _head(graph_module, logits, head, name)
        graph.set_codegen(fx.graph.CodeGen())
        last.args = ((*([] if linear is None else [linear.given]), logits),)
        graph_module.recompile()
        self.readings = _readings(images[0])
        batch = images[0].meta["val"].shape[0]
        self._batch = batch if isinstance(batch, int) else None
        self.graph_module = graph_module
        self.head: nn.Linear | None = None
        if linear is not None:
            self.head = nn.Linear(linear.weight.shape[1], linear.weight.shape[0], bias=linear.bias is not None)
            self.head.weight = nn.Parameter(linear.weight, requires_grad=False)
            if linear.bias is not None:
                self.head.bias = nn.Parameter(linear.bias, requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """What the program gives; a program of a fixed batch is run as often as needed."""
        *given, outputs = self._run(images) if self._batch is None else self._in_pieces(images, self._batch)
        if self.head is not None:
            self.head(given[0].mean((2, 3)) if given[0].ndim == 4 else given[0].flatten(1))
        return outputs

    def _run(self, images: Tensor) -> Sequence[Tensor]:
        # The check of the input's shape that torch puts before a program cannot be traced, which exporting to ONNX does.
        run = fx.Interpreter(self.graph_module).run if torch.jit.is_tracing() else self.graph_module  # type: ignore[attr-defined,no-untyped-call]
        outputs: Sequence[Tensor] = run(images)
        return outputs

    def _in_pieces(self, images: Tensor, size: int) -> list[Tensor]:
        parts = []
        for start in range(0, len(images), size):
            piece = images[start : start + size]
            short = size - len(piece)
            padded = torch.cat([piece, piece[-1:].expand(short, *piece.shape[1:])]) if short else piece
            # A program that squeezes its output loses the axis of a batch of one.
            whole = [output[None] if size == 1 and output.shape[:1] != (1,) else output for output in self._run(padded)]
            parts.append([output[: len(piece)] for output in whole])
        return [torch.cat(column) for column in zip(*parts, strict=True)]

    def train(self, mode: bool = True) -> Any:
        """A program stays in the mode it was exported in."""
        return self


def _readings(images: fx.Node) -> Readings:
    value = images.meta["val"]
    shape = [side if isinstance(side, int) else str(side) for side in value.shape]
    kind = str(value.dtype).removeprefix("torch.")
    return readings_of(shape, kind, f"its input is {shape} {kind}")


def _chosen(outputs: list[fx.Node], classes: int, named: str | None, name: str) -> fx.Node:
    if named is not None:
        for index, node in enumerate(outputs):
            if named in (str(index), node.name):
                return node
        listed = "; ".join(f"{index}: {list(node.meta['val'].shape)}" for index, node in enumerate(outputs))
        raise user_error("MODEL002", f"{name} has no output {named!r}", f"name one with `output`: {listed}")
    real = [node for node in outputs if node.meta["val"].is_floating_point()]
    if not real:
        problem = f"{name} gives whole numbers, such as classes; logits are floats"
        raise user_error("MODEL002", problem, "export the network with its logits")
    columns = [node.meta["val"].shape[1] if len(node.meta["val"].shape) > 1 else None for node in real]
    for wanted in (classes, 1 if classes == 2 else classes):
        fitting = [node for node, number in zip(real, columns, strict=True) if number == wanted]
        if len(fitting) > 1:
            numbers = " and ".join(str(outputs.index(node)) for node in fitting)
            fix = f'say which holds the logits: output = "{outputs.index(fitting[0])}"'
            raise user_error("MODEL002", f"{name}: outputs {numbers} have as many columns as there are classes", fix)
        if fitting:
            return _unsorted(fitting[0], name)
    return real[0]


def _unsorted(node: fx.Node, name: str) -> fx.Node:
    if any(source.target in SORTS for source in node.all_input_nodes):
        problem = f"{name} gives sorted values, so that their columns are not the classes"
        raise user_error("MODEL002", problem, "export the network with its logits")
    return node


def _head(module: fx.GraphModule, logits: fx.Node, named: str | None, name: str) -> _Linear | None:
    """The node called `named`, or the linear operation that the logits come from; None where there is none."""
    if named == NOTHING:
        return None
    constant = _constants(module)
    if named is not None:
        every = [layer for node in module.graph.nodes if (layer := _linear(node, constant)) is not None]
        for layer in every:
            if layer.node.name == named:
                return layer
        listed = [f"{layer.node.name} ({layer.weight.shape[1]} -> {layer.weight.shape[0]})" for layer in every]
        raise no_head(name, f"it has no linear operation called {named!r}", listed)
    node: fx.Node | None = logits
    while node is not None and node.op == "call_function" and node.target in ENDS:
        node = next((source for source in node.all_input_nodes if constant(source) is None), None)
    return None if node is None else _linear(node, constant)


def _linear(node: fx.Node, constant: Any) -> _Linear | None:
    given: Any = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    if node.target == aten.addmm.default:
        given, bias = node.args[1], constant(node.args[0])
        weight = None if (matrix := constant(node.args[2])) is None else matrix.T
    elif node.target in (aten.mm.default, aten.matmul.default):
        given = node.args[0]
        weight = None if (matrix := constant(node.args[1])) is None or matrix.ndim != 2 else matrix.T
    elif node.target == aten.linear.default or node.target in CONVOLUTIONS:
        given, weight = node.args[0], constant(node.args[1])
        bias = constant(node.args[2]) if len(node.args) > 2 else None
    if not isinstance(given, fx.Node) or weight is None or any(side != 1 for side in weight.shape[2:]):
        return None
    if node.target in CONVOLUTIONS and (weight.ndim != 4 or weight.shape[1] != given.meta["val"].shape[1]):
        return None
    matrix = weight.detach().clone().reshape(weight.shape[:2])
    return _Linear(node, given, matrix, None if bias is None else bias.detach().clone())


def _constants(module: fx.GraphModule) -> Any:
    def value(node: Any) -> Tensor | None:
        if not isinstance(node, fx.Node):
            return None
        if node.op == "get_attr":
            owner, _, leaf = str(node.target).rpartition(".")
            tensor = getattr(module.get_submodule(owner), leaf)
            return tensor if isinstance(tensor, Tensor) else None
        target = node.target
        if not callable(target) or not node.all_input_nodes:
            return None
        # Such as the weight of a head of cosines, which is normalised in the graph.
        inputs = {source: value(source) for source in node.all_input_nodes}
        if any(source is None or source.numel() > LARGEST_CONSTANT for source in inputs.values()):
            return None
        with torch.no_grad():
            made = target(*fx.map_arg(node.args, inputs.get), **fx.map_arg(node.kwargs, inputs.get))
        return made if isinstance(made, Tensor) and made.numel() <= LARGEST_CONSTANT else None

    return value
