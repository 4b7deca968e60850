"""VLMs of open_clip, MobileCLIP among them: an architecture with a tag or a local file, a folder, or a hub name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.preprocessing import LibraryPreparation, Preprocessing
from conspect.adapters.preprocessing.steps import Triple
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.sources.hub import HUB, fetching, opening
from conspect.adapters.sources.request import Request
from conspect.adapters.vlms.torch_towers import TorchVlm, Towers
from conspect.core.diagnostics import SourceLocation, user_error

if TYPE_CHECKING:
    from torch import Tensor

FIX = "give a checkpoint of this very architecture, or a folder with open_clip_config.json and the weights"
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def load(request: Request) -> TorchVlm:
    """Raises OutsideError VLM002 when weights do not load (open_clip itself would go on with random ones), VLM001, MODEL006;
    UserError MODEL002 for an unknown architecture or tag.
    """
    need("torch, torchvision, open_clip", "VLM001", "this VLM", "open-clip")
    import open_clip

    name, weights = _source(request)
    local = request.path is not None
    with (
        opening(str(request.path), "open_clip", FIX, "VLM002")
        if local
        else fetching(f"{name} {weights or ''}".strip(), f"{HUB}, or where open_clip keeps it")
    ):
        network, _, transforms = open_clip.create_model_and_transforms(
            name, pretrained=weights, require_pretrained=True, weights_only=True, pretrained_text=False
        )
        tokenizer = open_clip.get_tokenizer(name)

    def tokens(texts: list[str]) -> dict[str, Tensor]:
        return {"text": tokenizer(texts)}

    bias = getattr(network, "logit_bias", None)
    towers = Towers(
        network,
        network.encode_image,
        tokens,
        lambda given: network.encode_text(given["text"]),
        float(network.logit_scale.detach().exp()),
        0.0 if bias is None else float(bias.detach()),
    )
    return TorchVlm(
        towers,
        request.own_preprocessing() or _preparation(transforms, network.visual.preprocess_cfg),
        name=request.label,
        library=f"open_clip {open_clip.__version__} ({type(network).__name__})",
        device=request.device,
        precision=request.precision,
    )


def _source(request: Request) -> tuple[str, str | None]:
    """What open_clip calls the model, and where its weights are."""
    import open_clip

    if request.path is not None and request.path.is_dir():
        return f"local-dir:{request.path}", None
    name = str(request.name)
    if request.name is None:
        problem = "weights alone do not say which network they belong to"
        raise user_error("MODEL002", problem, 'add name = "ARCHITECTURE"', SourceLocation(str(request.path)))
    if name.startswith("hf-hub:"):
        return name, None
    if open_clip.get_model_config(name) is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        fix = f"did you mean {' or '.join(near)}?" if near else "open_clip.list_models() lists them"
        raise user_error("MODEL002", f"open_clip has no model called {name!r}", fix)
    if request.path is not None:
        return name, str(request.path)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if request.weights not in tags:
        problem = f"open_clip's {name} has no weights called {request.weights!r}"
        raise user_error("MODEL002", problem, f"set `weights` to one of: {', '.join(tags)}; or `path` to a file")
    return name, request.weights


class ImageConfig(TypedDict):
    """How open_clip says that images are prepared."""

    size: int | tuple[int, int]
    mean: Sequence[float]
    std: Sequence[float]
    interpolation: str
    resize_mode: str


def _preparation(transforms: Any, config: ImageConfig) -> LibraryPreparation:
    def transform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(transforms(Image.fromarray(image)).numpy(), dtype=np.float32)

    def reading() -> Preprocessing:
        size = config["size"]
        side = (size, size) if isinstance(size, int) else (size[0], size[1])
        squashes = config["resize_mode"] == "squash" or side[0] != side[1]
        return Preprocessing(
            side if squashes else side[0],
            side,
            int(FILTERS[config["interpolation"]]),
            mean=cast("Triple", tuple(config["mean"])),
            deviation=cast("Triple", tuple(config["std"])),
        )

    return LibraryPreparation.checked(transform, reading, ", ".join(str(step) for step in transforms.transforms))
