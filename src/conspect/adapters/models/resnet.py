"""A plain residual network for 32 x 32 images: four stages, global average pooling, one linear head (torch)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

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
