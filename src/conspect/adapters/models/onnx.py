"""ONNX classifiers through ONNX Runtime: the graph is cut before its last Gemm or MatMul. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters import preprocessing
from conspect.adapters.models.onnx_outputs import logits_of, precision_of
from conspect.adapters.models.replay import A_NAME_EACH, confirm, no_head
from conspect.adapters.models.torch_heads import NO_HEAD, NOTHING, are_shares, fitting, outputs_as_two_classes
from conspect.adapters.preprocessing import GreyPreparation, Preparation, Preprocessing, framed_grey, preparation_digest
from conspect.adapters.runtimes.input_form import InputForm, taken_form
from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.adapters.runtimes.onnx_runtime import Session, read_graph, readings_of_input
from conspect.adapters.runtimes.probes import confirm_function, confirm_logits, noise_like, prepared_probes, sketch
from conspect.adapters.sources import classes
from conspect.adapters.sources.classes import distinct
from conspect.adapters.sources.request import Request
from conspect.core.capabilities import PixelGraph
from conspect.core.diagnostics import SourceLocation, UserError, user_error
from conspect.core.digests import digest_bytes, digest_json
from conspect.core.foreign_code import calling
from conspect.core.protocols import LayerDeparture, LayerMark
from conspect.core.spaces import AffineMap, Floats, Head
from conspect.core.statements import Statement

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-4
# Nodes between the head and the output that keep the order of the logits, or only rename them.
ENDS = (
    "Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Gather",
    "Slice", "Transpose",
)  # fmt: skip
# Scales and shifts, which are fitted, and averages over positions, which do not care on which side of an affine map they are.
SCALES = ("Mul", "Div", "Add", "Sub", "Neg", "BatchNormalization", "GlobalAveragePool", "AveragePool", "ReduceMean")
# What is computed from weights alone is computed once, up to so many numbers.
FOLDED = (
    "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Div", "Mul", "Add", "Sub", "Pow", "Sqrt", "Abs", "Neg", "Reciprocal",
    "ReduceL2", "ReduceSum", "ReduceSumSquare", "ReduceMean", "Clip", "Max", "Min", "Concat", "Exp", "Expand", "LpNormalization",
)  # fmt: skip
LARGEST_CONSTANT = 1 << 26
FILE = "model.onnx"


@dataclass(frozen=True, eq=False)
class _Cut:
    """A node that can be the head: what goes in, and weight and bias."""

    node: str
    embedding: str
    head: Head


def load(request: Request) -> OnnxModel:
    """`path` is an ONNX file, or a folder with model.onnx; preprocessor_config.json and config.json beside it say what
    `preprocessing` and `classes` do not.

    Raises UserError MODEL002, MODEL003 (no head), MODEL004 (device), MODEL005 (data outside the folder); OutsideError MODEL001.
    """
    path = request.path or Path(FILE)
    path = path / FILE if path.is_dir() else path
    if request.precision != "fp32":
        fix = "leave `precision` out; convert the file itself to run it in another precision"
        raise user_error(
            "MODEL004", "an ONNX model runs in the precision that is written in it", fix, SourceLocation(str(path))
        )
    steps = request.own_preprocessing() or preprocessing.read_preprocessing(path.parent / preprocessing.FILE)
    names = request.class_names(lambda: classes.read_classes(path.parent / classes.FILE))
    return OnnxModel(
        path, steps, names, name=request.label, head=request.head, output=request.output, device=request.device
    )


class OnnxModel:
    """`head . encoder` of an ONNX graph. Fulfils `VisionModel`."""

    without_positions = (
        "an ONNX file gives what it was exported to give, and shows no positions inside it; the torch network that it was made "
        "from, or that network's torch.export program, does"
    )

    def __init__(
        self,
        path: Path,
        steps: Preprocessing,
        class_names: tuple[str, ...],
        *,
        name: str,
        head: str | None = None,
        output: str | None = None,
        device: str = "cpu",
    ) -> None:
        """`head`: the name of a node, or of its output, where the search finds none, or "none" for the outputs alone; `output`:
        the name or number of the output with the logits. Raises as `load` does.
        """
        model = read_graph(path, "MODEL002")
        import onnx

        onnxruntime = onnx_runtime()

        self.name, self.class_names = name, distinct(class_names, name)
        content = digest_bytes(model.SerializeToString(deterministic=True))
        self._output = logits_of(model.graph, len(class_names), output, path)
        cut = None if head == NOTHING else _find(model.graph, self._output, head, name)
        if cut is not None and cut.embedding not in {value.name for value in model.graph.output}:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(cut.embedding))
        self._session = Session(model, device=device, place=path, code="MODEL002")
        taken = _one_batch_of_images(self._session, path)
        self._input = taken.name
        self._embedding = None if cut is None else cut.embedding
        self._node, self._device = None if cut is None else cut.node, device
        self._steps, self._path, self._averaged = steps, path, False
        self._shares, self._one_means_two, self._single = False, False, False
        self._take(taken_form(readings_of_input(taken), self._tried, name))
        self.tolerance = max(TOLERANCE, self._form.tolerance, precision_of(model.graph))
        self.preprocessing = self._prepare.sentence
        probes = prepared_probes(self._prepare, name)
        embeddings, outputs = self._run(probes)
        replayed = None if cut is None else fitting(cut.head, embeddings, outputs, self.tolerance)
        if cut is not None and replayed is None and head is not None:
            raise no_head(name, f"{cut.node!r} applied to its input does not give the model's output", [])
        if replayed is None:
            confirm_logits(np.concatenate([outputs, *self._of_noise(probes)]), name, pictures=head == NOTHING)
            self._embedding = None
            self._shares = are_shares(outputs)
            replayed = Head.identity(max(outputs.shape[1], 2)), "softmax" if self._shares else "logits"
        self.head, self._ending = replayed
        # What a single output says of two classes is known only with the head that replays it.
        self._one_means_two = True
        if self.head.classes != len(class_names):
            raise _other_number_of_names(outputs, class_names, path)
        self.embedding_size = int(self.head.layers[0].weight.shape[1])
        confirmed = self._confirmed(probes)
        node = NOTHING if cut is None or self._embedding is None else cut.node
        described = [content, preparation_digest(self._prepare), node, self._output, device.partition(":")[0]]
        self.digest = digest_json([*described, sketch(confirmed)])
        self.statement = self._statement(node, onnxruntime.__version__)

    def _statement(self, node: str, version: str) -> Statement:
        replays = f"the head ({node}) replays the model's {self._ending} on every batch, to {self.tolerance:g}"
        return Statement(
            f"ONNX Runtime {version}",
            self._device,
            "as in the file",
            checked=(
                *([] if node == NOTHING else [replays]),
                "probe images have the same embeddings together, again, and alone",
                *([self._form.tried] if self._form.tried else []),
            ),
            cannot=(*([NO_HEAD] if node == NOTHING else []), "be attacked: ONNX Runtime gives no gradients"),
        )

    def _take(self, form: InputForm) -> None:
        self._form = form
        self._prepare: Preparation = GreyPreparation(self._steps) if form.grey else self._steps

    def _tried(self, form: InputForm) -> Floats:
        self._take(form)
        return self._run(prepared_probes(self._prepare, self.name))[1]

    def _of_noise(self, probes: NDArray[np.float32]) -> list[Floats]:
        """What the graph gives for noise, where it takes numbers that are not whole."""
        if self._form.takes_bytes:
            return []
        made = [self._run(noise)[1] for noise in noise_like(probes)]
        return [rows[np.isfinite(rows).all(axis=1)] for rows in made]

    def _confirmed(self, probes: NDArray[np.float32]) -> Floats:
        """The embeddings of probes. What is no function of one image is told as that, also where it shows in the head alone."""
        try:
            return confirm_function(self.embed, probes, name=self.name, tolerance=self.tolerance)
        except UserError as error:
            if error.diagnostics[0].code == "MODEL003":
                confirm_function(lambda batch: self._run(batch)[1], probes, name=self.name, tolerance=self.tolerance)
            raise

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        names = [self._output, *([] if self._embedding in (None, self._output) else [str(self._embedding)])]
        with calling(self.name, "the graph", f"{list(batch.shape)} {batch.dtype}", self._form.wanted):
            arrays = self._session.run({self._input: self._form.fed(batch, self.name)}, names)
        outputs = arrays[0].reshape(len(batch), -1).astype(np.float64)
        self._single = outputs.shape[1] == 1
        if self._embedding is None:
            if outputs.shape[1] == 1 and self._one_means_two:
                outputs, _ = outputs_as_two_classes(outputs, "sigmoid" if self._shares else "logits")
            return (np.log(np.maximum(outputs, 1e-30)) if self._shares else outputs), outputs
        embeddings = arrays[-1].astype(np.float64)
        self._averaged = embeddings.ndim == 4 and embeddings.shape[2:] != (1, 1)
        # What is pooled before or after a 1 x 1 convolution is the same; one value a channel may still carry its two axes.
        return (embeddings.mean((2, 3)) if embeddings.ndim == 4 else embeddings.reshape(len(batch), -1)), outputs

    def pixel_graph(self) -> PixelGraph:
        """The model's own graph, with its normalisation before it and its head behind it."""
        from conspect.adapters.models.onnx_joined import Joint, joined

        graph = read_graph(self._path, "MODEL002")
        joint = Joint(
            self._embedding or self._output,
            averaged=self._averaged,
            shares=self._shares,
            one=self._embedding is None and self._single,
        )
        made = joined(graph, joint, self.head, self._steps, self._form)
        framed = framed_grey(self._steps) if self._form.grey else self._steps.framed
        return PixelGraph(made, framed, self.tolerance if self.tolerance > TOLERANCE else 0.0)

    def departures(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerDeparture, ...]:
        """How far the graph's batch norms are from their records on prepared images; see `onnx_records.graph_departures`."""
        import onnx

        from conspect.adapters.models.onnx_records import graph_departures, recording_nodes

        model = read_graph(self._path, "MODEL002")
        constants = _constants(model.graph)
        nodes = recording_nodes(model.graph, constants)
        known = {value.name for value in model.graph.output}
        for name in dict.fromkeys(node.input[0] for node in nodes):
            if name not in known and name != self._input:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        nodes = [node for node in nodes if node.input[0] != self._input]
        session = Session(model, device=self._device, place=self._path, code="MODEL002") if nodes else None

        def run(batch: NDArray[np.float32], names: list[str]) -> list[NDArray[np.float32]]:
            assert session is not None
            return session.run({self._input: self._form.fed(batch, self.name)}, names)

        return graph_departures(nodes, constants, run, batches)

    def marks(self) -> tuple[LayerMark, ...]:
        """What pruning and rounding left in the encoder's weights; see `weight_marks.layer_marks`."""
        from conspect.adapters.models.onnx_records import graph_weights
        from conspect.adapters.models.weight_marks import layer_marks

        graph = read_graph(self._path, "MODEL002").graph
        return layer_marks(graph_weights(graph, _constants(graph), self._node))

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to `[3, y, x]` float32, or `[1, y, x]` for a graph of one channel."""
        return self._prepare(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32: what goes into the head. Raises UserError MODEL003 when it does not replay."""
        embeddings, outputs = self._run(batch)
        ending = self._ending
        if outputs.shape[1] == 1:
            outputs, ending = outputs_as_two_classes(outputs, ending)
        confirm(self.head, embeddings, outputs, ending, tolerance=self.tolerance, name=self.name)
        return embeddings.astype(np.float32)


