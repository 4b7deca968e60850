"""A plain convolutional network for rendered scenes: another architecture than the demo's, trained on other pictures."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from conspect.assets import read_bytes
from conspect.faults.subjects.scenes import CLASS_NAMES

WIDTHS = (24, 48, 96)
ASSET = "scene_model.safetensors"


class PlainBlock(nn.Sequential):
    """Two 3 x 3 convolutions with batch norm and ReLU, then pooling by two; no shortcut."""

    def __init__(self, width_in: int, width_out: int) -> None:
        layers: list[nn.Module] = []
        for width in (width_in, width_out):
            layers += [nn.Conv2d(width, width_out, 3, 1, 1, bias=False), nn.BatchNorm2d(width_out), nn.ReLU()]
        super().__init__(*layers, nn.MaxPool2d(2))


class SceneNetwork(nn.Module):
    """`head . encoder`: images `[image, 3, 32, 32]` to logits `[image, class]`; the embedding has 96 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        width = 3
        for wider in WIDTHS:
            stages.append(PlainBlock(width, wider))
            width = wider
        self.encoder = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, len(CLASS_NAMES))

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[image, class]`, float32."""
        logits: Tensor = self.head(self.encoder(x))
        return logits


def prepare(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`[32, 32, 3]` uint8 to `[3, 32, 32]` float32, centred."""
    scaled: NDArray[np.float32] = (picture.astype(np.float32) - np.float32(128)) / np.float32(64)
    return scaled.transpose(2, 0, 1)


def scene_network() -> SceneNetwork:
    """The shipped network, trained by training/train_scene_model.py."""
    network = SceneNetwork()
    state = load(read_bytes(ASSET))
    network.load_state_dict(OrderedDict((name, value.float()) for name, value in state.items()), strict=False)
    return network.eval()
