"""The reader of CIFAR's pickles: what it reads, and that no file makes it run anything."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.datasets.plain_pickle import read_plain_pickle
from conspect.core.diagnostics import OutsideError
from tests.adapters.old_pickles import python2_batch


@pytest.fixture(autouse=True)
def no_unpickling(monkeypatch) -> None:
    """Any use of pickle's own loader fails the test."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)


def read(folder: Path, content: bytes) -> Any:
    path = folder / "batch"
    path.write_bytes(content)
    return read_plain_pickle(path)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_python_3_writes_is_read_as_it_was(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(0)
    value: dict[Any, Any] = {
        b"data": rng.integers(0, 256, (5, 3072), dtype=np.uint8),
        "turned": np.asfortranarray(rng.normal(size=(3, 4))),
        "big-endian": np.arange(6, dtype=">i4"),
        b"labels": [0, 255, 65535, -1, 2**40],
        "rest": (None, True, False, 1.5, "text", b"bytes", [], {}, (), (1, 2, 3, 4)),
    }
    unpickled = read(tmp_path, pickle.dumps(value, protocol=protocol))
    assert list(unpickled) == list(value)
    for key in (b"data", "turned", "big-endian"):
        assert np.array_equal(unpickled[key], value[key])
        assert unpickled[key].dtype == value[key].dtype
    assert (unpickled[b"labels"], unpickled["rest"]) == (value[b"labels"], value["rest"])


def test_what_python_2_wrote_is_read_and_equals_what_pickle_makes_of_it(tmp_path: Path, monkeypatch) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 3072), dtype=np.uint8)
    content = python2_batch(pixels, [3, 1, 4] * 100)
    unpickled = read(tmp_path, content)
    assert unpickled[b"labels"] == [3, 1, 4] * 100
    assert unpickled[b"batch_label"] == b"training batch 1 of 5"
    assert np.array_equal(unpickled[b"data"], pixels)
    monkeypatch.undo()
    reference = pickle.loads(content, encoding="bytes")
    assert np.array_equal(reference[b"data"], unpickled[b"data"])


class Runs:
    """Unpickled, it would create a file."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __reduce__(self) -> tuple[object, ...]:
        return {
            "system": (os.system, ("touch PWNED",)),
            "eval": (eval, ("open('PWNED', 'w')",)),
            "open": (open, ("PWNED", "w")),
            "state": (Runs, (), {"how": "state"}),
        }[self.how]


MULTIARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
HOSTILE = {
    **{
        f"{how}, protocol {protocol}": pickle.dumps({b"data": Runs(how=how)}, protocol=protocol)
        for how in ("system", "eval", "open", "state")
        for protocol in (0, 1, 2, 3, 4, 5)
    },
    "a global alone": b"\x80\x02cos\nsystem\n.",
    "an instance": b"(S'touch PWNED'\nios\nsystem\n.",
    "an object": b"(cos\nsystem\nS'touch PWNED'\no.",
    "a new object": b"\x80\x02cos\nsystem\nU\x0btouch PWNED\x85\x81.",
    "a persistent id": b"Pwhatever\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "numpy's own loader": b"\x80\x02cnumpy\nload\nU\x05PWNED\x85R.",
    "the array maker, of another type": b"\x80\x02" + MULTIARRAY + b"cos\nsystem\nK\x00\x85U\x01b\x87R.",
    "an array that is never filled": b"\x80\x02" + MULTIARRAY + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R.",
    "a dtype as a value": b"\x80\x02cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R.",
    "codecs with another encoding": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
    "the state of a dict": b"\x80\x02}}b.",
    "a list in itself": b"\x80\x02]q\x01h\x01a.",
    "lists that double": b"\x80\x02]" + b"q\x01]h\x01ah\x01a" * 7 + b".",
    "a hundred million values": b"\x80\x02"
    + b"]q\x00("
    + b"N" * 100
    + b"e"
    + (b"q\x01](" + b"h\x01" * 100 + b"e") * 3
    + b".",
    "deep tuples as a key": b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns.",
    "an object array": pickle.dumps(np.array([Runs(how="system")], dtype=object), protocol=2),
    "a missing end": b"\x80\x02}q\x01(",
    "a length beyond the file": b"\x80\x02B\xff\xff\xff\x7fx.",
    "a pop below the stack": b"\x80\x02R.",
    "nothing": b"",
    "text": b"hello",
    "a zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = set(sys.modules)
    with pytest.raises(OutsideError, match="DATA002"):
        read(tmp_path, HOSTILE[name])
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]
    assert set(sys.modules) == loaded


SHAPES = (b"K\x05", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"]", b"N", b"\x88")


@pytest.mark.parametrize("side", SHAPES)
def test_an_array_whose_bytes_do_not_fill_its_shape_is_refused(tmp_path: Path, side: bytes) -> None:
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"\x80\x02" + MULTIARRAY + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
    with pytest.raises(OutsideError, match="DATA002"):
        read(tmp_path, start + side + b"\x85" + dtype + b"\x89U\x04abcdtb.")
    assert read(tmp_path, start + b"K\x04\x85" + dtype + b"\x89U\x04abcdtb.").tolist() == [97, 98, 99, 100]


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_bytes_get_anything_else_out_of_it(tmp_path_factory, tail: bytes, place: int, value: int) -> None:
    """Random bytes, and a whole batch with one byte changed: data, or the one error."""
    folder = tmp_path_factory.getbasetemp()
    whole = bytearray(python2_batch(np.zeros((2, 16), np.uint8), [1, 2]))
    whole[place % len(whole)] = value
    for content in (bytes(whole), b"\x80\x02" + tail, bytes(whole[: place % len(whole)]) + tail):
        try:
            held = read(folder, content)
        except OutsideError:
            continue  # any other error is a failure
        assert not callable(held)
