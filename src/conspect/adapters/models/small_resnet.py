"""This project's residual network for 32 x 32 images, from a safetensors file that says how to read itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from conspect.core.capabilities import PixelGraph
from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.digests import digest_arrays, digest_json
from conspect.core.protocols import LayerDeparture, LayerMark, LayerMoments
from conspect.core.spaces import Head
from conspect.core.statements import Statement

if TYPE_CHECKING:
    from torch import nn

SIDE = 32


class SmallResNetModel:
    """The encoder and head of a trained `SmallResNet`. Fulfils `VisionModel` and `DifferentiableModel`."""

    preprocessing = f"resized to {SIDE} x {SIDE} where it is not (bicubic), minus channel mean, over channel deviation"

    def __init__(self, path: Path, *, name: str) -> None:
        """Raises: OutsideError MODEL001 without torch; UserError MODEL002 when the file is not such a network."""
        if find_spec("torch") is None:
            raise outside_error("MODEL001", "this model needs torch", "pip install 'conspect[torch]'")
        import torch

        from conspect.adapters.models.resnet import SmallResNet

        try:
            with safe_open(path, framework="numpy") as stored:
                arrays = {key: stored.get_tensor(key).astype(np.float32) for key in stored.keys()}  # noqa: SIM118
                about = stored.metadata() or {}
            self.class_names = tuple(json.loads(about["classes"]))
            mean, deviation = json.loads(about["mean"]), json.loads(about["std"])
            network = SmallResNet(len(self.class_names), tuple(json.loads(about["stage_widths"])))
            state = {key: torch.from_numpy(value) for key, value in arrays.items()}
            missing, unexpected = network.load_state_dict(state, strict=False)
            wrong = [key for key in missing if not key.endswith("num_batches_tracked")] + unexpected
            if wrong:
                raise ValueError(f"weights do not fit: {', '.join(wrong[:3])}")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise user_error(
                "MODEL002",
                f"not a network of training/train_vision_model.py: {error}",
                "give a safetensors file that script wrote, or one of the named models",
                SourceLocation(str(path)),
            ) from error
        self.name = name
        self._mean = np.asarray(mean, dtype=np.float32)
        self._deviation = np.asarray(deviation, dtype=np.float32)
        self._encoder: nn.Module = network.encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = Head.linear(arrays["head.weight"].astype(np.float64), arrays["head.bias"].astype(np.float64))
        self.embedding_size = int(arrays["head.weight"].shape[1])
        self.digest = digest_json([digest_arrays(arrays), mean, deviation, self.preprocessing])
        self.statement = Statement(f"torch {torch.__version__}", checked=("all weights loaded, none is left over",))

    @property
    def encoder(self) -> nn.Sequential:
        """The encoder's stages, in evaluation mode: what faults are planted in."""
        return self._encoder  # type: ignore[return-value]

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to `[3, 32, 32]` float32."""
        return ((self.framed(image) - self._mean) / self._deviation).transpose(2, 0, 1)

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The whole image, resized to 32 x 32 where it is not."""
        if image.shape[:2] == (SIDE, SIDE):
            return image
        return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))

    def differentiable(self) -> nn.Module:
        """RGB in 0..1 `[image, 3, y, x]` to embeddings and logits; batch norms are folded into the convolutions."""
        from conspect.adapters.models.resnet import Differentiable

        layer = self.head.layers[0]
        return Differentiable(self._encoder, layer.weight, layer.offset, self._mean / 255, self._deviation / 255)

    def pixel_graph(self) -> PixelGraph:
        """The network as an ONNX graph."""
        from conspect.adapters.models.onnx_graph import traced

        return PixelGraph(traced(self.differentiable(), (SIDE, SIDE), self.name), self.framed)

    def departures(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerDeparture, ...]:
        """How far batch norms are from their records on prepared images; see `norm_records.layer_departures`."""
        import torch

        from conspect.adapters.models.norm_records import layer_departures

        return layer_departures(self._encoder, (torch.from_numpy(np.ascontiguousarray(batch)) for batch in batches))

    def moments(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerMoments, ...]:
        """What every layer of the encoder gives on prepared images; see `layer_moments.module_moments`."""
        import torch

        from conspect.adapters.models.layer_moments import module_moments

        return module_moments(self._encoder, (torch.from_numpy(np.ascontiguousarray(batch)) for batch in batches))

    def marks(self) -> tuple[LayerMark, ...]:
        """What pruning and rounding left in the encoder's weights; see `weight_marks.layer_marks`."""
        from conspect.adapters.models.weight_marks import layer_marks, module_weights

        return layer_marks(module_weights(self._encoder))

    def positions(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[image, y, x, D]` float32: the output of the last stage before it is averaged."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(batch)).contiguous(memory_format=torch.channels_last)
            before = self.encoder[:-2](images)  # all but the mean and the flattening
            return np.asarray(before.permute(0, 2, 3, 1).numpy(), dtype=np.float32)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32: the pooled output of the last stage, all components >= 0."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(batch)).contiguous(memory_format=torch.channels_last)
            return np.asarray(self._folded(images).numpy(), dtype=np.float32)

    @cached_property
    def _folded(self) -> nn.Module:
        """The encoder with its batch norms folded into the convolutions: the same but for rounding, in a tenth less time."""
        from conspect.adapters.models.resnet import folded

        return folded(self._encoder)
