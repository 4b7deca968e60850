"""A download whose server breaks off, drips, lies or sends on, on this machine."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from conspect.adapters.datasets import cifar10
from conspect.adapters.datasets.download import download
from conspect.core.diagnostics import OutsideError
from tests.adapters.small_cifar10 import ROWS, small, write_binary
from tests.loopback import Answer, Loopback, answering, fixed, ok

__all__ = ["small"]
CONTENT = np.random.default_rng(0).bytes(200_000)
MOST = 1 << 20


def start_of(request: bytes) -> int:
    line = next((line for line in request.split(b"\r\n") if line.lower().startswith(b"range: bytes=")), b"=0-")
    return int(line.partition(b"=")[2].rstrip(b"-"))


class Breaking:
    """Sends the rest that is asked for, `once` bytes of it, and hangs up; `ranges`: whether it can send a rest."""

    def __init__(self, content: bytes, once: int, *, ranges: bool = True) -> None:
        self.content, self.once, self.ranges = content, once, ranges
        self.server: Loopback

    def __call__(self, send: Callable[[bytes], None], stopped: Event) -> None:
        start = start_of(self.server.requests[-1]) if self.ranges else 0
        rest = self.content[start:]
        status = f"206 Partial\r\nContent-Range: bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        head = f"HTTP/1.1 {status if start else '200 OK'}\r\nContent-Length: {len(rest)}\r\n\r\n"
        send(head.encode() + rest[: self.once])


def test_a_connection_that_breaks_is_gone_on_from_where_it_was(tmp_path: Path) -> None:
    breaking = Breaking(CONTENT, 70_000)
    with answering(breaking) as breaking.server:
        download(f"{breaking.server.url}/a", tmp_path / "a", most=MOST)
        assert [start_of(request) for request in breaking.server.requests] == [0, 70_000, 140_000]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_has_arrived_is_kept_for_the_next_call(tmp_path: Path) -> None:
    breaking = Breaking(CONTENT, 30_000)
    with answering(breaking) as breaking.server:
        with pytest.raises(OSError, match=r"broke off after 150,000 of 200,000 bytes; 150,000 bytes are kept"):
            download(f"{breaking.server.url}/a", tmp_path / "a", most=MOST)
        breaking.once = len(CONTENT)
        download(f"{breaking.server.url}/a", tmp_path / "a", most=MOST)
        assert start_of(breaking.server.requests[-1]) == 150_000
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_knows_no_parts_sends_it_all_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 250_000)
    breaking = Breaking(CONTENT, len(CONTENT), ranges=False)
    with answering(breaking) as breaking.server:
        download(f"{breaking.server.url}/a", tmp_path / "a", most=MOST)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_another_part_than_the_one_asked_for_is_not_appended(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    with answering(
        fixed(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc")
    ) as server:
        download(server.url, tmp_path / "a", most=MOST)
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_a_part_that_the_server_does_not_have_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    with (
        answering(fixed(b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n")) as server,
        pytest.raises(OSError, match="416"),
    ):
        download(server.url, tmp_path / "a", most=MOST)
    assert not (tmp_path / "a").exists()


def test_a_redirect_leads_to_the_same_host_alone(tmp_path: Path) -> None:
    with answering(ok(b"stolen")) as other:
        head = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/b\r\nContent-Length: 0\r\n\r\n"
        with answering(fixed(head.encode())) as server, pytest.raises(OSError, match=rf"sends on to {other.url}"):
            download(f"{server.url}/a", tmp_path / "a", most=MOST)
        assert other.requests == []


def dripping(send: Callable[[bytes], None], stopped: Event) -> None:
    send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not stopped.wait(0.02):
        send(b"x")


HOSTILE: dict[str, Answer] = {
    "a server that drips": dripping,
    "a length beyond all": fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nabc"),
    "more than it may": fixed(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST + 1)),
    "a broken chunk": fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "no HTTP": fixed(b"\x00garbage\r\n\r\n"),
    "nothing": fixed(b""),
    "over 100 headers": fixed(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n"),
    "not found": fixed(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_server_is_an_error_of_the_system(kind: str, tmp_path: Path) -> None:
    with answering(HOSTILE[kind]) as server, pytest.raises(OSError, match=r"."):
        download(server.url, tmp_path / "a", most=MOST, timeout=0.3)


@pytest.fixture
def cifar_archive(tmp_path: Path, small: dict[str, cifar10.Batch], monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    write_binary(tmp_path / "binary", small)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(tmp_path / "binary", "cifar-10-batches-bin")
    return packed.getvalue()


def test_the_archive_of_cifar10_is_gone_on_from_in_the_next_call(
    tmp_path: Path, cifar_archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = Breaking(cifar_archive, len(cifar_archive) // 8)
    with answering(breaking) as breaking.server:
        monkeypatch.setattr(cifar10, "ARCHIVE_URL", f"{breaking.server.url}/cifar.tar.gz")
        with pytest.raises(OutsideError, match=r"DATA001.*bytes are kept and gone on from"):
            cifar10.load("test", cache=tmp_path / "cache")
        assert [path.name for path in (tmp_path / "cache").iterdir()] == ["cifar-10-binary.tar.gz.part"]
        assert len(cifar10.load("test", cache=tmp_path / "cache")) == ROWS
        assert start_of(breaking.server.requests[5]) == 5 * (len(cifar_archive) // 8)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["cifar10"]


@pytest.mark.parametrize("damage", ["cut short", "a byte changed", "no archive"])
def test_a_damaged_archive_is_one_diagnostic_and_is_not_kept(
    damage: str, tmp_path: Path, cifar_archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = len(cifar_archive) // 2
    damaged = {
        "cut short": cifar_archive[:middle],
        "a byte changed": cifar_archive[:middle] + b"\xff\x00\xff" + cifar_archive[middle + 3 :],
        "no archive": b"<html>captive portal</html>",
    }[damage]
    with answering(ok(damaged)) as server:
        monkeypatch.setattr(cifar10, "ARCHIVE_URL", server.url)
        with pytest.raises(OutsideError, match=r"DATA00[12]"):
            cifar10.load("train", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.part"))
