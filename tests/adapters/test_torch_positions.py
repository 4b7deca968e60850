"""A network's positions are those whose mean is its embedding; networks that average none say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from conspect.adapters.models.torch_module import torch_model  # noqa: E402
from conspect.adapters.preprocessing import Preprocessing  # noqa: E402
from conspect.core.capabilities import HasPositions  # noqa: E402
from tests.adapters.brought import as_program  # noqa: E402


class Tokens(nn.Module):
    """A transformer in small; reads its tokens out as their mean, as the first of them, or as a norm of their mean."""

    def __init__(self, ending: str, side: int = 4) -> None:
        super().__init__()
        self.ending = ending
        self.patches = nn.Conv2d(3, 12, 16 // side, 16 // side)
        self.layer = nn.TransformerEncoderLayer(12, 2, 24, dropout=0.0, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        tokens = self.layer(self.patches(x).flatten(2).transpose(1, 2))
        read = {
            "mean": lambda: self.norm(tokens).mean(1),
            "first": lambda: tokens[:, 0],
            "norm": lambda: self.norm(tokens.mean(1)),
        }
        out: Tensor = self.head(read[self.ending]())
        return out


class Functional(nn.Module):
    """Convolutions whose mean is taken by a function, no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act, self.head = nn.Conv2d(3, 7, 3, 2), nn.ReLU(), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        out: Tensor = self.head(self.act(self.stem(x)).mean((2, 3)))
        return out


class Rectified(Functional):
    """Rectified and averaged by functions, so that no layer takes or gives what is averaged."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        out: Tensor = self.head(nn.functional.relu(self.stem(x)).mean((2, 3)))
        return out


def convolutional(pool: nn.Module, *after: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 10, 3), pool, nn.Flatten(), *after, nn.Linear(10, 3)
    )


NETWORKS = {
    "average pooling": (convolutional(nn.AdaptiveAvgPool2d(1)), (5, 5, 10)),
    "average pooling, dropout": (convolutional(nn.AdaptiveAvgPool2d(1), nn.Dropout(0.3)), (5, 5, 10)),
    "a mean by a function": (Functional(), (7, 7, 7)),
    "a function before the mean": (Rectified(), (7, 7, 7)),
    "a 1 x 1 convolution as head": (
        nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        (7, 7, 6),
    ),
    "mean of tokens": (Tokens("mean"), (4, 4, 12)),
    "largest values": (convolutional(nn.AdaptiveMaxPool2d(1)), None),
    "a function of the average": (convolutional(nn.AdaptiveAvgPool2d(1), nn.Tanh()), None),
    "first token": (Tokens("first"), None),
    "norm after the mean": (Tokens("norm"), None),
}


@pytest.mark.parametrize("what", NETWORKS)
def test_positions_are_found_where_their_mean_is_the_embedding(what: str) -> None:
    torch.manual_seed(0)
    network, shape = NETWORKS[what]
    model = torch_model(network, Preprocessing(16, (16, 16)), ("a", "b", "c"))
    assert isinstance(model, HasPositions)
    rng = np.random.default_rng(1)
    batch = np.stack([model.prepare(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for _ in range(3)])
    positions = model.positions(batch)
    if shape is None:
        assert positions is None
    else:
        assert positions is not None
        assert positions.shape == (3, *shape)
        np.testing.assert_allclose(positions.mean((1, 2)), model.embed(batch), atol=1e-5)
        alone = model.positions(batch[:1])
        assert alone is not None
        np.testing.assert_allclose(alone[0], positions[0], atol=1e-5)


def test_positions_lie_as_in_the_image() -> None:
    lightness = nn.Conv2d(3, 5, 1, bias=False)
    with torch.no_grad():
        lightness.weight.copy_(torch.ones(5, 3, 1, 1))
    network = nn.Sequential(
        nn.AvgPool2d(4), lightness, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)
    )
    model = torch_model(network, Preprocessing(16, (16, 16)), ("a", "b"))
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[:4, 12:] = 255
    positions = model.positions(model.prepare(picture)[None])
    assert positions is not None
    assert np.unravel_index(positions[0].sum(axis=2).argmax(), (4, 4)) == (0, 3)


@pytest.mark.parametrize("what", ["average pooling", "a function before the mean", "mean of tokens", "largest values"])
def test_an_exported_program_has_the_positions_of_its_network(tmp_path: Path, what: str) -> None:
    network, shape = NETWORKS[what]
    model = as_program(network, tmp_path, classes=3)
    assert isinstance(model, HasPositions)
    given = np.random.default_rng(2).random((3, 3, 16, 16), dtype=np.float32)
    positions = model.positions(given)
    if shape is None:
        assert positions is None
    else:
        assert positions is not None
        assert positions.shape == (3, *shape)
        np.testing.assert_allclose(positions.mean((1, 2)), model.embed(given), atol=1e-5)
