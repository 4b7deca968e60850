"""Classifiers of torchvision, with its weights or with local ones."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.preprocessing import LibraryPreparation, Preprocessing
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.runtimes.weights import load_weights
from conspect.adapters.sources.classes import unique
from conspect.adapters.sources.hub import fetching
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import user_error


def load(request: Request) -> TorchModel:
    """`name` is torchvision's; `weights` the name of an entry (default: DEFAULT), whose preprocessing is used also when
    `path` has the weights.

    Raises UserError MODEL002 for an unknown name or weights that do not fit; OutsideError MODEL001, MODEL006.
    """
    need("torch, torchvision", "MODEL001", "a torchvision model", "torchvision")
    import torchvision

    name, models = str(request.name), torchvision.models
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or known[:3]
        problem = f"torchvision {torchvision.__version__} has no classifier called {name!r}"
        raise user_error("MODEL002", problem, f"did you mean {' or '.join(near)}?")
    entry = _entry(name, request.weights)
    names = request.class_names(lambda: unique(tuple(entry.meta["categories"])))
    network = models.get_model(name, weights=None, num_classes=len(names))
    weights_left_out = ""
    if request.path is not None:
        weights_left_out = load_weights(network, request.path)
    else:
        with fetching(f"{name} ({entry.name})", "download.pytorch.org"):
            state = entry.get_state_dict(progress=False, check_hash=True, weights_only=True)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            problem = f"{len(names)} classes were given for weights of {len(entry.meta['categories'])}"
            raise user_error("MODEL002", problem, "leave `classes` out, or give own weights with `path`") from error
    preparation = request.own_preprocessing() or _preparation(entry.transforms())
    return torch_model(
        network,
        preparation,
        names,
        name=request.label,
        head=request.head,
        output=request.output,
        device=request.device,
        precision=request.precision,
        library=f"torchvision {torchvision.__version__}{weights_left_out}",
    )


def _entry(name: str, weights: str | None) -> Any:
    import torchvision

    entries = torchvision.models.get_model_weights(name)
    try:
        return entries[weights or "DEFAULT"]
    except KeyError as error:
        problem = f"torchvision's {name} has no weights called {weights!r}"
        raise user_error("MODEL002", problem, f"use one of: {', '.join(entries.__members__)}") from error


def _preparation(transforms: Any) -> LibraryPreparation:
    def transform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(transforms(Image.fromarray(image)).numpy(), dtype=np.float32)

    def reading() -> Preprocessing:
        (resize,), (crop,) = transforms.resize_size, transforms.crop_size
        filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
        chosen = int(filters[transforms.interpolation.value])
        return Preprocessing(resize, (crop, crop), chosen, 1 / 255, tuple(transforms.mean), tuple(transforms.std))

    return LibraryPreparation.checked(transform, reading, " ".join(str(transforms).split()))
