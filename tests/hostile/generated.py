"""Hostile files made by generation: bombs of every container, and valid files damaged in ways that a seed chooses."""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.files import _png, hostile_files
from tests.hostile.loaders import LOADERS, Loader

# Bytes that a bomb inflates to.
INFLATED = 1 << 30


def bombs() -> dict[str, bytes]:
    """Small files that declare, or unpack to, far more than they are."""
    return {**_zipped(), **parquet_bombs(), **_tarred(), **_pixels(), **_texts(), **onnx_bombs()}


def _zipped() -> dict[str, bytes]:
    files = {}
    for name in ("models/model.json", "data/weights/weight_0", "data/sample_inputs/model.pt", "byteorder"):
        out = io.BytesIO()
        with (
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(f"m/{name}", "w", force_zip64=True) as member,
        ):
            for _ in range(INFLATED >> 24):
                member.write(bytes(1 << 24))
        files[f"zip inflates {name}"] = out.getvalue()
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"m/data/weights/weight_{number}", b"")
    files["zip of 20,000 members"] = many.getvalue()
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("m/models/model.json", b"{}")
        archive.writestr("n/models/model.json", b"{}")
    files["zip with a member twice"] = twice.getvalue()
    lies = bytearray(twice.getvalue())
    place = lies.rindex(b"PK\x01\x02")
    lies[place + 24 : place + 28] = struct.pack("<I", 0xFFFF_FFF0)
    files["zip whose directory lies"] = bytes(lies)
    return files


def parquet_bombs() -> dict[str, bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return {}
    files = {}

    def repeated(value: object, number: int) -> object:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(number, np.int32)), pa.array([value]))

    different = pa.array([b"%08d" % k * 4 for k in range(100_000)])
    for name, table in {
        "parquet of rows without bytes": pa.table(
            {"image": repeated(b"x", 4_000_000), "label": repeated("a", 4_000_000)}
        ),
        "parquet whose label is a megabyte in 100,000 rows": pa.table(
            {"image": different, "label": repeated("a" * (1 << 20), 100_000)}
        ),
        "parquet of one image in 5,000 rows": pa.table(
            {"image": repeated(_png(8, 8, b"") + bytes(1 << 21), 5_000), "label": pa.array(["cat"] * 5_000)}
        ),
        "parquet of one image in 5,000 rows, as Hugging Face writes them": pa.table(
            {
                "image": pa.StructArray.from_arrays(
                    [repeated(_png(8, 8, b"") + bytes(1 << 21), 5_000), pa.nulls(5_000, pa.string())], ["bytes", "path"]
                ),
                "label": pa.array(["cat"] * 5_000),
            }
        ),
        "parquet of lists in lists": pa.table({"image": pa.array([[[[[[1]]]]]] * 10), "label": pa.array(["a"] * 10)}),
        "parquet of 3,000 columns": pa.table({"image": [b"x"], "label": ["a"], **{f"c{k}": [k] for k in range(3_000)}}),
    }.items():
        out = io.BytesIO()
        pq.write_table(table, out, compression="zstd", store_schema=False)
        files[name] = out.getvalue()
    return files


def _tarred() -> dict[str, bytes]:
    files = {}
    for name, size in {"tar that declares a terabyte": 1 << 40, "tar that declares minus one": (1 << 63) - 1}.items():
        info = tarfile.TarInfo("0.png")
        info.size = size
        files[name] = info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    many = io.BytesIO()
    with tarfile.open(fileobj=many, mode="w") as archive:
        for number in range(10_000):
            archive.addfile(tarfile.TarInfo(f"{number}.cls"))
    files["tar of 10,000 empty labels"] = many.getvalue()
    deep = io.BytesIO()
    with tarfile.open(fileobj=deep, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a/" * 2_000 + "0.png"))
    files["tar of a name 4,000 long"] = deep.getvalue()
    return files


def _pixels() -> dict[str, bytes]:
    def tiff(width: int, height: int, strips: int) -> bytes:
        entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
                   (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, strips)]  # fmt: skip
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + body + bytes(4)

    return {
        "tiff of 2^32 pixels": tiff(1 << 16, 1 << 16, 1 << 32 & 0xFFFF_FFFF),
        "tiff of a strip beyond its end": tiff(100, 100, 0xFFFF_FFF0),
        "bmp of 2^31 pixels": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65_535, 65_535, 1, 24, 0, 0, 0, 0, 0, 0),
        "ppm of 10^12 pixels": b"P6\n1000000 1000000\n255\n",
        "ppm of a long number": b"P6\n" + b"9" * 6_000 + b" 1\n255\n",
        "gif of 65,535 squared": b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00;",
        "webp that lies": b"RIFF\xff\xff\xff\x7fWEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\xff\xff\xff\xff\xff\xff",
        "png of 10,000 text chunks": _png(8, 8, b"", extra=b"".join(_chunk(k) for k in range(10_000))),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{ 1 pop } loop\n",
    }  # fmt: skip


def _chunk(number: int) -> bytes:
    import zlib

    text = b"k%d\0" % number + b"v" * 20
    return struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))


