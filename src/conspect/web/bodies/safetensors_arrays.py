"""Arrays as safetensors, read here: names, types, shapes and extents are judged before an array is made of them.

The format: eight bytes with the header's length, little-endian; the header, JSON from names to dtype, shape and the two
data offsets; the data, without a gap. https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.image_sizes import too_large
from conspect.core.json_value import JsonValue
from conspect.web.bodies.body import Body, InputShapes, refuse, refuse_number, require_finite
from conspect.web.limits import Limits

LONGEST_HEADER, MOST_AXES = 64 << 10, 4
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _DeclaredArray:
    """One array as the header describes it; `start` and `end` are places in the data."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    start: int
    end: int


def arrays_of_safetensors(body: bytes, limits: Limits, shapes: InputShapes) -> Body:
    """Either `images` or `embeddings`, perhaps with `logits`. Raises UserError WEB107, WEB109, WEB110."""
    declared, data = _header(body)
    known = {"images"} if "images" in declared else {"embeddings", "logits"}
    unknown = sorted(set(declared) - known)
    if unknown:
        refuse(f"{unknown[0][:40]!r} is not known here; known are embeddings and logits, or images alone")
    if "images" in declared:
        return Body(images=_images(declared["images"], data, limits))
    if "embeddings" not in declared:
        refuse("there are no embeddings in it")
    rows = {name: _rows(array, data, limits.inputs, shapes) for name, array in declared.items()}
    return Body(embeddings=rows["embeddings"], logits=rows.get("logits"))


def _header(body: bytes) -> tuple[dict[str, _DeclaredArray], memoryview]:
    length = int.from_bytes(body[:8], "little")
    if len(body) < 8 or not 0 < length <= min(len(body) - 8, LONGEST_HEADER):
        refuse(f"it is not safetensors: its header has 1 to {LONGEST_HEADER} bytes")
    try:
        fields = json.loads(body[8 : 8 + length], object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        refuse(f"it is not safetensors: {error}")
    if not isinstance(fields, dict):
        refuse("it is not safetensors: its header is no object")
    data = memoryview(body)[8 + length :]
    declared = {name: _declared(name, about) for name, about in fields.items() if name != "__metadata__"}
    place = 0
    for array in sorted(declared.values(), key=lambda array: (array.start, array.end)):
        if array.start != place:
            refuse(f"it is not safetensors: {array.name[:40]!r} does not begin where the array before it ends")
        place = array.end
    if place != len(data):
        refuse(f"it is not safetensors: its arrays take {place} bytes and it has {len(data)}")
    return declared, data


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands in it twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _declared(name: str, about: JsonValue) -> _DeclaredArray:
    if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
        refuse(f"it is not safetensors: {name[:40]!r} has no dtype, shape and data_offsets")
    shape, offsets = about["shape"], about["data_offsets"]
    if not _naturals(shape) or len(shape) > MOST_AXES or not _naturals(offsets) or len(offsets) != 2:
        refuse(f"it is not safetensors: shape or offsets of {name[:40]!r} are not a few whole numbers")
    if not isinstance(about["dtype"], str) or about["dtype"] not in TYPES:
        refuse(f"{name[:40]!r} is not of a type that is read here; these are: {', '.join(TYPES)}")
    dtype, (start, end) = np.dtype(TYPES[about["dtype"]]), offsets
    # Python's whole numbers do not overflow, whatever the header says.
    if end - start != math.prod(shape) * dtype.itemsize:
        refuse(f"it is not safetensors: {name[:40]!r} is {shape} of {about['dtype']}, not {end - start} bytes")
    return _DeclaredArray(name, dtype, tuple(shape), start, end)


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _rows(array: _DeclaredArray, data: memoryview, inputs: int, shapes: InputShapes) -> NDArray[np.float32]:
    width = shapes.widths()[array.name]
    if len(array.shape) not in (1, 2) or array.shape[-1] != width:
        refuse(f"{array.name} are {list(array.shape)}; send {shapes}")
    if len(array.shape) == 2 and array.shape[0] > inputs:
        refuse_number(inputs)
    with np.errstate(over="ignore"):
        rows = np.atleast_2d(_view(array, data)).astype(np.float32)
    require_finite(array.name, rows)
    return rows


def _images(array: _DeclaredArray, data: memoryview, limits: Limits) -> tuple[NDArray[np.uint8], ...]:
    if array.dtype != np.uint8 or len(array.shape) != 4 or array.shape[3] != 3 or 0 in array.shape:
        refuse(f"images are {array.dtype} {list(array.shape)}; send uint8 [image, height, width, 3]")
    images, height, width = array.shape[:3]
    if images > limits.inputs:
        refuse_number(limits.inputs)
    refusal = too_large(width, height, limits.pixels)
    if refusal is not None:
        raise user_error("WEB110", refusal, "send smaller images")
    limits.require_pixels(images * height * width)
    pixels = _view(array, data).astype(np.uint8, copy=False)
    black = np.flatnonzero(pixels.max(axis=(1, 2, 3)) == 1)
    if len(black):
        refuse(
            f"image {int(black[0])} (the first is 0) goes from 0 to 1 of 255, nearly black; send 0..255, before a cast of floats "
            "in 0..1 to uint8 loses what is between"
        )
    return tuple(pixels)


def _view(array: _DeclaredArray, data: memoryview) -> NDArray[np.generic]:
    return np.frombuffer(data[array.start : array.end], dtype=array.dtype).reshape(array.shape)
