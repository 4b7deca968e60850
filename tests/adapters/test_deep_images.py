"""Files of more than eight bits a sample, and of kinds that are not read: what they look like, or what to do with them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets.image_files import decode_image
from conspect.adapters.datasets.signatures import not_an_image
from conspect.core.protocols import UnreadableImage

RAMP: NDArray[Any] = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def png(samples: NDArray[Any], colours: int, clear: bytes = b"", significant: bytes = b"") -> bytes:
    """A PNG of sixteen bits, which Pillow writes of grey alone."""
    height, width = samples.shape[:2]

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0))
        + (chunk(b"sBIT", significant) if significant else b"")
        + (chunk(b"tRNS", clear) if clear else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff(samples: NDArray[Any], photometric: int, sample_format: int = 1, maximum: int | None = None) -> bytes:
    """A plain TIFF of one or three channels, with a MaxSampleValue where one is given."""
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    bits, place = 8 * samples.dtype.itemsize, 8 + 2 + 12 * (10 + (maximum is not None)) + 4
    more = struct.pack("<3H", bits, bits, bits) + struct.pack("<3H", *[sample_format] * 3) if channels == 3 else b""
    values = {
        256: (3, width), 257: (3, height), 258: (3, place if more else bits), 259: (3, 1), 262: (3, photometric),
        273: (4, place + len(more)), 277: (3, channels), 278: (3, height), 279: (4, samples.nbytes),
        339: (3, place + 6 if more else sample_format),
    }  # fmt: skip
    if maximum is not None:
        values[281] = (3, maximum)
    entries = b""
    for tag, (kind, value) in sorted(values.items()):
        many = channels if tag in (258, 339) else 1
        entries += struct.pack("<HHI", tag, kind, many)
        entries += struct.pack("<I", value) if kind == 4 or many > 2 else struct.pack("<HH", value, 0)
    content = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", len(values))
        + entries
        + struct.pack("<I", 0)
        + more
        + content
    )


def eighths(samples: NDArray[Any]) -> NDArray[Any]:
    return np.rint(samples / 257.0).astype(np.uint8)


FORMS = {
    "grey PNG": lambda values: png(values[:, :, 0], 0),
    "colour PNG": lambda values: png(values, 2),
    "grey TIFF": lambda values: tiff(values[:, :, 0], 1),
    "colour TIFF": lambda values: tiff(values, 2),
    "grey PNG with alpha": lambda values: png(np.dstack([values[:, :, 0], np.full((8, 8), 65535)]), 4),
    "colour PNG with alpha": lambda values: png(np.dstack([values, np.full((8, 8), 65535)]), 6),
}
COLOUR = np.dstack([RAMP, RAMP[::-1], RAMP.T])


@pytest.mark.parametrize("form", FORMS)
def test_sixteen_bits_are_divided_by_257(form: str) -> None:
    wanted = eighths(COLOUR if "colour" in form else np.dstack([RAMP] * 3)).astype(int)
    assert np.abs(decode_image(FORMS[form](COLOUR), "a") - wanted).max() <= ("grey PNG with" in form)


# Of grey with alpha Pillow gives the upper eight bits alone, so that a white of eight bits cannot be told from black.
@pytest.mark.parametrize(
    ("form", "bits"),
    [(form, bits) for form in FORMS for bits in (8, 10, 12, 14) if (form, bits) != ("grey PNG with alpha", 8)],
)
def test_sixteen_bits_that_hold_fewer_are_unreadable_by_name_and_never_black(form: str, bits: int) -> None:
    with pytest.raises(UnreadableImage, match=r"go no higher than [0-9,]+ of 65,535: it is dark or of fewer bits"):
        decode_image(FORMS[form](COLOUR >> (16 - bits)), "a")


@pytest.mark.parametrize("form", FORMS)
def test_a_black_picture_of_sixteen_bits_is_black(form: str) -> None:
    assert decode_image(FORMS[form](COLOUR * 0), "a").max() == 0


def test_a_colour_of_sixteen_bits_that_stands_for_transparent_is_laid_over_white() -> None:
    samples = np.full((8, 8, 3), 0x12FF, np.uint16)
    samples[0], samples[1] = [0x1234, 0x5678, 0x9ABC], [0x1234, 0x5678, 0x9ABD]
    image = decode_image(png(samples, 2, struct.pack(">3H", 0x1234, 0x5678, 0x9ABC)), "a")
    assert image[0].tolist() == [[255, 255, 255]] * 8
    assert image[1].tolist() == [[18, 86, 154]] * 8


def test_a_transparent_colour_that_is_nowhere_in_the_picture_changes_nothing() -> None:
    samples = np.full((8, 8, 3), 0x74FF, np.uint16)
    image = decode_image(png(samples, 2, struct.pack(">3H", 0x5674, 0x5674, 0x5674)), "a")
    assert np.unique(image).tolist() == [117]


def test_a_tiff_whose_zero_is_white_is_turned() -> None:
    for kind, white in ((np.uint16, 65535), (np.uint8, 255)):
        samples: NDArray[Any] = np.linspace(white // 2, white, 64).astype(kind).reshape(8, 8)
        image = decode_image(tiff(samples, 0), "a")[:, :, 0]
        assert np.abs(image - (255 - samples.astype(float) * (255.0 / white))).max() <= 0.5


@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_a_tiff_of_signed_samples_is_unreadable_by_name(kind: type) -> None:
    samples: NDArray[Any] = np.arange(-32, 32).astype(kind).reshape(8, 8)
    with pytest.raises(UnreadableImage, match="do not say which value is white"):
        decode_image(tiff(samples, 1, 2), "a")


def test_a_grey_map_of_ten_bits_says_its_white_and_is_read() -> None:
    image = decode_image(b"P5 8 8 1023\n" + (RAMP >> 6).astype(">u2").tobytes(), "a")
    assert np.abs(image[:, :, 0].astype(int) - eighths(RAMP)).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15])
@pytest.mark.parametrize("form", ["grey PNG", "colour PNG", "grey TIFF", "colour TIFF"])
def test_sixteen_bits_that_say_how_many_they_hold_are_read_with_that_white(form: str, bits: int) -> None:
    few = COLOUR >> (16 - bits)
    few, grey = (few, False) if "colour" in form else (few[:, :, 0], True)
    if "PNG" in form:
        content = png(few, 0 if grey else 2, significant=bytes([bits] * (1 if grey else 3)))
    else:
        content = tiff(few, 1 if grey else 2, maximum=(1 << bits) - 1)
    image = decode_image(content, "a")
    wanted = np.rint((np.dstack([few] * 3) if grey else few) * (255 / ((1 << bits) - 1)))
    assert np.array_equal(image, wanted.astype(np.uint8))


def test_a_png_that_scaled_its_twelve_bits_as_it_should_is_read_as_it_is() -> None:
    twelve = COLOUR >> 4
    scaled = (twelve << 4) | (twelve >> 8)
    assert np.array_equal(decode_image(png(scaled, 2, significant=bytes([12] * 3)), "a"), eighths(scaled))


def test_a_dark_png_of_twelve_bits_of_which_both_readings_stand_is_unreadable() -> None:
    with pytest.raises(UnreadableImage, match="it is dark or of fewer bits"):
        decode_image(png((RAMP >> 8) << 4, 0, significant=bytes([12])), "a")


def test_a_largest_sample_that_is_no_white_of_whole_bits_is_not_taken_for_white() -> None:
    with pytest.raises(UnreadableImage, match="it is dark or of fewer bits"):
        decode_image(tiff(RAMP >> 4, 1, maximum=3217), "a")


def test_few_bits_whose_zero_is_white_are_unreadable_and_not_nearly_white() -> None:
    with pytest.raises(UnreadableImage, match="it is dark or of fewer bits"):
        decode_image(tiff(RAMP >> 4, 0), "a")
    image = decode_image(tiff(RAMP >> 4, 0, maximum=4095), "a")[:, :, 0]
    assert np.abs(image - (255 - (RAMP >> 4) * (255 / 4095))).max() <= 0.5


OTHERS = {
    b"\0\0\0\x18ftypheic\0\0\0\0heicmif1": "HEIC (of telephones); convert it",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n": "git lfs pull",
    b"\n<!DOCTYPE html><html>": "a web page",
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">': "SVG",
    b"\x93NUMPY\x01\x00": "an array of NumPy",
    b"8BPS\0\1": "a Photoshop document",
    bytes(128) + b"DICM" + bytes(9): "DICOM",
    b"%PDF-1.7": "a PDF",
    b"PK\x03\x04" + bytes(9): "a zip archive",
    tiff(np.linspace(0, 1, 64).reshape(8, 8), 1, 3): "a TIFF of a form that is not read here",
    b"": "it is empty",
}


@pytest.mark.parametrize("content", OTHERS)
def test_a_file_of_another_kind_is_called_by_it(content: bytes) -> None:
    assert OTHERS[content] in not_an_image(content)
    if content:
        with pytest.raises(UnreadableImage) as caught:
            decode_image(content, "a")
        assert OTHERS[content] in str(caught.value)


def test_a_rotation_is_applied_to_sixteen_bits_of_colour_too() -> None:
    stream = io.BytesIO(FORMS["colour TIFF"](COLOUR[:4]))
    exif = Image.Exif()
    exif[274] = 6
    with Image.open(stream) as image:
        assert image.mode == "RGB"
    content = png(COLOUR[:4], 2)
    end = content.index(b"IDAT") - 4
    oriented = exif.tobytes()[6:]
    chunk = b"eXIf" + oriented
    content = (
        content[:end] + struct.pack(">I", len(oriented)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[end:]
    )
    assert np.array_equal(decode_image(content, "a"), np.rot90(eighths(COLOUR[:4]), -1))