def _texts() -> dict[str, bytes]:
    return {
        "json of a number of 5,000 digits": b'{"size": ' + b"9" * 5_000 + b"}",
        "json of 100,000 lists": b"[" * 100_000,
        "json of equal keys": b"{" + b",".join(b'"a": 1' for _ in range(50_000)) + b"}",
        "csv of a million empty cells": b"path,label\n" + b"," * 1_000_000,
        "csv of a quoted megabyte": b'path,label\n"' + b"a" * (1 << 20) + b'",cat\n',
        "csv of labels of 5,000 digits": b"path,label\n" + b"".join(b"a.png,%s\n" % (b"9" * 5_000) for _ in range(20)),
        "toml of 20,000 tables": b"".join(b"[a%d]\n" % k for k in range(20_000)),
        "toml of dotted keys": b"a." * 3_000 + b"b = 1",
        "turtle of nested nodes": b"@prefix : <x:> .\n:a :b " + b"[ :b " * 3_000 + b":c" + b" ]" * 3_000 + b" .",
        "xml of entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><rdf:RDF xmlns:rdf="x">&c;</rdf:RDF>',
        "null characters": b"a\0b\0" * 1_000,
        "line ends of every kind": b"a\r\nb\rc\nd\x0be\x0cf\x1cg\xc2\x85h" * 100,
    }  # fmt: skip


def onnx_bombs() -> dict[str, bytes]:
    try:
        from onnx import TensorProto, helper
    except ImportError:
        return {}

    def graph(nodes: Any, initializers: Any = (), shape: Any = ("n", 3, 8, 8), rank: int = 4) -> bytes:
        given = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
        made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)
        model = helper.make_model(
            helper.make_graph(nodes, "g", [given], [made], initializers),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=9,
        )
        return bytes(model.SerializeToString())

    sizes = helper.make_tensor("s", TensorProto.INT64, [2], [1 << 20, 1 << 20])
    repeats = helper.make_tensor("r", TensorProto.INT64, [4], [1, 1, 1 << 15, 1 << 15])
    lies = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 31, 1 << 20], raw_data=b"\0" * 4)
    chain = [
        helper.make_node("Identity", ["image" if k == 0 else f"v{k}"], [f"v{k + 1}" if k < 999 else "y"])
        for k in range(1_000)
    ]
    return {
        "onnx that makes a constant of 2^40": graph([helper.make_node("ConstantOfShape", ["s"], ["y"])], [sizes], rank=2),
        "onnx that tiles to 2^30": graph([helper.make_node("Tile", ["image", "r"], ["y"])], [repeats]),
        "onnx whose weight lies": graph([helper.make_node("MatMul", ["image", "w"], ["y"])], [lies]),
        "onnx of a thousand steps": graph(chain),
        "onnx of a picture of 2^40 pixels": graph(
            [helper.make_node("Identity", ["image"], ["y"])], shape=("n", 3, 1 << 20, 1 << 20)
        ),
        "onnx without an end": graph([helper.make_node("Relu", ["y"], ["y"])]),
    }  # fmt: skip


def damaged(loader: Loader, number: int, seed: int) -> dict[str, bytes]:
    """`number` files that `loader` reads, each changed: cut, filled, doubled, or with bytes put in, taken out or turned."""
    if loader.valid is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / loader.name
        path.parent.mkdir(parents=True, exist_ok=True)
        loader.valid(path)
        whole = path.read_bytes()
    chance = random.Random(f"{loader.name} {seed}")
    files = {}
    for count in range(number):
        start, length = chance.randrange(len(whole)), chance.randrange(1, 64)
        patch = bytes(chance.randrange(256) for _ in range(chance.randrange(0, 64)))
        way = chance.choice(("cut", "filled", "doubled", "patched", "turned", "lengthened"))
        content = {
            "cut": whole[:start],
            "filled": whole[:start] + b"\xff" * length + whole[start + length :],
            "doubled": whole + whole[start:],
            "patched": whole[:start] + patch + whole[start + length :],
            "turned": whole[:start]
            + bytes(byte ^ 0x55 for byte in whole[start : start + length])
            + whole[start + length :],
            "lengthened": whole[:start] + bytes(1 << 16) + whole[start:],
        }[way]
        files[f"{loader.name[-30:]} {way} at {start} ({count})"] = content
    return files


def generated_files(number: int, *, seed: int = 0) -> dict[str, bytes]:
    """At least `number` hostile files: those that are written out, all bombs, and damaged ones of every loader in turn."""
    files = {**hostile_files(), **bombs()}
    valid = [loader for loader in LOADERS if loader.valid is not None]
    each = max(2, -(-(number - len(files)) // len(valid)))
    for loader in valid:
        files |= damaged(loader, each, seed)
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Into files called by number, and their names in names.json."""
    for number, content in enumerate(files.values()):
        (folder / str(number)).write_bytes(content)
    (folder / "names.json").write_text(json.dumps(list(files)))


if __name__ == "__main__":
    where, number, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    write(where, generated_files(number, seed=seed) if number else bombs())
