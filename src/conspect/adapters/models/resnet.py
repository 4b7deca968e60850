"""A plain residual network for 32 x 32 images: four stages, global average pooling, one linear head (torch)."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGE_WIDTHS = (32, 64, 128, 256)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, added to a (pooled and projected where shapes differ) shortcut."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width_out)
        shortcut: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if width_in != width_out:
            shortcut += [nn.Conv2d(width_in, width_out, 1, bias=False), nn.BatchNorm2d(width_out)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """`[image, width_in, y, x]` to `[image, width_out, y / stride, x / stride]`, float32."""
        inner = functional.relu(self.norm1(self.conv1(x)))
        out: Tensor = functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))
        return out


class SmallResNet(nn.Module):
    """`head . encoder`: images `[image, 3, 32, 32]` to logits `[image, class]`; the embedding has the last stage's width."""

    def __init__(self, classes: int, stage_widths: tuple[int, ...] = STAGE_WIDTHS) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width = stage_widths[0]
        for stage, next_width in enumerate(stage_widths):
            blocks.append(ResidualBlock(width, next_width, stride=1 if stage == 0 else 2))
            width = next_width
        self.encoder = nn.Sequential(
            nn.Conv2d(3, stage_widths[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(stage_widths[0]),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[image, class]`, float32."""
        logits: Tensor = self.head(self.encoder(x))
        return logits


class Differentiable(nn.Module):
    """RGB in 0..1 to (embeddings, logits), for gradients with respect to the image: normalised, frozen, norms folded."""

    def __init__(
        self,
        encoder: nn.Module,
        weight: NDArray[np.floating],
        bias: NDArray[np.floating],
        mean: NDArray[np.floating],
        deviation: NDArray[np.floating],
    ) -> None:
        """`weight [class, D]`, `bias [class]` of the head; `mean`, `deviation` `[3]` of RGB in 0..1."""
        super().__init__()
        self.encoder = folded(encoder)
        arrays = {"weight": weight, "bias": bias, "mean": mean, "deviation": deviation}
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.array(array, dtype=np.float32)))
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings `[image, D]` and logits `[image, class]` of `images [image, 3, y, x]`, float32."""
        mean, deviation = (self.get_buffer(name)[:, None, None] for name in ("mean", "deviation"))
        normalised = ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)
        embeddings: Tensor = self.encoder(normalised)
        return embeddings, functional.linear(embeddings, self.get_buffer("weight"), self.get_buffer("bias"))


def folded(encoder: nn.Module) -> nn.Module:
    """A copy in which each batch norm has become part of the convolution before it."""
    encoder = copy.deepcopy(encoder).eval()
    for module in list(encoder.modules()):
        if isinstance(module, ResidualBlock):
            for number in (1, 2):
                conv, norm = getattr(module, f"conv{number}"), getattr(module, f"norm{number}")
                setattr(module, f"conv{number}", fuse_conv_bn_eval(conv, norm))
                setattr(module, f"norm{number}", nn.Identity())
        elif isinstance(module, nn.Sequential):
            for place, (first, second) in enumerate(itertools.pairwise(list(module))):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[place], module[place + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    by_channel: nn.Module = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return by_channel
