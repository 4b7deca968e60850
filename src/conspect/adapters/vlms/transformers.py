"""CLIP, SigLIP, SigLIP 2 and ALIGN of transformers, from a local folder or a hub name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models.transformers import check_report
from conspect.adapters.preprocessing import LibraryPreparation
from conspect.adapters.preprocessing.image_processors import load_processor, preparation_of, quiet
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.sources.hub import fetching, opening
from conspect.adapters.sources.request import Request
from conspect.adapters.vlms.torch_towers import TorchVlm, Towers
from conspect.core.diagnostics import SourceLocation, outside_error, user_error

if TYPE_CHECKING:
    from torch import Tensor

# How each kind was trained to see texts: padded to the longest of a batch, or always to a length; None: the network's.
PADDED: dict[str, tuple[bool | str, int | None]] = {
    "clip": (True, None), "siglip": ("max_length", None), "siglip2": ("max_length", None), "align": ("max_length", 64),
}  # fmt: skip
# A text tower's table of tokens may be padded to a round number.
FULL_ENOUGH = 0.9
FIX = "give a folder that save_pretrained wrote, with the model, its image processor and its tokenizer"


def load(request: Request) -> TorchVlm:
    """Raises OutsideError VLM002 when weights do not load, VLM001 for a missing package, MODEL006 when the hub cannot be
    reached; UserError MODEL002 for another kind of model.
    """
    need("torch, transformers", "VLM001", "this VLM", "transformers")
    import transformers

    quiet()
    local = request.path is not None
    source = str(request.path if local else request.name)
    with opening(source, "transformers", FIX, "VLM002") if local else fetching(source):
        config = transformers.AutoConfig.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        kind = config.model_type
        if kind not in PADDED:
            problem = f"a model of type {kind!r} is not one that is known here"
            raise user_error("MODEL002", problem, f"known: {', '.join(PADDED)}", SourceLocation(source))
        network, report = transformers.AutoModel.from_pretrained(
            source, local_files_only=local, output_loading_info=True, trust_remote_code=False
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=local, trust_remote_code=False)
        processor = None if request.preprocessing else load_processor(source, local=local)
    check_report(source, report, "VLM002")
    # Without its files transformers makes an empty tokenizer, to which all texts are alike.
    if len(tokenizer) < FULL_ENOUGH * config.text_config.vocab_size:
        problem = f"the tokenizer has {len(tokenizer)} tokens and the text tower {config.text_config.vocab_size}"
        raise outside_error("VLM002", problem, FIX, SourceLocation(source))
    padding, length = PADDED[kind]
    length = length or int(config.text_config.max_position_embeddings)

    def tokens(texts: list[str]) -> dict[str, Tensor]:
        return dict(tokenizer(texts, padding=padding, truncation=True, max_length=length, return_tensors="pt"))

    packed = kind == "siglip2"
    towers = Towers(
        network.float(),
        (lambda images: _features(network.get_image_features(**_unpacked(images))))
        if packed
        else (lambda images: _features(network.get_image_features(pixel_values=images))),
        tokens,
        lambda given: _features(network.get_text_features(**given)),
        *_scale(network, kind),
    )
    preparation = request.own_preprocessing() or (_packing(processor) if packed else preparation_of(processor))
    library = f"transformers {transformers.__version__} ({type(network).__name__})"
    return TorchVlm(
        towers, preparation, name=request.label, library=library, device=request.device, precision=request.precision
    )


def _features(outputs: Any) -> Tensor:
    features: Tensor = outputs.pooler_output
    return features


def _scale(network: Any, kind: str) -> tuple[float, float]:
    if kind == "align":
        return 1 / float(network.temperature.detach()), 0.0
    bias = getattr(network, "logit_bias", None)
    return float(network.logit_scale.detach().exp()), 0.0 if bias is None else float(bias.detach())


def _packing(processor: Any) -> LibraryPreparation:
    """SigLIP 2 of variable resolution takes patches, a mask and a shape; here one row per patch: the patch, 1 where there
    is one, and the numbers of rows and columns.
    """

    def transform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        packed = processor(images=image, return_tensors="np", input_data_format="channels_last")
        patches = np.asarray(packed["pixel_values"][0], np.float32)
        mask = np.asarray(packed["pixel_attention_mask"][0], np.float32)[:, None]
        shape = np.broadcast_to(np.asarray(packed["spatial_shapes"][0], np.float32), (len(patches), 2))
        return np.concatenate([patches, mask, shape], axis=1)

    side, most = processor.patch_size, processor.max_num_patches
    description = (
        f"resized so that at most {most} patches of {side} x {side} cover it (bilinear, aspect ratio nearly kept), "
        f"minus {list(processor.image_mean)}, over {list(processor.image_std)}"
    )
    return LibraryPreparation(transform, description)


def _unpacked(images: Tensor) -> dict[str, Tensor]:
    return {
        "pixel_values": images[..., :-3],
        "pixel_attention_mask": images[..., -3].long(),
        "spatial_shapes": images[:, 0, -2:].long(),
    }
