"""What a file is that no decoder here reads, by its first bytes: so that the one message about it says what to do."""

from __future__ import annotations

import re

# Looked for from the beginning, in this order; the fix is part of what is told.
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/", "a pointer of Git LFS and not the image; `git lfs pull` fetches it"),
    (b"%!PS", "PostScript, which is a program; convert it to PNG"),
    (b"%PDF", "a PDF; convert its pages to PNG"),
    (b"\x93NUMPY", "an array of NumPy; write it as PNG, uint8 with red, green and blue last"),
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"8BPS", "a Photoshop document; convert it to PNG"),
    (b"\xff\x0a", "JPEG XL, which is not read here; convert it to PNG"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL, which is not read here; convert it to PNG"),
    (b"v/1\x01", "OpenEXR, whose floats do not say which value is white; convert it to PNG"),
    (b"#?RADIANCE", "Radiance HDR, whose floats do not say which value is white; convert it to PNG"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file; write its images as PNG"),
    (b"SIMPLE  =", "a FITS file; write its images as PNG"),
    (
        b"II*\x00",
        "a TIFF of a form that is not read here (such as floats of 16 or 64 bits); write 8 or 16 bits, 1 to 4 channels",
    ),
    (
        b"MM\x00*",
        "a TIFF of a form that is not read here (such as floats of 16 or 64 bits); write 8 or 16 bits, 1 to 4 channels",
    ),
    (b"II+\x00", "a BigTIFF of a form that is not read here; write a plain TIFF, or PNG"),
)
# How files begin that the decoders of `image_files` read.
PICTURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8|BM|RIFF....WEBP|II\*\0|MM\0\*|P[1-6]\s|\xff\x4f\xff\x51|\0\0\0\x0cjP  |....ftypavi[fs]",
    re.DOTALL,
)
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(!doctype html|html|\?xml|svg|!--)", re.IGNORECASE)
LOOKED_AT = 512


def is_picture(head: bytes) -> bool:
    """Whether a file with these first bytes (`LOOKED_AT` are enough) begins as an image that is read here."""
    return PICTURES.match(head) is not None


def not_an_image(head: bytes) -> str:
    """Why a file with these first bytes (`LOOKED_AT` are enough) is no image, and what to do with it where it is known."""
    if not head:
        return "there is no image: it is empty"
    if head[4:8] == b"ftyp" and head[8:12] in HEIC:
        return "not an image that is read here: HEIC (of telephones); convert it to JPEG or PNG"
    if head[128:132] == b"DICM":
        return "not an image that is read here: DICOM; convert it to PNG, with the window that people look at"
    kind = next((what for beginning, what in BEGINNINGS if head.startswith(beginning)), None)
    if kind is None and (markup := MARKUP.match(head)):
        svg = markup[1].lower() == b"svg" or b"<svg" in head.lower()
        kind = (
            "SVG; draw it into a PNG"
            if svg
            else "a web page, such as what a server says in place of an image; fetch it again"
        )
    return "not an image" if kind is None else f"not an image that is read here: {kind}"
