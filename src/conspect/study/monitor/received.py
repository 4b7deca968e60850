"""Images that a stranger sends: read as the study reads its own, after what they declare has been judged."""

from __future__ import annotations

import io
import re
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets.image_files import decode_image, unreadable
from conspect.core.image_sizes import too_large

# Formats that people send and whose decoders are simple; the others only widen what a stranger can reach.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# Encoders write about 10 scans; each costs a pass over all pixels, however few bytes it has.
MOST_SCANS, MOST_SEGMENTS = 64, 4096
# A marker in the entropy-coded data of a JPEG: 0xFF and neither 0 (a stuffed byte), a restart, nor a fill byte.
# ITU-T T.81, B.1.1.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def received_image(content: bytes, name: str, *, pixels: int) -> NDArray[np.uint8]:
    """The image file `content` as `[height, width, 3]` uint8, RGB, read as `read_image` reads it.

    Raises UnreadableImage DATA006, for more than `pixels` or too many scans before anything is decoded.
    """
    declared_pixels(content, name, pixels=pixels)
    return decode_image(content, name)


def declared_pixels(content: bytes, name: str, *, pixels: int) -> int:
    """How many pixels the file says it has. Raises as `received_image` does, before anything is decoded."""
    require_few_scans(content, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise unreadable(name, f"more than {pixels:,} pixels") from error
    except Exception as error:  # decoders raise anything on hostile files
        raise unreadable(name, f"not an image; known are {', '.join(FORMATS)}") from error
    refusal = too_large(width, height, pixels)
    if refusal is not None:
        raise unreadable(name, refusal)
    return width * height


def require_few_scans(content: bytes, name: str) -> None:
    """Raises UnreadableImage DATA006 for a JPEG of more scans or segments than are decoded; takes milliseconds."""
    scans, segments = scans_of_jpeg(content)
    if scans > MOST_SCANS or segments > MOST_SEGMENTS:
        raise unreadable(name, f"a JPEG of more than {MOST_SCANS} scans or {MOST_SEGMENTS} segments")


def scans_of_jpeg(content: bytes) -> tuple[int, int]:
    """Scans and segments of a JPEG, counted until one of them is more than allowed; (0, 0) of another format.

    A byte that stands between two segments counts as one.
    """
    if content[:2] != b"\xff\xd8":
        return 0, 0
    scans = segments = 0
    place = 2
    while scans <= MOST_SCANS and segments <= MOST_SEGMENTS:
        match = _MARKER.search(content, place)
        if match is None or content[match.start() + 1] == _END_OF_IMAGE:
            segments += 0 if scans else (len(content) if match is None else match.start()) - place
            break
        # Between the segments before the first scan nothing but fill bytes may stand, which Pillow reads one by one.
        segments += 1 if scans else 1 + match.start() - place
        scans += content[match.start() + 1] == _START_OF_SCAN
        # A segment's first two bytes are its length, these two included; what is inside it is no marker.
        place = match.end() + max(int.from_bytes(content[match.end() : match.end() + 2], "big"), 2)
    return scans, segments