def _one_batch_of_images(session: Session, path: Path) -> Any:
    """The only input, as ONNX Runtime declares it. Raises UserError MODEL002 for another number of inputs, or of axes."""
    inputs = session.inputs
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        problem = f"it takes {', '.join(f'{value.name} {value.shape}' for value in inputs)}, not one batch of images"
        fix = "give a classifier with one input [image, 3, y, x]"
        raise user_error("MODEL002", problem, fix, SourceLocation(str(path)))
    return inputs[0]


def _other_number_of_names(outputs: NDArray[np.float64], class_names: Sequence[str], path: Path) -> UserError:
    named = "there is 1 class name" if len(class_names) == 1 else f"there are {len(class_names)} class names"
    problem = f"its output has shape {outputs.shape[1:]} for an image, and {named}"
    return user_error("MODEL002", problem, A_NAME_EACH, SourceLocation(str(path)))


def _find(graph: Any, output: str, named: str | None, name: str) -> _Cut | None:
    """The named node, or the Gemm, MatMul and Add, or 1 x 1 Conv that the output comes from; None where there is none."""
    constants = _constants(graph)
    nodes = {value: node for node in graph.node for value in node.output}
    cuts = [cut for node in graph.node if (cut := _cut(node, nodes, constants)) is not None]
    listed = [f"{cut.node} ({cut.head.layers[0].weight.shape[1]} -> {cut.head.classes})" for cut in cuts]
    if named is not None:
        for cut in cuts:
            if named == cut.node:
                return cut
        raise no_head(name, f"it has no Gemm, MatMul or 1 x 1 Conv with constant weights called {named!r}", listed)
    node = nodes.get(output)
    while node is not None:
        product = _cut(node, nodes, constants)
        if product is not None:
            return product
        if node.op_type not in (*ENDS, *SCALES):
            return None
        node = next((nodes[value] for value in node.input if value in nodes and value not in constants), None)
    return None


