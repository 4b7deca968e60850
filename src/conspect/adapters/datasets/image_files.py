"""Decoding one image file to RGB, with every oddity handled or refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from conspect.core.diagnostics import Diagnostic, Place
from conspect.core.protocols import UnreadableImage

# Larger images are refused before they are decoded (a decompression bomb costs memory, not just time).
MAXIMUM_PIXELS = 100_000_000


def read_image(path: Path) -> NDArray[np.uint8]:
    """The image `[height, width, 3]` uint8, RGB.

    EXIF rotation is applied; of animations the first frame counts; transparency is laid over white; CMYK, palettes and
    grey are converted; 16-bit samples are divided by 257. Raises UnreadableImage DATA006 for anything else.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise _unreadable(path, "not a regular file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs below our own, stricter limit
            with Image.open(path) as image:
                if image.width * image.height > MAXIMUM_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels are more than {MAXIMUM_PIXELS:,}")
                image.seek(0)
                return _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise _unreadable(path, f"more than {MAXIMUM_PIXELS:,} pixels") from error
    except Exception as error:  # decoders raise anything on hostile files: SyntaxError, struct.error, zlib.error, ...
        raise _unreadable(path, str(error) or type(error).__name__) from error


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


def _unreadable(path: Path, why: str) -> UnreadableImage:
    reason = why.splitlines()[0].replace(str(path), path.name)[:200]
    return UnreadableImage(
        Diagnostic("DATA006", f"{path.name}: {reason}", "repair or remove the file", Place(str(path)))
    )
