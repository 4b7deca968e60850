"""Decoding one image, from a file or from bytes, to RGB, with every oddity handled or refused by name."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from conspect.core.diagnostics import Diagnostic, SourceLocation
from conspect.core.protocols import UnreadableImage

# Larger images are refused before they are decoded (a decompression bomb costs memory, not just time).
MAXIMUM_PIXELS = 100_000_000


def read_image(path: Path) -> NDArray[np.uint8]:
    """The image `[height, width, 3]` uint8, RGB.

    EXIF rotation is applied; of animations the first frame counts; transparency is laid over white; CMYK, palettes and
    grey are converted; 16-bit samples are divided by 257. Raises UnreadableImage DATA006 for anything else.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise unreadable(path.name, "not a regular file", SourceLocation(str(path)))
    try:
        return _decoded(path)
    except Exception as error:  # decoders raise anything on hostile files: SyntaxError, struct.error, zlib.error, ...
        raise unreadable(path.name, _reason(error).replace(str(path), path.name), SourceLocation(str(path))) from error


def decode_image(content: bytes, name: str) -> NDArray[np.uint8]:
    """The same of an image that is already in memory; `name` is its id. Raises UnreadableImage DATA006."""
    if not content:
        raise unreadable(name, "there is no image")
    try:
        return _decoded(io.BytesIO(content))
    except Exception as error:
        # Pillow names the stream object, whose address differs from run to run.
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else _reason(error)
        raise unreadable(name, reason) from error


def unreadable(name: str, why: str, place: SourceLocation | None = None) -> UnreadableImage:
    """DATA006 for the image called `name`."""
    reason = (why.splitlines() or ["no reason given"])[0][:200]
    return UnreadableImage(Diagnostic("DATA006", f"{name}: {reason}", "repair or remove the file", place))


def _decoded(source: Path | BinaryIO) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of bombs below our own, stricter limit
        with Image.open(source) as image:
            if image.width * image.height > MAXIMUM_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {MAXIMUM_PIXELS:,}")
            image.seek(0)
            return _to_rgb(ImageOps.exif_transpose(image))


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAXIMUM_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:  # its text names the path, resolved or not
        return error.strerror
    return str(error) or type(error).__name__


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        samples = np.asarray(image, dtype=np.float64)
        eight_bit = samples / 257.0 if image.mode.startswith("I") else samples
        grey = np.clip(np.rint(eight_bit), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