def _constants(graph: Any) -> dict[str, NDArray[Any]]:
    """Initializers, constants and what is computed from them alone, such as the normalised weight of a head of cosines."""
    arrays = {tensor.name: _array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            arrays[node.output[0]] = _array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
        elif node.op_type in FOLDED and all(name in arrays for name in node.input if name):
            made = _folded(node, arrays)
            if made is not None:
                arrays[node.output[0]] = made
    return arrays


def _array(tensor: Any) -> NDArray[Any]:
    """Raises UserError MODEL002 where the bytes are not those of the declared shape, which older onnx checks no earlier."""
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        problem = f"the constant {tensor.name[:100]!r} of the graph does not hold what it declares: {error}"
        raise user_error("MODEL002", problem, "export the file again") from error


def _folded(node: Any, constants: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """What a node makes of constants, by onnx's reference; None where that is too large or not possible."""
    from onnx.reference import ReferenceEvaluator

    given = {name: constants[name] for name in node.input if name}
    if sum(value.size for value in given.values()) > LARGEST_CONSTANT:
        return None
    if node.op_type == "Expand" and math.prod(map(int, constants[node.input[1]].ravel())) > LARGEST_CONSTANT:
        return None
    try:
        (made,) = ReferenceEvaluator(node).run(None, given)
    except Exception:  # the reference has not every operation in every version, and raises of its own
        return None
    return np.asarray(made) if np.size(made) <= LARGEST_CONSTANT else None


def _cut(node: Any, nodes: dict[str, onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> _Cut | None:
    bias: NDArray[Any] | None = None
    product = node
    if node.op_type == "Add":
        for first, second in ((0, 1), (1, 0)):
            if node.input[second] in constants and node.input[first] in nodes:
                bias, product = constants[node.input[second]], nodes[node.input[first]]
        if product.op_type != "MatMul":
            return None
    if product.op_type not in ("Gemm", "MatMul", "Conv") or product.input[1] not in constants:
        return None
    if product.op_type == "Conv":
        return _pointwise(product, constants)
    weight = constants[product.input[1]].astype(np.float64)
    options = {
        attribute.name: attribute.i if attribute.type == 2 else attribute.f for attribute in product.attribute
    }  # AttributeProto.INT is 2
    if product.op_type == "Gemm":
        weight = (weight if options.get("transB", 0) else weight.T) * options.get("alpha", 1.0)
        if options.get("transA", 0) or (len(product.input) > 2 and product.input[2] not in constants):
            return None
        if len(product.input) > 2:
            bias = constants[product.input[2]] * options.get("beta", 1.0)
    else:
        weight = weight.T
    if weight.ndim != 2 or (bias is not None and bias.size not in (1, len(weight))):
        return None
    offset = (
        np.zeros(len(weight)) if bias is None else np.broadcast_to(bias.astype(np.float64).ravel(), len(weight)).copy()
    )
    key = node.name or node.output[0]
    return _Cut(key, product.input[0], Head((AffineMap(np.ascontiguousarray(weight), offset),)))


def _pointwise(node: Any, constants: dict[str, NDArray[Any]]) -> _Cut | None:
    """A 1 x 1 convolution without groups, strides or padding: an affine map of every position."""
    weight = constants[node.input[1]].astype(np.float64)
    options = {attribute.name: attribute for attribute in node.attribute}
    plain = all(set(options[key].ints) <= {value} for key, value in (("strides", 1), ("pads", 0)) if key in options)
    grouped = "group" in options and options["group"].i != 1
    biased = len(node.input) > 2
    if (
        weight.ndim != 4
        or weight.shape[2:] != (1, 1)
        or grouped
        or not plain
        or (biased and node.input[2] not in constants)
    ):
        return None
    offset = constants[node.input[2]].astype(np.float64) if biased else np.zeros(len(weight))
    matrix = np.ascontiguousarray(weight[:, :, 0, 0])
    return _Cut(node.name or node.output[0], node.input[0], Head((AffineMap(matrix, offset),)))
