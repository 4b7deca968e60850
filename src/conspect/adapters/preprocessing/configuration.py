"""The steps that a file asks for: its keys are those of the Hugging Face `preprocessor_config.json`, which most
exported models carry beside them. Source: the documented keys of that file; tests compare the values with transformers' own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from conspect.adapters.preprocessing.processor_types import completed
from conspect.adapters.preprocessing.steps import Preprocessing
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import read_text
from conspect.core.json_value import JsonObject, JsonValue, parsed_once

FILE = "preprocessor_config.json"
WARPED_FROM = 384  # ConvNeXt's processor warps to a square from this side on, and crops below
# Keys that change nothing for RGB images of any size.
IGNORED = {
    "data_format", "default_to_square", "device", "disable_grouping", "do_convert_rgb", "do_reduce_labels",
    "feature_extractor_type",    "image_processor_type", "image_seq_length", "input_data_format", "pad_size", "processor_class",
    "return_tensors",
}  # fmt: skip
KNOWN = {
    "do_resize", "size", "resample", "crop_pct", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std",
}  # fmt: skip


def read_preprocessing(path: Path) -> Preprocessing:
    """The preprocessing in a `preprocessor_config.json`, or in a file of the same keys.

    Raises UserError MODEL002 for a file that is not there or asks for a step that is not known here.
    """
    try:
        return from_config(parsed_once(read_text(path)))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise user_error(
            "MODEL002",
            f"not a preprocessing: {error if not isinstance(error, KeyError) else f'{error} is missing'}",
            "the keys are those of a Hugging Face preprocessor_config.json; docs/models.md has an example",
            SourceLocation(str(path)),
        ) from error


def from_config(config: JsonObject) -> Preprocessing:
    """The steps that a `preprocessor_config.json` asks for. Raises ValueError, TypeError or KeyError."""
    if not isinstance(config, Mapping):
        raise ValueError("a JSON object is needed")
    config, enlarged = completed(config)
    strange = sorted(key for key, value in config.items() if key not in IGNORED | KNOWN and value not in (None, False))
    if strange:
        raise ValueError(f"unknown steps: {', '.join(strange)}")
    resize, crop = _geometry(config)
    if isinstance(resize, int):
        resize = int(enlarged * resize)
    normalises = config.get("do_normalize", True)
    return Preprocessing(
        resize=resize,
        crop=crop,
        filter=_filter(config.get("resample", int(Image.Resampling.BILINEAR))),
        scale=float(_number(config.get("rescale_factor", 1 / 255))) if config.get("do_rescale", True) else 1.0,
        mean=_triple(config["image_mean"]) if normalises else (0.0, 0.0, 0.0),
        deviation=_deviation(config["image_std"]) if normalises else (1.0, 1.0, 1.0),
    )


def _geometry(config: JsonObject) -> tuple[tuple[int, int] | int | None, tuple[int, int] | None]:
    resize = _size(config["size"]) if config.get("do_resize", True) else None
    # Without `do_center_crop` a `crop_size` is only a leftover in old files.
    crop = _size(config["crop_size"]) if config.get("do_center_crop", False) else None
    crop = (crop, crop) if isinstance(crop, int) else crop
    if config.get("crop_pct") is not None and resize is not None:
        if not isinstance(resize, int):
            raise ValueError("crop_pct needs a size with shortest_edge")
        if crop is not None:
            raise ValueError("crop_pct cuts already; leave do_center_crop out")
        if resize >= WARPED_FROM:
            return (resize, resize), crop
        return int(resize / _number(config["crop_pct"])), (resize, resize)
    return resize, crop


def _size(value: JsonValue) -> tuple[int, int] | int:
    if isinstance(value, int) and not isinstance(value, bool):
        sides: tuple[JsonValue, ...] = (value, value)
    elif isinstance(value, Mapping) and {key for key in value if value[key] is not None} == {"height", "width"}:
        sides = (value["height"], value["width"])
    elif isinstance(value, Mapping) and {key for key in value if value[key] is not None} == {"shortest_edge"}:
        sides = (value["shortest_edge"],)
    else:
        raise ValueError(f"size {value!r} is neither height and width nor shortest_edge")
    whole = [side for side in sides if isinstance(side, int) and 0 < side <= 10_000]
    if len(whole) < len(sides):
        raise ValueError(f"size {value!r} is not made of whole numbers from 1 to 10,000")
    return whole[0] if len(whole) == 1 else (whole[0], whole[1])


def _filter(value: JsonValue) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not the number of a filter")
    return int(Image.Resampling(value))


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return value


def _deviation(value: JsonValue) -> tuple[float, float, float]:
    deviation = _triple(value)
    if min(deviation) <= 0:
        raise ValueError(f"image_std is {list(deviation)}, by which is divided")
    return deviation


def _triple(value: JsonValue) -> tuple[float, float, float]:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = list(value) * 3  # of networks of one channel
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError(f"{value!r} is not three numbers")
    red, green, blue = (float(_number(part)) for part in value)
    return red, green, blue
