"""What a small request could cost: memory, time, and the event loop's attention."""

import asyncio
import io
import json
import struct
import time
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from conspect.core.diagnostics import UserError
from conspect.study.monitor import received
from conspect.web import checking, decoders
from conspect.web.answers import answers
from conspect.web.bodies import InputShapes, parse
from conspect.web.decoders import Allowance, Decoders
from conspect.web.limits import MEMORY_MULTIPLE, Limits
from tests.web.asking import LinearModel, asking, embeddings, images, limited, require_failure

SHAPES = InputShapes(8, 10)
SAFETENSORS, PNG, JPEG = ({"content-type": kind} for kind in ("application/x-safetensors", "image/png", "image/jpeg"))


def declaring(shape: Sequence[float], dtype: str = "F32", size: int = 0, name: str = "embeddings") -> bytes:
    """A safetensors file whose header says this, and `size` bytes of zeros."""
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def file_of(side: int, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(out, format=kind, **options)
    return out.getvalue()


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is said `count` times over."""
    whole = file_of(256, "JPEG", progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:start] + whole[start:-2] * count + whole[-2:]


@pytest.mark.parametrize(
    "body",
    [
        declaring([1 << 33, 0]),
        declaring([1 << 40, 0]),
        declaring([0, 1 << 40]),
        declaring([1 << 62, 1 << 62, 0]),
        declaring([1 << 33, 0, 4, 3], "U8", name="images"),
        declaring([1, 8], size=28),
        declaring([1, 8], "C64", size=64),
        declaring([True, 8], size=32),
        declaring([1, 8.0], size=32),
        declaring([-1, -8], size=32),
        declaring([1, 8], size=32) + b"more",
        declaring([1] * 33 + [8], size=32),
        b'\x10\0\0\0\0\0\0\0{"a":{},"a":{} }',
    ],
)
def test_what_a_header_declares_is_judged_before_anything_is_made_of_it(body):
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(UserError, match=r"WEB1(07|09)"):
        parse("application/x-safetensors", body, Limits(), SHAPES)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    assert time.perf_counter() - start < 3  # the time that they would have waited
    tracemalloc.stop()


def test_arrays_of_every_type_are_read_as_safetensors_reads_them():
    for dtype in (np.float16, np.float32, np.float64, np.int8, np.int64, np.uint16):
        rows = (np.arange(16).reshape(2, 8) - 3).astype(dtype)
        logits = np.linspace(0, 1, 20).reshape(2, 10).astype(np.float32)
        body = parse("application/x-safetensors", save({"embeddings": rows, "logits": logits}), Limits(), SHAPES)
        np.testing.assert_array_equal(body.embeddings, rows.astype(np.float32))
        np.testing.assert_array_equal(body.logits, logits)
    pixels = images(3)
    read = parse("application/x-safetensors", save({"images": pixels}), Limits(), SHAPES)
    assert read.images is not None
    for seen, sent in zip(read.images, pixels, strict=True):
        np.testing.assert_array_equal(seen, sent)


SMALL = limited(body_bytes=4 << 20)
WIDE = InputShapes(4096, 10)
SIZE = SMALL.json_bytes - 100
KEY = b'{"embeddings": '
ROW, LONG_WORD = b"[" + b",".join([b"1"] * 4096) + b"]", b'[["' + b"x" * 1000 + b'"'
PART = b'--b\r\ncontent-disposition: form-data; name="a"; filename="x"\r\n\r\n' + b"x" * 16_000 + b"\r\n"
JSON, ARRAYS, PARTS = "application/json", "application/x-safetensors", "multipart/form-data; boundary=b"
WORST = {
    "one long string among numbers": (JSON, KEY + LONG_WORD + b",1" * (SIZE // 4) + b"]]}"),
    "empty lists": (JSON, KEY + b"[" + b"[]," * (SIZE // 3) + b"[]]}"),
    "short numbers": (JSON, KEY + b"[" + b",".join([ROW] * 64) + b"]}"),
    "one row": (JSON, KEY + b"[" + b"1," * (SIZE // 2 - 20) + b"1]}"),
    "nested": (JSON, KEY + b"[" * (SIZE // 2) + b"]" * (SIZE // 2) + b"}"),
    "objects": (JSON, KEY + b"[" + b'{"a":{}},' * (SIZE // 9) + b"{}]}"),
    "keys": (JSON, KEY + b"[1]" + b',"a":{}' * (SIZE // 7) + b"}"),
    "float64": (ARRAYS, save({"embeddings": np.ones((120, 4096))})),
    "images": (ARRAYS, save({"images": np.ones((100, 100, 100, 3), np.uint8)})),
    "parts": (PARTS, PART * 250 + b"--b--\r\n"),
    "boundaries": (PARTS, b"--b\r\n" * 800_000),
    "one endless header": (PARTS, b"--b\r\na:" + b"x" * (4 << 20)),
}


@pytest.mark.parametrize("name", WORST)
def test_parsing_takes_at_most_the_promised_multiple_of_the_body_limit(name):
    kind, body = WORST[name]
    assert len(body) <= SMALL.body_bytes + 100
    tracemalloc.start()
    with suppress(UserError):
        parse(kind, body, SMALL, WIDE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= MEMORY_MULTIPLE * SMALL.body_bytes


@pytest.fixture
def ask():
    made = asking(LinearModel(), limits=limited(pixels=1 << 22, request_pixels=5 << 20, decode_seconds=3.0))
    yield made
    made.service.close()


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once_and_a_common_one_is_not(ask):
    assert received.scans_of_jpeg(with_scans(3))[0] < 20
    assert ask(content=with_scans(3), headers=JPEG).status_code == 200
    for count in (100, 5000):
        start = time.perf_counter()
        told = require_failure(ask(content=with_scans(count), headers=JPEG), 422, "WEB110")
        assert "more than 64 scans" in told["problem"]
        assert time.perf_counter() - start < 2
    # A thumbnail inside a segment has scans of its own, which are not this image's.
    inside = b"\xff\xe1" + struct.pack(">H", 2 + 60 * 1000) + b"\xff\xda\0\0" * 15_000
    assert received.scans_of_jpeg(with_scans(1)[:2] + inside + with_scans(1)[2:])[0] < 20
    segments = b"\xff\xd8" + b"\xff\xe1\0\2" * 100_000
    assert "segments" in require_failure(ask(content=segments, headers=JPEG), 422, "WEB110")["problem"]


@pytest.mark.parametrize("end", [b"", b"\xd9", b"\xe1\0\2"])
def test_a_jpeg_that_consists_of_fill_bytes_is_refused_before_they_are_read_one_by_one(ask, end):
    filled = b"\xff\xd8" + b"\xff" * 5000 + end
    assert received.scans_of_jpeg(filled)[1] >= 4999
    assert "segments" in require_failure(ask(content=filled, headers=JPEG), 422, "WEB110")["problem"]
    # A few are allowed, and so is any number of them in a scan or a segment.
    few = with_scans(1)[:2] + b"\xff" * 9 + with_scans(1)[2:]
    assert received.scans_of_jpeg(few)[1] == received.scans_of_jpeg(with_scans(1))[1] + 9
    inside = b"\xff\xfe" + struct.pack(">H", 60_000) + b"\xff" * 59_998
    assert ask(content=with_scans(1)[:2] + inside + with_scans(1)[2:], headers=JPEG).status_code == 200


def test_pixels_of_one_request_are_counted_together(ask):
    parts = [("image", (f"{k}.png", file_of(1024))) for k in range(8)]
    told = require_failure(ask(files=parts), 422, "WEB110")
    assert "together at most 5,242,880" in told["problem"]
    assert ask(files=parts[:4]).status_code == 200
    pixels = save({"images": images(5, side=1030)})
    require_failure(ask(content=pixels, headers=SAFETENSORS), 422, "WEB110")


def test_a_decoder_that_takes_too_long_is_killed_and_the_next_image_is_decoded():
    made = Decoders(limited(decode_seconds=0.3), 1)
    large = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(large).save(out, format="PNG")
    assert len(out.getvalue()) > decoders.SMALL_BYTES
    np.testing.assert_array_equal(made.decode(out.getvalue(), 0, Allowance(Limits())), large)
    # Millions of extension blocks before the first frame: every library reads them one by one.
    bomb = b"GIF89a\x01\0\x01\0\0\0\0" + b"!\xfe\0" * 4_000_000
    start = time.monotonic()
    with pytest.raises(UserError, match="longer than"):
        made.decode(bomb, 0, Allowance(limited(decode_seconds=0.3)))
    assert time.monotonic() - start < 3
    np.testing.assert_array_equal(made.decode(out.getvalue(), 0, Allowance(Limits())), large)
    made.close()


def test_small_clients_do_not_wait_behind_large_images(ask):
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)).save(noise, "PNG")
    ask(content=noise.getvalue(), headers=PNG)  # the processes have started
    waiting = ask.service._checking._decoders._free
    held = [waiting.get() for _ in range(waiting.qsize())]  # every process is busy
    start = time.perf_counter()
    assert ask(content=file_of(4), headers=PNG).status_code == 200
    assert ask(json={"embeddings": embeddings()[:8].tolist()}).status_code == 200
    assert held
    assert time.perf_counter() - start < 3  # the time that they would have waited
    busy = ask(content=noise.getvalue(), headers=PNG)
    for decoder in held:
        waiting.put(decoder)
    require_failure(busy, 429, "WEB111")


def test_the_event_loop_neither_parses_nor_decodes(ask, monkeypatch):
    threads: list[bool] = []

    def watched(work):
        def called(*arguments):
            try:
                asyncio.get_running_loop()
                threads.append(True)
            except RuntimeError:
                threads.append(False)
            return work(*arguments)

        return called

    monkeypatch.setattr(checking, "parse", watched(parse))
    monkeypatch.setattr(checking, "answers", watched(answers))
    monkeypatch.setattr(ask.service._checking, "_share", watched(ask.service._checking._share))
    assert ask(content=file_of(4), headers=PNG).status_code == 200
    assert ask(json={"embeddings": embeddings()[:1].tolist()}).status_code == 200
    assert threads == [False] * 5
