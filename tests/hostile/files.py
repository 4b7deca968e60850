"""Hostile files, by what they pretend to be. Every one is small, and none may run, fill memory, or take long."""

import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

# What code in a pickle would do: make this file. No test may ever find it.
CANARY = Path("/tmp/conspect-hostile-canary")
BOMB = 1 << 28


class Payload:
    """Unpickling it makes the canary."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return eval, (f"open({str(CANARY)!r}, 'w').close()",)


def _safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _pickles() -> dict[str, bytes]:
    files = {f"pickle-{protocol}": pickle.dumps(Payload(), protocol) for protocol in (0, 2, 4)}
    files["pickle-nested"] = pickle.dumps({"state_dict": {"weight": Payload()}, b"data": [Payload()]}, 2)
    files["pickle-memo-bomb"] = b"\x80\x04]q\x00" + b"".join(b"(h%bh%be" % (b"\x00", b"\x00") for _ in range(99)) + b"."
    return files


def _tensors() -> dict[str, bytes]:
    nested = b'{"__metadata__":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    return {
        "st-length-lies": _safetensors({}, length=1 << 60),
        "st-length-all-ones": b"\xff" * 8 + b"{}",
        "st-header-no-json": _safetensors(b"{" * 100),
        "st-header-deep": _safetensors(nested),
        "st-header-no-utf8": _safetensors(b'{"\xff": 1}'),
        "st-offsets-overlap": _safetensors(
            {"embeddings": _tensor([2], [0, 8]), "readable": _tensor([2], [4, 12])}, b"\0" * 12
        ),
        "st-offsets-beyond": _safetensors({"embeddings": _tensor([4], [0, 1 << 40])}, b"\0" * 16),
        "st-offsets-backwards": _safetensors({"embeddings": _tensor([1], [4, 0])}, b"\0" * 4),
        "st-shape-overflows": _safetensors({"embeddings": _tensor([1 << 62, 8], [0, 4])}, b"\0" * 4),
        "st-shape-lies": _safetensors({"embeddings": _tensor([1000, 1000], [0, 4])}, b"\0" * 4),
        "st-unknown-type": _safetensors({"embeddings": _tensor([1], [0, 4], "OBJECT")}, b"\0" * 4),
        "st-hole": _safetensors({"embeddings": _tensor([1], [8, 12])}, b"\0" * 12),
        "st-tail": _safetensors({"embeddings": _tensor([1], [0, 4])}, b"\0" * 99),
        "st-metadata-numbers": _safetensors({"__metadata__": {"classes": 7}}),
        "st-metadata-names": _safetensors(
            {"__metadata__": {"classes": '["a"]', "mean": "[NaN]", "std": "[0]", "stage_widths": "[1e9]"}}
        ),
        "st-metadata-huge": _safetensors(
            {"__metadata__": {"classes": '["a"]', "mean": "0", "std": "1", "stage_widths": "[1000000, 1000000, 1]"}}
        ),
        "st-metadata-deep": _safetensors({"__metadata__": {"classes": "[" * 99_999, "unreadable": "[" * 99_999}}),
        "st-nothing": _safetensors({}),
    }


def _png_chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _png(width: int, height: int, data: bytes, *, crc: int | None = None, extra: bytes = b"") -> bytes:
    head = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), crc)
    return b"\x89PNG\r\n\x1a\n" + head + extra + _png_chunk(b"IDAT", zlib.compress(data)) + _png_chunk(b"IEND", b"")


def _images() -> dict[str, bytes]:
    whole = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(whole, "PNG")
    pixels = b"\0" + b"\xff\0\0" * 4
    text_bomb = _png_chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * BOMB, 9))
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
    return {
        "png-bomb": _png(60_000, 60_000, b"\0" * 1000),
        "png-wide": _png((1 << 31) - 1, 1, b"\0"),
        "png-nothing": _png(0, 0, b""),
        "png-truncated": whole.getvalue()[:-40],
        "png-wrong-crc": _png(4, 4, pixels * 4, crc=1),
        "png-short-data": _png(4, 4, pixels),
        "png-text-bomb": _png(4, 4, pixels * 4, extra=text_bomb),
        "png-chunk-length-lies": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", (1 << 31) - 1) + b"IHDR" + b"\0" * 30,
        "gif-bomb": gif + b"\x08\x01\x00\x00",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch "
        + str(CANARY).encode()
        + b") (w) file\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>',
        "tiff-loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    }


def _npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + data


def _arrays() -> dict[str, bytes]:
    objects, zipped = io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([Payload()], dtype=object), allow_pickle=True)
    np.savez(zipped, a=np.array([Payload()], dtype=object))
    return {
        "npy-objects": objects.getvalue(),
        "npz-objects": zipped.getvalue(),
        "npy-shape-lies": _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", b"\0" * 8),
        "npy-negative": _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", b"\0" * 8),
        "npy-code": _npy("{'descr': __import__('os').system('touch " + str(CANARY) + "'), 'shape': (1,)}"),
        "npy-deep": b"\x93NUMPY\x02\0" + struct.pack("<I", 99_999) + b"(" * 99_999,
        "npy-header-lies": b"\x93NUMPY\x03\0" + struct.pack("<I", (1 << 32) - 1),
    }


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _tar(members: dict[str, bytes], mode: str = "w:gz", link: str | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if link is not None:
            entry = tarfile.TarInfo("a.png")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return out.getvalue()


def _archives() -> dict[str, bytes]:
    return {
        "zip-bomb": _zip({"0.png": b"\0" * BOMB, "data.pkl": b"\0" * 1000}),
        "zip-traversal": _zip({"../" * 9 + str(CANARY): b"x", "/" + str(CANARY): b"x"}),
        "zip-pickle": _zip({"archive/data.pkl": pickle.dumps(Payload(), 2), "archive/version": b"3\n"}),
        "tar-bomb": _tar({"package/test_batch.png": b"\0" * BOMB}),
        "tar-traversal": _tar({"../" * 9 + str(CANARY): b"x", str(CANARY): b"x"}, "w"),
        "tar-link": _tar({}, "w", link="/etc/passwd"),
        "tar-truncated": _tar({"a.png": b"x" * 5000}, "w")[:2000],
        "gzip-bomb": zlib.compress(b"\0" * BOMB, 9, 31),
    }


def _texts() -> dict[str, bytes]:
    return {
        "empty": b"",
        "zeros": b"\0" * 4096,
        "ones": b"\xff" * 4096,
        "bom": b"\xef\xbb\xbf",
        "utf16": "[data]\n".encode("utf-16"),
        "toml-deep": b"a = " + b"[" * 100_000,
        "toml-deep-tables": b"[" + b".".join([b"a"] * 50_000) + b"]\n",
        "toml-long-number": b"a = " + b"9" * 100_000,
        "toml-date": b"a = 9999-99-99\n",
        "json-deep": b"[" * 200_000,
        "json-deep-objects": b'{"a":' * 100_000,
        "json-nan": b'{"format": NaN, "classes": Infinity}',
        "json-long-number": b"1" * 100_000,
        "json-surrogate": b'{"format": "\\ud800", "classes": ["\\udfff"]}',
        "json-number": b"7",
        "json-list": b"[[], {}]",
        "csv-quote-open": b'class,a\n"cat,1\n',
        "csv-wide": b"class" + b",a" * 200_000 + b"\n",
        "csv-long-cell": b"class,a\ncat," + b"1" * 1_000_000 + b"\n",
        "csv-nul": b"class,a\ncat,\x000\n",
        "csv-formula": b"class,a\n=cmd|'/c calc'!A0,0.5\n",
        "csv-nan": b"class,wheels\ncat,nan\n",
        "xml-entities": b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + k, (b"&%c;" % (97 + k)) * 10) for k in range(9))
        + b"]><rdf:RDF>&j;</rdf:RDF>",
        "xml-file": b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description>&x;</rdf:Description></rdf:RDF>',
        "cspec-deep": b"property p: " + b"(" * 100_000,
        "one-line": b"a" * 1_000_000,
    }


def _binaries() -> dict[str, bytes]:
    return {
        "parquet-footer-lies": b"PAR1" + b"\0" * 20 + struct.pack("<I", (1 << 31) - 1) + b"PAR1",
        "parquet-empty": b"PAR1PAR1",
        "parquet-thrift-deep": b"PAR1" + b"\x1c" * 50_000 + struct.pack("<I", 50_000) + b"PAR1",
        "onnx-length-lies": b"\x08\x08\x3a\xff\xff\xff\xff\x0f",
        "onnx-groups": b"\x0b" * 100_000,
        "onnx-nested": b"\x3a\x80\x80\x01" * 10_000,
    }


def hostile_files() -> dict[str, bytes]:
    """Name to content."""
    groups = (_pickles, _tensors, _images, _arrays, _archives, _texts, _binaries)
    return {name: content for group in groups for name, content in group().items()}


# Names that people and programs stumble over. A file system takes all of them.
NAMES = (
    "plain",
    "two words",
    "line\nbreak",
    "return\rand\ttab",
    "quote\"and'apostrophe",
    "back\\slash",
    "\u202egnp.live\u202c",
    "\u2066isolated\u2069 \u200fmark",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "${7*7}`id`$(id)",
    "%s%n{0}",
    "javascript:alert(1)",
    "&lt;b&gt;&#x3c;",
    "=1+1",
    "-rf",
    "~",
    "a..\u2024",
    "nul",
    "__proto__",
    "constructor",
    "\u0130stanbul",
    "e\u0301",
    "\U0001f600",
    "\u2028separator\u2029",
    "\u00e9",
    "\x01\x1b[31mred\x1b[0m",
    "a" * 200,
)
