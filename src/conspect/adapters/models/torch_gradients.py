"""A network with its normalisation inside and its head as the last step: what attacks differentiate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from conspect.adapters.models.torch_watch import WatchedNetwork
from conspect.adapters.preprocessing import Preprocessing
from conspect.adapters.runtimes.input_form import InputForm
from conspect.core.spaces import Head

# Three channels first, float32.
USUAL = InputForm("")


class DifferentiableNetwork(nn.Module):
    """RGB in 0..1 `[image, 3, y, x]` to embeddings `[image, D]` and logits `[image, class]`, both float32."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, watched: WatchedNetwork, head: Head, preprocessing: Preprocessing, form: InputForm = USUAL
    ) -> None:
        super().__init__()
        self._form = form
        self.network = watched.network
        self.network.requires_grad_(False)
        self._watched, self._scale = watched, 255 * preprocessing.scale
        device = next((parameter.device for parameter in self.network.parameters()), torch.device("cpu"))
        for name, values in (("mean", preprocessing.mean), ("deviation", preprocessing.deviation)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1))
        steps: list[nn.Module] = []
        self._size = head.layers[0].weight.shape[1]
        for layer in head.layers:
            linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], device=device).requires_grad_(False)
            linear.weight.copy_(torch.from_numpy(layer.weight))
            linear.bias.copy_(torch.from_numpy(layer.offset))
            steps += [linear, nn.ReLU()]
        self.head = nn.Sequential(*steps[:-1])
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and logits; gradients reach `images`."""
        embeddings, _ = self._watched(self._fed((images * self._scale - self.mean) / self.deviation))
        # A network that loses the axis of a batch of one has no rows here.
        flat = embeddings.float().reshape(-1, self._size)
        return flat, self.head(flat)

    def _fed(self, prepared: Tensor) -> Tensor:
        """Prepared images `[image, 3, y, x]` float32 in the form that the network takes."""
        form = self._form
        channels = prepared[:, :1] if form.grey else prepared
        ordered = channels.permute(0, 2, 3, 1) if form.channels_last else channels
        if form.type == "float32":
            return ordered
        return (ordered.round() if form.takes_bytes else ordered).to(getattr(torch, form.type))

    def train(self, mode: bool = True) -> Any:
        """Stays in evaluation mode."""
        return super().train(False)
