"""Classifiers of timm: from its hub, from a folder that it saved, or an architecture with local weights."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.preprocessing import LibraryPreparation, Preprocessing
from conspect.adapters.preprocessing.steps import Triple
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.runtimes.weights import load_weights
from conspect.adapters.sources.classes import unique
from conspect.adapters.sources.hub import HUB, fetching, opening
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import SourceLocation, user_error

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


def load(request: Request) -> TorchModel:
    """`name` is timm's, alone (weights from its hub) or with a weights file as `path`; or `path` is a folder with timm's
    config.json and weights.

    Raises UserError MODEL002 for an unknown name or weights that do not load; OutsideError MODEL001, MODEL006.
    """
    need("torch, torchvision, timm", "MODEL001", "a timm model", "timm")
    import timm

    network, weights_left_out = _network(request)
    data = timm.data.resolve_model_data_config(network)
    names = request.class_names(lambda: _class_names(network))
    return torch_model(
        network,
        request.own_preprocessing() or _preparation(data),
        names,
        name=request.label,
        head=request.head,
        output=request.output,
        device=request.device,
        precision=request.precision,
        library=f"timm {timm.__version__}{weights_left_out}",
    )


def _network(request: Request) -> tuple[Any, str]:
    """The network, and what is said of its weights."""
    import timm

    name, path = request.name, request.path
    if path is not None and path.is_dir():
        with opening(
            path, "timm", "give a folder that timm.models.save_for_hf wrote, or a name with a weights file", "MODEL002"
        ):
            return timm.create_model(f"local-dir:{path}", pretrained=True), ""
    if name is None:
        problem = "weights alone do not say which network they belong to"
        raise user_error(
            "MODEL002",
            problem,
            'add name = "ARCHITECTURE", or give a folder with config.json',
            SourceLocation(str(path)),
        )
    if path is not None:
        given = {"num_classes": len(request.class_names())} if request.classes else {}
        network = timm.create_model(_known(name), pretrained=False, **given)
        return network, load_weights(network, path)
    with fetching(name, f"{HUB}, or where timm keeps it"):
        return timm.create_model(name if name.startswith("hf-hub:") else _known(name), pretrained=True), ""


def _known(name: str) -> str:
    import timm

    if not timm.is_model(name.split(".", maxsplit=1)[0]):
        near = difflib.get_close_matches(name.split(".", maxsplit=1)[0], timm.list_models(), n=3)
        fix = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists them"
        raise user_error("MODEL002", f"timm {timm.__version__} has no model called {name!r}", fix)
    return name


def _class_names(network: Any) -> tuple[str, ...]:
    """From the model's configuration, else ImageNet's where the number of outputs says so."""
    import timm

    config = network.pretrained_cfg
    if config.get("label_names"):
        return unique(tuple(str(name) for name in config["label_names"]))
    if network.num_classes == 1000:
        table = timm.data.ImageNetInfo()
        return unique(tuple(table.index_to_description(index) for index in range(1000)))
    raise user_error("MODEL002", "the model does not say what its classes are called", "give them with `classes`")


class DataConfig(TypedDict):
    """How timm says that a model's images are prepared; `interpolation` by name, `crop_pct` of the side that is kept."""

    input_size: tuple[int, int, int]
    interpolation: str
    mean: Sequence[float]
    std: Sequence[float]
    crop_pct: float
    crop_mode: str


def _preparation(data: DataConfig) -> LibraryPreparation:
    import timm

    transforms = timm.data.create_transform(**data, is_training=False)

    def transform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(transforms(Image.fromarray(image)).numpy(), dtype=np.float32)

    def reading() -> Preprocessing:
        height, width = data["input_size"][-2:]
        squashes = data["crop_mode"] == "squash" or height != width
        larger = math.floor(height / data["crop_pct"]), math.floor(width / data["crop_pct"])
        return Preprocessing(
            larger if squashes else larger[0],
            (height, width),
            int(FILTERS[data["interpolation"]]),
            mean=cast("Triple", tuple(data["mean"])),
            deviation=cast("Triple", tuple(data["std"])),
        )

    return LibraryPreparation.checked(transform, reading, ", ".join(str(step) for step in transforms.transforms))
