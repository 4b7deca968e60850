"""Images as they are met in the wild: each is read as it looks, or refused by name."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import EpsImagePlugin, Image

from conspect.adapters.datasets.image_files import MAXIMUM_PIXELS, decode_image, read_image
from conspect.core.protocols import UnreadableImage

RED, WHITE = [200, 30, 60], [255, 255, 255]


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def gradient(side: int = 16) -> Image.Image:
    ramp = np.arange(side * side, dtype=np.uint8).reshape(side, side)
    return Image.fromarray(np.dstack([ramp, ramp[::-1], ramp.T]))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixels."""
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_a_plain_picture_keeps_every_pixel(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.png", gradient()))
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.asarray(gradient()))


def test_a_rotated_photograph_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: turn it clockwise to look at it
    picture = Image.fromarray(np.array([[RED, RED], [WHITE, WHITE], [WHITE, WHITE]], dtype=np.uint8))
    image = read_image(saved(tmp_path / "a.png", picture, exif=exif))
    assert image.tolist() == [[WHITE, WHITE, RED], [WHITE, WHITE, RED]]


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.webp", "a.png"):
        path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
        assert read_image(path).tolist() == [[[255, 0, 0]] * 5] * 4


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1), (200, 30, 60, 255))
    image.putpixel((1, 0), (200, 30, 60, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))
    assert read_image(saved(tmp_path / "a.png", image)).tolist() == [[RED, WHITE, [204, 204, 204]]]
    grey = Image.new("LA", (1, 1), (0, 0))
    assert read_image(saved(tmp_path / "b.png", grey)).tolist() == [[WHITE]]


def test_a_palette_with_transparency_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 30, 60, 1, 2, 3])
    image.putpixel((1, 0), 1)
    for name in ("a.png", "a.gif"):
        assert read_image(saved(tmp_path / name, image, transparency=1)).tolist() == [[RED, WHITE]]
    assert read_image(saved(tmp_path / "b.png", image)).tolist() == [[RED, [1, 2, 3]]]


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    samples = np.array([[0, 257, 65535, 200 * 257]], dtype=np.uint16)
    image = read_image(saved(tmp_path / "a.png", Image.fromarray(samples)))
    assert image.tolist() == [[[value] * 3 for value in (0, 1, 255, 200)]]
    assert np.array_equal(read_image(saved(tmp_path / "a.tiff", Image.fromarray(samples))), image)


def test_grey_and_black_and_white_pictures_become_rgb(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "a.png", Image.new("L", (1, 1), 77))).tolist() == [[[77] * 3]]
    assert read_image(saved(tmp_path / "b.png", Image.new("1", (1, 1), 1))).tolist() == [[WHITE]]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
@pytest.mark.parametrize("white", [1, 255, 4000])
def test_samples_that_do_not_say_what_is_white_are_unreadable_by_name(tmp_path: Path, kind: type, white: int) -> None:
    values: NDArray[Any] = (np.linspace(0, 1, 16).reshape(4, 4) * white).astype(kind)
    with pytest.raises(
        UnreadableImage, match=r"c\.tiff: its samples are 32-bit .*, which do not say which value is white"
    ):
        read_image(saved(tmp_path / "c.tiff", Image.fromarray(values)))


def test_sixteen_bits_are_scaled_and_a_clear_value_is_laid_over_white(tmp_path: Path) -> None:
    values = np.array([[0, 257 * 100, 65535, 7]], dtype=np.uint16)
    for ending in ("png", "tiff"):
        image = read_image(saved(tmp_path / f"a.{ending}", Image.fromarray(values)))
        assert image[0, :, 0].tolist() == [0, 100, 255, 0]
    clear = Image.fromarray(values)
    image = read_image(saved(tmp_path / "b.png", clear, transparency=7))
    assert image[0, :, 0].tolist() == [0, 100, 255, 255]


@pytest.mark.parametrize("ending", ["jpg", "png", "eps", "gif"])
def test_no_decoder_runs_that_is_not_on_the_list(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was run"))
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n{} loop\n%%EOF\n")
    with pytest.raises(UnreadableImage):
        read_image(path)
    with pytest.raises(UnreadableImage):
        decode_image(path.read_bytes(), "a")


def test_cmyk_is_converted(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (255, 0, 0, 0)), quality=100))
    assert np.abs(image.astype(int) - [0, 255, 255]).max() <= 3


def write_truncated(path: Path) -> None:
    gradient(64).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:-200])


def write_truncated_png(path: Path) -> None:
    gradient(64).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:-300])


HOSTILE = {
    "truncated.jpg": write_truncated,
    "truncated.png": write_truncated_png,
    "empty.jpg": lambda path: path.write_bytes(b""),
    "text.jpg": lambda path: path.write_text("not an image"),
    "page.png": lambda path: path.write_text("<html><body>404</body></html>"),
    "magic-only.jpg": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"),
    "bomb.png": lambda path: path.write_bytes(png_header(60_000, 60_000)),
    "large.png": lambda path: path.write_bytes(png_header(10_001, 10_000)),
    "flat.png": lambda path: path.write_bytes(png_header(0, 10)),
    "no-pixels.png": lambda path: path.write_bytes(png_header(10, 10)),
    "missing.png": lambda path: None,
    "dangling.png": lambda path: path.symlink_to("nowhere.png"),
    "folder.png": lambda path: path.mkdir(),
    "pipe.png": os.mkfifo,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    HOSTILE[name](path)
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "DATA006"
    assert diagnostic.problem.startswith(f"{name}: ")
    assert len(diagnostic.problem) > len(name) + 5
    assert str(tmp_path) not in diagnostic.problem


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for width, height in ((60_000, 60_000), (10_001, 10_000)):
        path.write_bytes(png_header(width, height))
        with pytest.raises(UnreadableImage, match=f"{MAXIMUM_PIXELS:,}"):
            read_image(path)


@pytest.mark.parametrize(("width", "height"), [(65_536, 1), (1, 65_536), (2001, 2), (1001, 1)])
def test_a_picture_that_is_one_long_line_is_refused_before_its_shorter_edge_is_enlarged(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_header(width, height))
    with pytest.raises(
        UnreadableImage, match=f"a.png: {width} x {height} pixels: one edge is more than 1,000 times as long"
    ):
        read_image(path)
    Image.new("RGB", (1000, 1)).save(path)
    assert read_image(path).shape == (1, 1000, 3)


@given(st.data())
def test_whatever_a_file_holds_it_is_a_picture_or_unreadable(tmp_path_factory, data) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.png"
    suffix = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
    gradient(8).save(path, format=suffix)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]) or b"x")
    try:
        image = read_image(path)
    except UnreadableImage:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


def test_every_caller_of_the_decoders_names_those_that_it_wants() -> None:
    """Pillow's own list holds one that starts Ghostscript, and grows with what is installed."""
    import ast

    calls = [
        (path.name, node)
        for path in (Path(__file__).parents[2] / "src" / "conspect").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Image.open", "PIL.Image.open"}
    ]
    assert len(calls) >= 4
    assert [name for name, node in calls if "formats" not in {word.arg for word in node.keywords}] == []
