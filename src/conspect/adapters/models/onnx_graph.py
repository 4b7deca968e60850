"""A vision model as an ONNX graph from pixels to embedding and logits, by torch's exporter; checked before it is given."""

from __future__ import annotations

import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conspect.core.capabilities import with_gradients
from conspect.core.diagnostics import outside_error
from conspect.core.protocols import VisionModel

if TYPE_CHECKING:
    import onnx

OPSET = 17
PACKAGES = ("torch", "onnx", "onnxruntime")
# Largest difference, relative to the largest embedding component, between the graph and the model on random pixels.
TOLERANCE = 1e-3


def encoder_graph(model: VisionModel, *, seed: int = 0) -> onnx.ModelProto:
    """`image [image, y, x, 3]` uint8 RGB at the model's own size to `embedding [image, D]` and `logits [image, class]`.

    The number of images is free. Needs a model that fulfils `DifferentiableModel`; its preprocessing is part of the
    graph, except that images are not resized. Raises OutsideError MONITOR006 for a missing package, for a model that
    offers no torch module or that torch cannot export, and when the graph's embeddings are not the model's.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        problem = f"exporting a model needs {' and '.join(missing)}"
        raise outside_error("MONITOR006", problem, "pip install 'conspect[export,torch]'")
    offering = with_gradients(model)
    if offering is None:
        fix = "export the monitor alone, from embedding and logits, and put it behind the model"
        raise outside_error("MONITOR006", f"{model.name} offers no torch module to export", fix)
    import onnx
    import torch

    network = offering.differentiable()

    class FromPixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            embeddings, logits = self.network(pixels.permute(0, 3, 1, 2).to(torch.float32) / 255)
            return embeddings, logits

    framed = offering.framed(np.zeros((8, 8, 3), dtype=np.uint8))
    sample = np.random.default_rng(seed).integers(0, 256, (3, *framed.shape), dtype=np.uint8)
    names = ["embedding", "logits"]
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            # The exporter that traces needs no further package; torch calls it the legacy one.
            warnings.simplefilter("ignore")
            file = Path(folder) / "model.onnx"
            torch.onnx.export(
                FromPixels().eval(),
                (torch.from_numpy(sample[:2]),),
                file,
                input_names=["image"],
                output_names=names,
                dynamic_axes={name: {0: "image"} for name in ("image", *names)},
                opset_version=OPSET,
                dynamo=False,
            )
            graph = file.read_bytes()
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        fix = "export the monitor alone, from embedding and logits, and put it behind the model"
        problem = (
            f"torch cannot export {model.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        )
        raise outside_error("MONITOR006", problem, fix) from error
    _compare(model, graph, sample)
    return onnx.load_model_from_string(graph)


def _compare(model: VisionModel, graph: bytes, sample: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Raises unless the graph gives the embeddings and logits of the model, also for another number of images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    embeddings = model.embed(np.stack([model.prepare(image) for image in sample]))
    expected = embeddings, model.head.logits(embeddings)
    run = session.run(["embedding", "logits"], {"image": sample})
    for found, wanted in zip(map(np.asarray, run), map(np.asarray, expected), strict=True):
        if found.shape != wanted.shape or not np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max():
            fix = "its torch module and its embed() must compute the same; or export the monitor alone"
            raise outside_error(
                "MONITOR006", f"the exported graph of {model.name} gives other values than the model", fix
            )
