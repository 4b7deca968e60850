"""A network with its normalisation inside and its head as the last step: what attacks differentiate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from conspect.adapters.models.torch_watch import Watched
from conspect.adapters.preprocessing import Preprocessing
from conspect.core.spaces import Head


class DifferentiableNetwork(nn.Module):
    """RGB in 0..1 `[image, 3, y, x]` to embeddings `[image, D]` and logits `[image, class]`, both float32."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, watched: Watched, head: Head, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = watched.network
        self.network.requires_grad_(False)
        self._watched, self._scale = watched, 255 * preprocessing.scale
        device = next((one.device for one in self.network.parameters()), torch.device("cpu"))
        for name, values in (("mean", preprocessing.mean), ("deviation", preprocessing.deviation)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1))
        steps: list[nn.Module] = []
        for layer in head.layers:
            linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], device=device).requires_grad_(False)
            linear.weight.copy_(torch.from_numpy(layer.weight))
            linear.bias.copy_(torch.from_numpy(layer.offset))
            steps += [linear, nn.ReLU()]
        self.head = nn.Sequential(*steps[:-1])
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and logits; gradients reach `images`."""
        embeddings, _ = self._watched((images * self._scale - self.mean) / self.deviation)
        return embeddings, self.head(embeddings)

    def train(self, mode: bool = True) -> Any:
        """Stays in evaluation mode."""
        return super().train(False)
