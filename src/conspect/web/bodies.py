"""From a request's body to inputs: JSON, safetensors, one image, or multipart with an image a part. Never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from safetensors import SafetensorError
from safetensors.numpy import load

from conspect.core.diagnostics import user_error
from conspect.web.limits import JSON_BYTES, Limits

JSON, SAFETENSORS, MULTIPART = "application/json", "application/x-safetensors", "multipart/form-data"
FORMS = (
    f"{JSON} or {SAFETENSORS} with embeddings, {SAFETENSORS} with images, image/... with one image file, {MULTIPART} with "
    "one image file a part"
)


@dataclass(frozen=True, eq=False)
class Body:
    """Either `images`: files, or pixels `[height, width, 3]` uint8; or `embeddings [input, D]`, perhaps with `logits`."""

    images: list[bytes] | list[NDArray[np.uint8]] | None = None
    embeddings: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.images) if self.images is not None else 0 if self.embeddings is None else len(self.embeddings)


def parse(media_type: str, body: bytes, limits: Limits) -> Body:
    """The inputs of a request. Raises UserError WEB106 to WEB109."""
    kind, options = parse_options_header(media_type.encode("latin-1", "replace"))
    if kind == JSON.encode():
        found = _of_json(body)
    elif kind == SAFETENSORS.encode():
        found = _of_safetensors(body, limits)
    elif kind == MULTIPART.encode():
        found = Body(images=_parts(body, options.get(b"boundary", b""), limits))
    elif kind.startswith(b"image/"):
        found = Body(images=[body])
    else:
        raise user_error("WEB108", f"the content type {media_type[:100]!r} is not served", f"send {FORMS}")
    if not len(found):
        _unreadable("there is no input in it")
    if len(found) > limits.inputs:
        _too_many(limits)
    return found


def _of_json(body: bytes) -> Body:
    if len(body) > JSON_BYTES:
        problem = f"JSON of {len(body)} bytes; at most {JSON_BYTES} are parsed"
        raise user_error("WEB106", problem, f"send fewer inputs at once, or {SAFETENSORS}")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        _unreadable(f"it is not JSON: {error}")
    if not isinstance(value, dict):
        _unreadable('it is not an object such as {"embeddings": [[...]]}')
    return _of_arrays({name: _array(name, rows) for name, rows in value.items()})


def _of_safetensors(body: bytes, limits: Limits) -> Body:
    try:
        arrays = load(body)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        _unreadable(f"it is not safetensors: {error}")
    images = arrays.pop("images", None)
    if images is None:
        return _of_arrays(arrays)
    if arrays or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
        others = f" beside {', '.join(sorted(arrays))}" if arrays else ""
        _unreadable(
            f"images are {images.dtype} {list(images.shape)}{others}; alone and uint8 [image, height, width, 3]"
        )
    if images.shape[1] * images.shape[2] > limits.pixels:
        problem = f"{images.shape[2]} x {images.shape[1]} pixels are more than {limits.pixels:,}"
        raise user_error("WEB110", problem, "send smaller images")
    return Body(images=list(images))


def _of_arrays(arrays: dict[str, NDArray[Any]]) -> Body:
    unknown = sorted(set(arrays) - {"embeddings", "logits"})
    if unknown or "embeddings" not in arrays:
        what = f"{unknown[0]!r} is not known" if unknown else "there are no embeddings"
        _unreadable(f"{what}; known are embeddings and logits, and images in {SAFETENSORS}")
    numbers = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
            _unreadable(f"{name} are not rows of numbers but {array.dtype} {list(array.shape)}")
        with np.errstate(over="ignore"):
            numbers[name] = np.atleast_2d(array).astype(np.float32)
        finite = np.isfinite(numbers[name]).all(1)
        if not finite.all():
            row = int(finite.argmin())
            _unreadable(f"{name}, row {row} (the first is 0), has a number that is not finite in float32")
    return Body(embeddings=numbers["embeddings"], logits=numbers.get("logits"))


def _array(name: str, rows: object) -> NDArray[Any]:
    try:
        return np.asarray(rows)
    except (ValueError, OverflowError):
        _unreadable(f"{name[:40]!r} has rows of different lengths")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _parts(body: bytes, boundary: bytes, limits: Limits) -> list[bytes]:
    """The contents of the parts, in order."""
    parts: list[bytearray] = []

    def begin() -> None:
        if len(parts) == limits.inputs:
            _too_many(limits)
        parts.append(bytearray())

    ended: list[bool] = []
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_part_data": lambda data, start, end: parts[-1].extend(data[start:end]),
                "on_end": lambda: ended.append(True),
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        _unreadable(f"it is not {MULTIPART}: {error}")
    if not ended:
        _unreadable(f"its {MULTIPART} has no end")
    return [bytes(part) for part in parts]


def _too_many(limits: Limits) -> NoReturn:
    raise user_error("WEB107", f"more than {limits.inputs} inputs in one request", "send them in several requests")


def _unreadable(why: str) -> NoReturn:
    raise user_error("WEB109", f"the body cannot be used: {why[:300]}", f"send {FORMS}")
