"""What happens when a hub breaks off in the middle: of its own client, against a server on this machine."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from threading import Event

import pytest
from packaging.version import Version

from conspect.adapters.datasets import huggingface
from conspect.adapters.sources.hub import fetching
from conspect.core.diagnostics import OutsideError, UserError, user_error
from tests.loopback import Loopback, answering

CONTENT = b"0123456789abcdef" * (1 << 10)


class Hub:
    """A hub with one file, which sends `once` bytes of what is asked for and hangs up."""

    def __init__(self, once: int) -> None:
        self.once = once
        self.server: Loopback

    @property
    def starts(self) -> list[int]:
        """Where each request for content began."""
        gets = [request.lower() for request in self.server.requests if request.startswith(b"GET")]
        return [int(get.partition(b"range: bytes=")[2].partition(b"-")[0]) if b"range: " in get else 0 for get in gets]

    def __call__(self, send: Callable[[bytes], None], stopped: Event) -> None:
        get = self.server.requests[-1].startswith(b"GET")
        start = self.starts[-1] if get else 0
        whole = len(CONTENT)
        part = f"206 Partial\r\nContent-Range: bytes {start}-{whole - 1}/{whole}" if start else "200 OK"
        about = f'ETag: "{hashlib.sha256(CONTENT).hexdigest()}"\r\nX-Repo-Commit: {"a" * 40}\r\nConnection: close'
        send(f"HTTP/1.1 {part}\r\nContent-Length: {whole - start}\r\n{about}\r\n\r\n".encode())
        if get:
            send(CONTENT[start : start + self.once])


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Hub], bytes]:
    """Fetches the file as the libraries behind models and VLMs do, in pieces of 1,000 bytes (the client's own: 10 MiB)."""
    client = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def fetched(hub: Hub) -> bytes:
        with fetching("owner/model"):
            path = client.hf_hub_download("owner/model", "w.bin", endpoint=hub.server.url, cache_dir=tmp_path)
        return Path(path).read_bytes()

    return fetched


@pytest.mark.skipif(
    Version(version("huggingface_hub")) < Version("2"),
    reason="could not run: a hub's client that goes on within a call",
)
def test_the_hubs_client_goes_on_where_it_was_within_one_call(fetch: Callable[[Hub], bytes]) -> None:
    hub = Hub(6_500)
    with answering(hub) as hub.server:
        assert fetch(hub) == CONTENT
        assert hub.starts == [0, 6_000, 12_000]


def test_a_hub_that_breaks_off_always_is_one_diagnostic_and_the_next_call_begins_anew(
    fetch: Callable[[Hub], bytes],
) -> None:
    hub = Hub(0)
    with answering(hub) as hub.server:
        with pytest.raises(OutsideError, match="MODEL006: owner/model cannot be fetched"):
            fetch(hub)
        tries = len(hub.starts)
        hub.once = len(CONTENT)
        assert fetch(hub) == CONTENT
        assert hub.starts[tries:] == [0]


@pytest.mark.parametrize(
    "error",
    [
        http.client.IncompleteRead(b"abc", 100),
        http.client.BadStatusLine("x"),
        ConnectionResetError(104, "reset: connection"),
    ],
)
def test_an_error_of_the_network_is_one_diagnostic(error: Exception) -> None:
    with pytest.raises(OutsideError, match="MODEL006"), fetching("a model"):
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError("connection"), ValueError("size mismatch"), KeyError("layer")])
def test_another_error_passes(error: Exception) -> None:
    with pytest.raises(type(error)), fetching("a model"):
        raise error


def test_a_stream_that_breaks_off_is_one_diagnostic() -> None:
    def rows(error: Exception) -> Iterator[int]:
        yield 1
        raise error

    arriving = huggingface._arriving(rows(http.client.IncompleteRead(b"", 9)), huggingface.Origin(hub="o/d"))
    assert next(arriving) == 1
    with pytest.raises(OutsideError, match="DATA001: hub:o/d broke off: IncompleteRead"):
        next(arriving)
    wrong = huggingface._arriving(rows(user_error("DATA007", "no column", "mend")), huggingface.Origin(hub="o/d"))
    with pytest.raises(UserError, match="DATA007"):
        list(wrong)
    assert list(huggingface._arriving([1, 2], huggingface.Origin(Path("here")))) == [1, 2]
