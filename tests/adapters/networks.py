"""A small network of one's own, as a user would have it in a module."""

import torch
from torch import nn


class Small(nn.Module):
    """Two convolutions, pooling, two linear layers; `end` is applied to the logits."""

    def __init__(self, classes: int = 3, end: nn.Module | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, 2), nn.ReLU())
        self.hidden = nn.Linear(12, 7)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(7, classes)
        self.end = end or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = self.body(x).mean((2, 3))
        logits: torch.Tensor = self.end(self.fc(self.drop(torch.relu(self.hidden(pooled)))))
        return logits


def small() -> nn.Module:
    return Small()


def number() -> int:
    return 3
