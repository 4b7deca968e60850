"""What a `preprocessor_config.json` leaves to the type of its processor: defaults, and what a bare number means as a size.

The same file means another picture under another type: `"size": 224` is the shorter edge of CLIP's and ConvNeXt's processors
and both edges of ViT's. Tests compare every type of the table with transformers' own, by value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from conspect.core.json_value import JsonObject, JsonValue

BILINEAR, BICUBIC = 2, 3
HALF: JsonObject = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
IMAGENET: JsonObject = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CLIP: JsonObject = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


@dataclass(frozen=True)
class ProcessorType:
    """`defaults` of keys that a file leaves out; `bare`: whether a bare number as a size is the "shortest_edge" or both
    edges; `enlarged`: the shorter edge is resized to so many times its number.
    """

    bare: str
    defaults: JsonObject = field(default_factory=dict)
    enlarged: float = 1.0


def _square(side: int, **more: JsonValue) -> JsonObject:
    return {"size": {"height": side, "width": side}, **more}


def _edge(edge: int, **more: JsonValue) -> JsonObject:
    return {"size": {"shortest_edge": edge}, **more}


_CUT: JsonObject = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
TYPES: dict[str, ProcessorType] = {
    "beit": ProcessorType("square", _square(224, resample=BICUBIC, **HALF)),
    "bit": ProcessorType("edge", _edge(224, resample=BICUBIC, **_CUT, **CLIP)),
    "blip": ProcessorType("square", _square(384, resample=BICUBIC, **CLIP)),
    "chineseclip": ProcessorType("edge", _edge(224, resample=BICUBIC, **_CUT, **CLIP)),
    "clip": ProcessorType("edge", _edge(224, resample=BICUBIC, **_CUT, **CLIP)),
    "convnext": ProcessorType("edge", _edge(384, resample=BICUBIC, crop_pct=0.875, **HALF)),
    "deit": ProcessorType("square", _square(256, resample=BICUBIC, **_CUT, **HALF)),
    "efficientnet": ProcessorType("square", _square(346, resample=BICUBIC, include_top=True, **HALF)),
    "levit": ProcessorType("edge", _edge(224, resample=BICUBIC, **_CUT, **IMAGENET), enlarged=256 / 224),
    "mobilenetv1": ProcessorType("edge", _edge(256, resample=BILINEAR, **_CUT, **HALF)),
    "mobilenetv2": ProcessorType("edge", _edge(256, resample=BILINEAR, **_CUT, **HALF)),
    "pvt": ProcessorType("square", _square(224, resample=BICUBIC, **IMAGENET)),
    "siglip": ProcessorType("edge", _square(224, resample=BICUBIC, **HALF)),
    "vit": ProcessorType("square", _square(224, resample=BILINEAR, **HALF)),
}


def type_of(config: JsonObject) -> ProcessorType | None:
    """The type that a file names; None where it names none. Raises ValueError for a type that is not in the table."""
    named = config.get("image_processor_type") or config.get("feature_extractor_type")
    if named is None:
        return None
    key = str(named)
    for ending in ("Pil", "Fast", "ImageProcessor", "FeatureExtractor"):
        key = key.removesuffix(ending)
    if key.lower() not in TYPES:
        known = ", ".join(TYPES)
        raise ValueError(
            f"the processor type {named!r} is not known here ({known}); write its steps out, without a type"
        )
    return TYPES[key.lower()]


def completed(config: JsonObject) -> tuple[dict[str, JsonValue], float]:
    """The file with what its type says where it says nothing, sizes written out, and how much the shorter edge is enlarged.

    Raises ValueError for a type that is not known, and for a bare number as a size that no type explains.
    """
    kind = type_of(config)
    given = {key: value for key, value in config.items() if value is not None}
    if kind is not None and "crop_pct" in given and "crop_pct" not in kind.defaults:
        raise ValueError("crop_pct is no step of this type of processor, which its library passes over; leave it out")
    whole = {**({} if kind is None else kind.defaults), **(config if kind is None else given)}
    size = whole.get("size")
    if isinstance(size, int) and not isinstance(size, bool):
        square = whole.get("default_to_square", None if kind is None else kind.bare == "square")
        if square is None:
            raise ValueError(
                f"size {size} is the shorter edge of some processors and both edges of others: write shortest_edge, or height "
                "and width"
            )
        whole["size"] = {"height": size, "width": size} if square else {"shortest_edge": size}
    return whole, 1.0 if kind is None else kind.enlarged
