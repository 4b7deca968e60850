"""Images of sixteen bits a sample, as they are in the file: Pillow reads their colours with the upper eight alone.

What needs all sixteen: a colour that stands for transparent, a white that is another one than 65,535, rounding.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Samples: TypeAlias = NDArray[np.uint16]
COLOURS = ("RGB;16", "RGBX;16", "RGBA;16", "RGBa;16")
# Grey with alpha, of which Pillow gives the upper eight bits alone.
UPPER_ALONE = "LA;16"
WHITE = 65_535
# Cameras and scanners of 10, 12 and 14 bits write files whose samples end here or lower; a photograph that is all darker than
# a quarter of white cannot be told from one of theirs.
LEAST_WHITE = 1 << 14
# Tags of TIFF, and the values of them that matter here.
PHOTOMETRIC, WHITE_IS_ZERO, SAMPLE_FORMAT, UNSIGNED = 262, 0, 339, 1
MAXIMUM_TAGS = (281, 341)  # MaxSampleValue, SMaxSampleValue
# Where the chunks of a PNG begin, and the size of what stands around the content of one; sBIT comes before the pixels.
PNG_CHUNKS, CHUNK_HEAD, CHUNK_END = 8, 8, 4


def raw_mode(image: Image.Image) -> str:
    """How Pillow is about to unpack the samples, such as "RGB;16B"; empty where a decoder does not say."""
    for tile in getattr(image, "tile", ()):
        args = tile[3]
        first = args[0] if isinstance(args, tuple | list) and args else args
        return first if isinstance(first, str) else ""
    return ""


def of_colours(image: Image.Image, source: Path | BinaryIO, formats: list[str]) -> Samples | None:
    """Upright samples `[y, x, 3 or 4]` of an image of sixteen bits in two to four channels, just opened; else None."""
    raw = raw_mode(image)
    if raw.startswith(UPPER_ALONE):
        upper = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), dtype=np.uint16)
        return np.asarray(upper * np.uint16(257), dtype=np.uint16)
    if not raw.startswith(COLOURS):
        return None
    if not isinstance(source, Path):
        source.seek(0)
    with Image.open(source, formats=formats) as again:
        # The lower eight bits are the upper ones of the other order of bytes.
        again.tile = [_reordered(tile) for tile in again.tile]
        high, low = (np.asarray(ImageOps.exif_transpose(part), dtype=np.uint16) for part in (image, again))
    return np.asarray(high * np.uint16(256) + low, dtype=np.uint16)


def _reordered(tile: Any) -> Any:
    args = tile[3]
    raw = args if isinstance(args, str) else args[0]
    own = raw[-1] if raw[-1] in "BL" else {"little": "L", "big": "B"}[sys.byteorder]
    turned = raw[: raw.index("16") + 2] + {"B": "L", "L": "B"}[own]
    given = turned if isinstance(args, str) else type(args)([turned, *args[1:]])
    return tile._replace(args=given) if hasattr(tile, "_replace") else (*tile[:3], given)


def white_of(samples: Samples, bits: int | None, kind: str | None) -> int:
    """Which value is white: that of the bits that a file of `kind` declares, else 65,535.

    A PNG's samples of fewer bits are to be scaled to sixteen, which leaves the lowest bits empty in dark pictures; where they
    are not empty, and nothing is above those bits, its writer did not scale. Raises ValueError where that is not clear: no
    sample reaches a quarter of white, which would be dark or black pictures, if they were taken as they are.
    """
    brightest = int(samples.max(initial=0))
    if (
        bits is not None
        and brightest < 1 << bits
        and (kind != "PNG" or (samples & np.uint16((1 << (16 - bits)) - 1)).any())
    ):
        return (1 << bits) - 1
    if 0 < brightest < LEAST_WHITE:
        used = brightest.bit_length()
        raise ValueError(
            f"its 16-bit samples go no higher than {brightest:,} of {WHITE:,}: it is dark or of fewer bits ({used} or a few "
            f"more), and the file does not say which; write it again with white at {WHITE:,}, or in 8 bits"
        )
    return WHITE


def declared_bits(source: Path | BinaryIO, tags: dict[int, Any], kind: str | None) -> int | None:
    """How many bits of sixteen a file says that its samples have: a TIFF's MaxSampleValue where it is that of whole bits (4,095,
    not the largest sample that happens to be there), a PNG's sBIT; None where it says nothing of fewer.
    """
    if kind == "TIFF":
        largest = next((tags[tag] for tag in MAXIMUM_TAGS if tag in tags), WHITE)
        values = {*largest} if isinstance(largest, tuple) else {largest}
        value = int(max(values)) if values and all(float(number).is_integer() for number in values) else WHITE
        return value.bit_length() if 255 <= value < WHITE and value & (value + 1) == 0 else None
    if kind == "PNG":
        significant = max(_png_chunk(source, b"sBIT"), default=16)
        return significant if 8 <= significant < 16 else None
    return None


def _png_chunk(source: Path | BinaryIO, wanted: bytes) -> bytes:
    """The content of a chunk before the pixels; empty where there is none."""
    stream = source.open("rb") if isinstance(source, Path) else source
    place = stream.tell()
    try:
        stream.seek(PNG_CHUNKS)
        while len(head := stream.read(CHUNK_HEAD)) == CHUNK_HEAD and head[4:] != b"IDAT":
            length = int.from_bytes(head[:4], "big")
            if head[4:] == wanted:
                return stream.read(min(length, 4))
            stream.seek(length + CHUNK_END, 1)
        return b""
    finally:
        stream.seek(place)
        if isinstance(source, Path):
            stream.close()


def of_grey(image: Image.Image, kind: str | None) -> Samples:
    """Samples `[y, x]` of an image of one channel with more than eight bits, from a file of `kind`, as they are there.

    Raises ValueError for floats, signed samples and 32 bits, which do not say which value is white.
    """
    samples = np.asarray(image)
    # Pillow opens 16-bit PGM, and older versions 16-bit PNG, with 32-bit integers.
    sixteen = samples.dtype.itemsize == 2 or (kind in ("PNG", "PPM") and image.mode == "I")
    if samples.dtype.kind == "f" or not sixteen or samples.min(initial=0) < 0 or samples.max(initial=0) > WHITE:
        number = "floats" if samples.dtype.kind == "f" else "integers"
        raise ValueError(_unsaid(f"{8 * samples.dtype.itemsize}-bit {number}"))
    return samples.astype(np.uint16)


def check_unsigned(tags: dict[int, Any], mode: str) -> None:
    """Raises ValueError for a TIFF of signed samples of eight bits, which Pillow reads as if they were unsigned."""
    formats = tags.get(SAMPLE_FORMAT, UNSIGNED)
    signed = {*formats} != {UNSIGNED} if isinstance(formats, tuple) else formats != UNSIGNED
    if signed and not mode.startswith(("I", "F")):
        raise ValueError(_unsaid("signed integers or floats"))


def _unsaid(samples: str) -> str:
    return f"its samples are {samples}, which do not say which value is white; write 8 or 16 bits"


def to_eight(
    samples: Samples, clear: object = None, *, white: int = WHITE, zero_is_white: bool = False
) -> NDArray[np.uint8]:
    """RGB `[y, x, 3]` of samples `[y, x]`, `[y, x, 3]` or `[y, x, 4]`, the last laid over white; `clear`: the sample, or the
    colour, that stands for transparent. `white`: see `white_of`.
    """
    colours = samples if samples.ndim == 2 else samples[:, :, :3]
    scaled = colours.astype(np.float64) / (white / 255.0)
    if zero_is_white:
        scaled = 255.0 - scaled
    rgb = scaled if scaled.ndim == 3 else np.repeat(scaled[:, :, None], 3, axis=2)
    shown = np.ones(rgb.shape[:2])
    if samples.ndim == 3 and samples.shape[2] == 4:
        shown = samples[:, :, 3] / (white if samples[:, :, 3].max(initial=0) <= white else WHITE)
    elif isinstance(clear, int) and samples.ndim == 2:
        shown = (samples != clear).astype(np.float64)
    elif isinstance(clear, tuple) and samples.ndim == 3:
        shown = (colours != np.asarray(clear)).any(2).astype(np.float64)
    return np.rint(shown[:, :, None] * rgb + (1 - shown[:, :, None]) * 255.0).astype(np.uint8)
