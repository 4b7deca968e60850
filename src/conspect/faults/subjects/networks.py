"""Small networks of different kinds for 32 x 32 photographs, in stages, so that faults can be planted in any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

WIDTHS, TOKENS, TOKEN_SIZE, DEPTH, HEADS = (32, 64, 128), 64, 64, 4, 4


class Kind(StrEnum):
    """How a network keeps its activations in bounds, and what it is made of."""

    BATCH_NORM = "residual network with batch norms"
    GROUP_NORM = "residual network with group norms"
    NO_NORM = "plain network without norms"
    TRANSFORMER = "vision transformer"


class Residual(nn.Module):
    """Two 3 x 3 convolutions with norms, added to a pooled and projected shortcut; halves the sides for `stride` 2."""

    def __init__(self, width_in: int, width: int, stride: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = norm(width)
        self.shortcut = nn.Sequential(
            *([nn.AvgPool2d(stride)] if stride > 1 else []),
            *([nn.Conv2d(width_in, width, 1, bias=False)] if width_in != width else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[image, width_in, y, x]` to `[image, width, y / stride, x / stride]`."""
        inner = functional.relu(self.norm1(self.conv1(x)))
        out: Tensor = functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))
        return out


class Tokens(nn.Module):
    """Patches of 4 x 4 pixels to tokens `[image, TOKENS, TOKEN_SIZE]`, with learned places."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, TOKEN_SIZE, 4, 4)
        self.places = nn.Parameter(0.02 * nn.init.normal_(nn.Parameter(Tensor(1, TOKENS, TOKEN_SIZE)).data))

    def forward(self, x: Tensor) -> Tensor:
        """`[image, 3, 32, 32]` to tokens."""
        tokens: Tensor = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return tokens


class TransformerBlock(nn.Module):
    """Self-attention and a network of two layers, each after a layer norm and added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(TOKEN_SIZE), nn.LayerNorm(TOKEN_SIZE)
        self.mix, self.out = nn.Linear(TOKEN_SIZE, 3 * TOKEN_SIZE), nn.Linear(TOKEN_SIZE, TOKEN_SIZE)
        self.wide, self.narrow = nn.Linear(TOKEN_SIZE, 2 * TOKEN_SIZE), nn.Linear(2 * TOKEN_SIZE, TOKEN_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """The shape that comes in."""
        images, tokens, size = x.shape
        parts = self.mix(self.norm1(x)).reshape(images, tokens, 3, HEADS, size // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.out(mixed.transpose(1, 2).reshape(images, tokens, size))
        out: Tensor = x + self.narrow(functional.gelu(self.wide(self.norm2(x))))
        return out


class MeanToken(nn.Module):
    """The mean of the tokens after a layer norm, `[image, TOKEN_SIZE]`."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(TOKEN_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens to one vector an image."""
        out: Tensor = self.norm(x).mean(1)
        return out


class StagedNetwork(nn.Module):
    """`head . encoder`: prepared images `[image, 3, 32, 32]` to logits `[image, class]`; `encoder` is a sequence of stages."""

    def __init__(self, kind: Kind, classes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_stages(kind))
        self.head = nn.Linear(TOKEN_SIZE if kind is Kind.TRANSFORMER else WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.encoder(x))
        return logits


def _stages(kind: Kind) -> list[nn.Module]:
    if kind is Kind.TRANSFORMER:
        return [Tokens(), *(TransformerBlock() for _ in range(DEPTH)), MeanToken()]
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    first, second, third = WIDTHS
    if kind is Kind.NO_NORM:

        def plain(width_in: int, width: int, stride: int) -> nn.Module:
            layers = [nn.Conv2d(width_in, width, 3, stride, 1), nn.Conv2d(width, width, 3, 1, 1)]
            for layer in layers:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())

        return [plain(3, first, 2), plain(first, second, 2), plain(second, third, 2), *pool]
    norm: Callable[[int], nn.Module] = (
        nn.BatchNorm2d if kind is Kind.BATCH_NORM else lambda width: nn.GroupNorm(8, width)
    )
    stem = nn.Sequential(nn.Conv2d(3, first, 3, 2, 1, bias=False), norm(first), nn.ReLU())
    return [
        stem,
        Residual(first, first, 1, norm),
        Residual(first, second, 2, norm),
        Residual(second, third, 2, norm),
        *pool,
    ]


def prepared(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures `[image, 32, 32, 3]` as the networks are given them: `[image, 3, 32, 32]`, minus 128, over 64."""
    scaled: NDArray[np.float32] = (pixels.astype(np.float32) - np.float32(128)) / np.float32(64)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def load_network(path: Path) -> tuple[StagedNetwork, dict[str, str]]:
    """A network that training/train_fault_networks.py wrote, in evaluation mode, and what its file says of it."""
    import torch

    with safe_open(path, framework="pt") as stored:
        state = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
        about = dict(stored.metadata())
    network = StagedNetwork(Kind(about["kind"]), len(json.loads(about["classes"])))
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            state[name] = torch.zeros_like(value)
    network.load_state_dict(state)
    return network.eval(), about
