"""A vision model as an ONNX graph from pixels to embedding and logits, checked against the model before it is given."""

from __future__ import annotations

import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.core.capabilities import PixelGraph, graph_of
from conspect.core.diagnostics import ConspectError, outside_error
from conspect.core.protocols import VisionModel

if TYPE_CHECKING:
    import onnx
    import torch

OPSET = 17
PACKAGES = ("torch", "onnx", "onnxruntime")
# Largest difference, relative to the largest embedding component, between the graph and the model on random pixels.
TOLERANCE = 1e-3
ALONE = "export the monitor alone, from embedding and logits, and put it behind the model"


def encoder_graph(model: VisionModel, *, seed: int = 0) -> onnx.ModelProto:
    """`image [image, y, x, 3]` uint8 RGB at the model's own size to `embedding [image, D]` and `logits [image, class]`.

    The number of images is free, unless the model's own file fixes it. Scaling and normalisation are part of the graph;
    images are neither resized nor cropped. Raises OutsideError MONITOR006 for a missing package, for a model that cannot be
    written as a graph, and when the graph's values are not the model's.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        problem = f"exporting a model needs {' and '.join(missing)}"
        raise outside_error("MONITOR006", problem, "pip install 'conspect[export,torch]'")
    written = graph_of(model)
    if written is None:
        problem = (
            f"{model.name} cannot be written as a graph: it is no torch module or ONNX file, or takes images as a library's own "
            "preprocessing wants them, or of no fixed size"
        )
        raise outside_error("MONITOR006", problem, ALONE)
    image = np.random.default_rng(seed).integers(0, 256, (3, 90, 120, 3), dtype=np.uint8)
    _compare(model, written, image)
    return written.graph  # type: ignore[no-any-return]


def traced(network: torch.nn.Module, side: tuple[int, int], name: str, *, grey: bool = False) -> onnx.ModelProto:
    """The graph of a torch module from RGB in 0..1 `[image, 3, y, x]` to embeddings and logits, from uint8 pixels on, which
    are made `grey` first.

    Double precision and bfloat16, in which ONNX Runtime has no convolutions, become single. Raises OutsideError MONITOR006 when
    torch cannot export it.
    """
    if any(find_spec(package) is None for package in PACKAGES):
        raise outside_error("MONITOR006", "exporting a model needs onnx", "pip install 'conspect[export,torch]'")
    import onnx
    import torch

    class FromPixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            values = pixels.permute(0, 3, 1, 2).to(torch.float32)
            embeddings, logits = self.network((_grey(values) if grey else values) / 255)
            return embeddings, logits

    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    sample = np.random.default_rng(0).integers(0, 256, (2, *side, 3), dtype=np.uint8)
    names = ["embedding", "logits"]
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            # The exporter that traces needs no further package; torch calls it the legacy one.
            warnings.simplefilter("ignore")
            file = Path(folder) / "model.onnx"
            whole, given = FromPixels().eval(), torch.from_numpy(sample).to(device)
            torch.onnx.export(
                whole,
                (given,),
                file,
                input_names=["image"],
                output_names=names,
                dynamic_axes={name: {0: "image"} for name in ("image", *names)},
                opset_version=OPSET,
                dynamo=False,
            )
            graph = in_single_precision(onnx.load_model_from_string(file.read_bytes()))
            with torch.inference_mode():
                made = whole(given)
            # The exporter leaves a width open that a reshape makes, and a second look must know it.
            for value, output in zip(graph.graph.output, made, strict=True):
                value.type.tensor_type.shape.dim[1].dim_value = output.shape[1]
            return graph
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise outside_error("MONITOR006", f"torch cannot export {name}: {why}", ALONE) from error


def _grey(values: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 in whole numbers, as Pillow computes it (in 65,536ths, rounded half up); exact in float32."""
    weights = values.new_tensor([19595.0, 38470.0, 7471.0]).view(1, 3, 1, 1)
    grey = (((values * weights).sum(1, keepdim=True) + 32768.0) / 65536.0).floor()
    return grey.expand(-1, 3, -1, -1)


def in_single_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with every double and bfloat16 in it as float32."""
    from onnx import TensorProto, numpy_helper

    from conspect.adapters.runtimes.onnx_runtime import parts_of, tensors_of

    wide = (TensorProto.DOUBLE, TensorProto.BFLOAT16)
    for tensor in tensors_of(model):
        if tensor.data_type in wide:
            limit = np.finfo(np.float32).max
            values = np.clip(numpy_helper.to_array(tensor).astype(np.float64), -limit, limit).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for part in parts_of(model):
        for node in part.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.name == "to" and attribute.i in wide:
                    attribute.i = TensorProto.FLOAT
        for value in (*getattr(part, "input", ()), *getattr(part, "value_info", ()), *getattr(part, "output", ())):
            if getattr(value, "type", None) is not None and value.type.tensor_type.elem_type in wide:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def _compare(model: VisionModel, written: PixelGraph, images: NDArray[np.uint8]) -> None:
    """Raises unless the graph gives the embeddings and logits of the model, for several images and for one."""
    onnxruntime = onnx_runtime()

    try:
        session = onnxruntime.InferenceSession(written.graph.SerializeToString(), providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        fixed = isinstance(given.shape[0], int)
        for count in {len(images), 1} if not fixed else {given.shape[0]}:
            some = np.repeat(images, -(-count // len(images)), axis=0)[:count]
            embeddings = model.embed(np.stack([model.prepare(image) for image in some]))
            expected = embeddings, model.head.logits(embeddings)
            run = session.run(["embedding", "logits"], {"image": np.stack([written.framed(image) for image in some])})
            allowed = max(TOLERANCE, written.tolerance)
            if not all(
                _close(np.asarray(actual), np.asarray(wanted), allowed)
                for actual, wanted in zip(run, expected, strict=True)
            ):
                raise ValueError("it gives other values than the model")
    except Exception as error:  # whatever ONNX Runtime raises of a graph that it does not take
        if isinstance(error, ConspectError):
            raise
        problem = f"the exported graph of {model.name} does not compute what the model does: {error}"
        raise outside_error("MONITOR006", problem[:400], ALONE) from error


def _close(actual: NDArray[np.floating], wanted: NDArray[np.floating], allowed: float) -> bool:
    return actual.shape == wanted.shape and bool(np.abs(actual - wanted).max() <= allowed * np.abs(wanted).max())
