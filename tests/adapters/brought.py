"""One network or one set of pictures, brought through every adapter and reader that can meet it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from conspect.adapters.datasets import DataSource, open_split
from conspect.adapters.models import load_model
from conspect.adapters.models.torch_module import torch_model
from conspect.adapters.preprocessing import Preprocessing
from conspect.core.protocols import ImageDataset, VisionModel
from tests.adapters.data_layouts import LAYOUTS, Picture

SIDE = 16
STEPS = Preprocessing((SIDE, SIDE))
PREPARATION = {"do_resize": True, "size": {"height": SIDE, "width": SIDE}, "do_normalize": False, "resample": 2}
# The network that `made` gives to the kind "module".
_MADE: list[nn.Module] = []
Brings = Callable[..., VisionModel]


def made() -> nn.Module:
    """What the kind "module" calls."""
    return _MADE[-1]


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"class {k}" for k in range(classes))


def _written(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
    return folder


def as_object(network: nn.Module, folder: Path, classes: int, **options: Any) -> VisionModel:
    return torch_model(network, STEPS, names(classes), name="brought", **options)


def as_module(network: nn.Module, folder: Path, classes: int, **options: Any) -> VisionModel:
    _MADE.append(network)
    file = _written(folder) / "preprocessor_config.json"
    named = f"{__name__}:made"
    return load_model(
        named, None, kind="module", classes=names(classes), preprocessing=file, title="brought", **options
    )


def _sample(network: nn.Module) -> torch.Tensor:
    """What is traced with: in the form that the network says it takes."""
    shape = getattr(network, "takes", (3, SIDE, SIDE))
    first = next(
        (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point()), torch.float32
    )
    kind = getattr(network, "kind", first)
    return torch.zeros(2, *shape, dtype=kind)


def as_onnx(network: nn.Module, folder: Path, classes: int, **options: Any) -> VisionModel:
    path = _written(folder) / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (_sample(network),), path, dynamo=False, opset_version=17, input_names=["image"],
            dynamic_axes={"image": {0: "n"}},
        )  # fmt: skip
    return load_model(None, folder, kind="onnx", classes=names(classes), title="brought", **options)


def as_program(network: nn.Module, folder: Path, classes: int, **options: Any) -> VisionModel:
    path = _written(folder) / "model.pt2"
    program = torch.export.export(network.eval(), (_sample(network),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, path)
    return load_model(None, path, kind="torch-export", classes=names(classes), title="brought", **options)


# Adapters that take any network. timm's, torchvision's and transformers' load a network of their library and hand it to
# `torch_model`, which `as_object` is (tests/adapters/test_brought_kinds.py holds them to that).
MODELS: dict[str, Brings] = {
    "torch": as_object, "module": as_module, "onnx": as_onnx, "torch-export": as_program,
}  # fmt: skip


class Raw(Picture):
    """A picture whose file has this content, whatever its name says."""

    content: bytes

    @property
    def png(self) -> bytes:
        return self.content


def raw(like: Picture, content: bytes) -> Picture:
    network = Raw(like.name, like.label, like.pixels, like.weather, like.fur)
    object.__setattr__(network, "content", content)
    return network


def read(kind: str, folder: Path, some: list[Picture], **changes: Any) -> ImageDataset:
    """The pictures as the reader of this kind gives them."""
    source: DataSource = LAYOUTS[kind](folder, some)
    return open_split(replace(source, **changes), "test", folder=folder, cache=folder / "cache")


def batch(model: VisionModel, number: int = 4) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Prepared images of noise."""
    images = np.random.default_rng(1).integers(0, 256, (number, 24, 20, 3), dtype=np.uint8)
    return np.stack([model.prepare(image) for image in images])
