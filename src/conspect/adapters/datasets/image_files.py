"""Decoding one image, from a file or from bytes, to RGB, with every oddity handled or refused by name."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from conspect.adapters.datasets import sixteen_bits
from conspect.adapters.datasets.signatures import LOOKED_AT, not_an_image
from conspect.core.diagnostics import Diagnostic, SourceLocation, user_error
from conspect.core.image_sizes import too_large
from conspect.core.protocols import UnreadableImage

# The decoders that are used, and no others: Pillow's own list holds one that runs Ghostscript and several of rare formats.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {
    ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".jp2", ".j2k", ".jpx", ".jpc", ".jpf", ".png",
    ".apng", ".pbm", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
# Larger images are refused before they are decoded (a decompression bomb costs memory, not just time).
MAXIMUM_PIXELS = 100_000_000


def read_image(path: Path) -> NDArray[np.uint8]:
    """The image `[height, width, 3]` uint8, RGB.

    EXIF rotation is applied; of animations the first frame counts; transparency is laid over white; CMYK, palettes and
    grey are converted, colour profiles are not; 16-bit samples are divided by 257. Raises UnreadableImage DATA006 for anything
    else, also for samples that do not say which value is white: floats, 32 bits, signed ones, and 16 bits that are all darker
    than a quarter of white.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise unreadable(path.name, "not a regular file", SourceLocation(str(path)))
    try:
        return _decoded(path)
    except UnidentifiedImageError as error:
        with path.open("rb") as stream:
            raise unreadable(path.name, not_an_image(stream.read(LOOKED_AT)), SourceLocation(str(path))) from error
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
        known = isinstance(error, UnidentifiedImageError)
        reason = not_an_image(content[:LOOKED_AT]) if known else _reason(error)
        raise unreadable(name, reason) from error


def unreadable(name: str, why: str, place: SourceLocation | None = None) -> UnreadableImage:
    """DATA006 for the image called `name`."""
    reason = (why.splitlines() or ["no reason given"])[0][:200]
    # File names that are not UTF-8 arrive with halves of surrogate pairs, which no JSON file may hold.
    problem = f"{name}: {reason}".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return UnreadableImage(Diagnostic("DATA006", problem, "repair or remove the file", place))


def _decoded(source: Path | BinaryIO) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of bombs below our own, stricter limit
        Image.init()
        formats = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(source, formats=formats) as image:
            refusal = too_large(image.width, image.height, MAXIMUM_PIXELS)
            if refusal is not None:
                raise ValueError(refusal)
            image.seek(0)
            kind, tags = image.format, dict(getattr(image, "tag_v2", {}))
            sixteen_bits.check_unsigned(tags, image.mode)
            upper_alone = sixteen_bits.raw_mode(image).startswith(sixteen_bits.UPPER_ALONE)
            samples = sixteen_bits.of_colours(image, source, formats)
            clear = image.info.get("transparency")
            upright = image if samples is not None else ImageOps.exif_transpose(image)
            if samples is None and (upright.mode.startswith("I") or upright.mode == "F"):
                samples = sixteen_bits.of_grey(upright, kind)
            if samples is None:
                return _to_rgb(upright)
            bits = None if upper_alone else sixteen_bits.declared_bits(source, tags, kind)
            white = sixteen_bits.white_of(samples[:, :, :3] if samples.ndim == 3 else samples, bits, kind)
            turned = samples.ndim == 2 and tags.get(sixteen_bits.PHOTOMETRIC) == sixteen_bits.WHITE_IS_ZERO
            return sixteen_bits.to_eight(samples, clear, white=white, zero_is_white=turned)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAXIMUM_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:  # its text names the path, resolved or not
        return error.strerror
    return str(error) or type(error).__name__


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def as_rgb(image: object, name: str) -> NDArray[np.uint8]:
    """`image` itself, if it is `[height, width, 3]` uint8 RGB as a data set promises.

    Raises UserError DATA007 that names shape and type: floats would become black, channels first another picture.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        problem = f"image {name!r} is {array.dtype} {list(array.shape)}, not uint8 [height, width, 3]"
        raise user_error("DATA007", problem, how_to_give(array))
    return array


def how_to_give(array: NDArray[np.generic]) -> str:
    """What to do with pixels (of one image or several) that are not uint8 with three channels last."""
    steps = []
    if array.dtype.kind == "f":
        low, high = float(np.nanmin(array, initial=0)), float(np.nanmax(array, initial=0))
        shown = f"they are from {low:.3g} to {high:.3g}"
        steps.append(
            f"multiply by 255 and round to uint8 ({shown})"
            if low >= 0 and high <= 1
            else f"scale to 0..255 and round ({shown})"
        )
    elif array.dtype != np.uint8:
        steps.append(f"scale {array.dtype} to uint8, 0..255, yourself: which value is white is not said")
    if array.ndim >= 3 and array.shape[-1] != 3 and array.shape[-3] == 3:
        steps.append("put the channels last (numpy.moveaxis(pixels, -3, -1))")
    elif array.ndim >= 3 and array.shape[-1] == 1:
        steps.append("repeat the one channel three times")
    return " and ".join(steps) or "give red, green and blue, in this order, as the last axis"
