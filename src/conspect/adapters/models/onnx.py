"""ONNX classifiers through ONNX Runtime: the graph is cut before its last Gemm or MatMul. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters import preprocessing
from conspect.adapters.models.replay import confirm, ending_of, no_head
from conspect.adapters.preprocessing import Preprocessing
from conspect.adapters.preprocessing.known_images import known_images
from conspect.adapters.runtimes.onnx_runtime import Session, read_graph
from conspect.adapters.sources import classes
from conspect.adapters.sources.request import Request
from conspect.core.capabilities import PixelGraph
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.digests import digest_bytes, digest_json
from conspect.core.spaces import AffineMap, Head
from conspect.core.statements import Statement

TOLERANCE = 1e-4
# Nodes between the head and the output that keep the order of the logits, or only rename them.
ENDS = ("Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast", "Flatten", "Reshape", "Squeeze")
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
    return OnnxModel(path, steps, names, name=request.label, head=request.head, device=request.device)


class OnnxModel:
    """`head . encoder` of an ONNX graph. Fulfils `VisionModel`."""

    def __init__(
        self,
        path: Path,
        steps: Preprocessing,
        class_names: tuple[str, ...],
        *,
        name: str,
        head: str | None = None,
        device: str = "cpu",
    ) -> None:
        """`head`: the name of a node, or of its output, where the search finds none. Raises as `load` does."""
        model = read_graph(path, "MODEL002")
        import onnx
        import onnxruntime

        content = digest_bytes(model.SerializeToString(deterministic=True))
        cut = _find(model.graph, head, name)
        self._output = model.graph.output[0].name
        if cut.embedding not in {value.name for value in model.graph.output}:
            shape = onnx.helper.make_empty_tensor_value_info(cut.embedding)
            model.graph.output.append(shape)
        self._cut, self._steps, self._path = cut, steps, path
        self._session = Session(model, device=device, place=path, code="MODEL002")
        inputs = self._session.inputs
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            problem = f"it takes {', '.join(f'{one.name} {one.shape}' for one in inputs)}, not one batch of images"
            raise user_error(
                "MODEL002", problem, "give a classifier with one input [image, 3, y, x]", SourceLocation(str(path))
            )
        self._input, self._channels_last = inputs[0].name, inputs[0].shape[3] == 3 and inputs[0].shape[1] != 3
        self.name, self.class_names, self.head = name, class_names, cut.head
        self.preprocessing = steps.sentence
        self.embedding_size = int(cut.head.layers[0].weight.shape[1])
        self._check(path)
        kind = device.partition(":")[0]
        self.digest = digest_json([content, steps.to_json(), cut.node, kind])
        self.statement = Statement(
            f"ONNX Runtime {onnxruntime.__version__}",
            device,
            "as in the file",
            checked=(f"the head ({cut.node}) replays the model's {self._ending} on every batch, to {TOLERANCE:g}",),
            cannot=("be attacked: ONNX Runtime gives no gradients",),
        )

    def _check(self, path: Path) -> None:
        embeddings, outputs = self._run(np.stack([self._steps(image) for image in known_images()]))
        if outputs.ndim != 2 or outputs.shape[1] != len(self.class_names):
            problem = f"its output has shape {outputs.shape[1:]} for an image, and there are {len(self.class_names)} class names"
            raise user_error(
                "MODEL002", problem, "give one name per output, in order, with `classes`", SourceLocation(str(path))
            )
        fits = embeddings.ndim == 2 and embeddings.shape[1] == self.embedding_size
        ending = ending_of(self.head.logits(embeddings), outputs, TOLERANCE) if fits else None
        if ending is None:
            raise no_head(self.name, f"{self._cut.node!r} applied to its input does not give the model's output", [])
        self._ending = ending

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        images = batch.transpose(0, 2, 3, 1) if self._channels_last else batch
        embeddings, outputs = self._session.run({self._input: images}, [self._cut.embedding, self._output])
        # What is pooled to one value a channel may still carry its two axes.
        return embeddings.reshape(len(batch), -1), outputs

    def pixel_graph(self) -> PixelGraph:
        """The model's own graph, with its normalisation before it and its head behind it."""
        from conspect.adapters.models.onnx_joined import joined

        graph = read_graph(self._path, "MODEL002")
        made = joined(graph, self._cut.embedding, self.head, self._steps, channels_last=self._channels_last)
        return PixelGraph(made, self._steps.framed)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to `[3, y, x]` float32."""
        return self._steps(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32: what goes into the head. Raises UserError MODEL003 when it does not replay."""
        embeddings, outputs = self._run(batch)
        confirm(self.head, embeddings, outputs, self._ending, tolerance=TOLERANCE, name=self.name)
        return embeddings


def _find(graph: Any, named: str | None, name: str) -> _Cut:
    """The named node, or the Gemm, or MatMul and Add, that the first output comes from."""
    constants = _constants(graph)
    nodes = {output: node for node in graph.node for output in node.output}
    cuts = [cut for node in graph.node if (cut := _cut(node, nodes, constants)) is not None]
    listed = [f"{cut.node} ({cut.head.layers[0].weight.shape[1]} -> {cut.head.classes})" for cut in cuts]
    if named is not None:
        for cut in cuts:
            if named == cut.node:
                return cut
        raise no_head(name, f"it has no Gemm or MatMul with constant weights called {named!r}", listed)
    node = nodes.get(graph.output[0].name)
    while node is not None and node.op_type in ENDS:
        node = nodes.get(node.input[0])
    last = None if node is None else _cut(node, nodes, constants)
    if last is None:
        kind = "its input" if node is None else f"a {node.op_type} node"
        raise no_head(name, f"its output comes from {kind}, not from a Gemm or MatMul with constant weights", listed)
    return last


def _constants(graph: Any) -> dict[str, NDArray[Any]]:
    """Initializers, constants and what only renames or transposes them."""
    from onnx import numpy_helper

    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type in ("Identity", "Cast") and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
        elif node.op_type == "Transpose" and node.input[0] in found:
            order = next((list(one.ints) for one in node.attribute if one.name == "perm"), None)
            found[node.output[0]] = found[node.input[0]].transpose(order)
    return found


def _cut(node: Any, nodes: dict[str, Any], constants: dict[str, NDArray[Any]]) -> _Cut | None:
    bias: NDArray[Any] | None = None
    product = node
    if node.op_type == "Add":
        for first, second in ((0, 1), (1, 0)):
            if node.input[second] in constants and node.input[first] in nodes:
                bias, product = constants[node.input[second]], nodes[node.input[first]]
        if product.op_type != "MatMul":
            return None
    if product.op_type not in ("Gemm", "MatMul") or product.input[1] not in constants:
        return None
    weight = constants[product.input[1]].astype(np.float64)
    options = {one.name: one.i if one.type == 2 else one.f for one in product.attribute}  # AttributeProto.INT is 2
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
