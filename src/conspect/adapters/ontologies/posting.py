"""One POST to an address that the user has named: nowhere else, for so long and no longer, and an answer of so many bytes."""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from socket import socket
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from conspect.core.protocols import ProgressBar, silent

# Of a body; status line and headers may take as much again.
LARGEST_ANSWER = 1 << 20
STAGE = "seconds of waiting"


class NoAnswer(Exception):
    """Why an address gave no answer that could be read; the text may hold what the server said."""


@dataclass(frozen=True)
class Sending:
    """What is sent, and for how long it is waited: `seconds` from the look-up of the name to the last byte."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    seconds: float


def proxy_of(url: str) -> str | None:
    """The proxy, as host and port, that the environment sets for this address; none for addresses of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = getproxies().get(parts.scheme)
    if proxy is None or is_loopback(host) or proxy_bypass(parts.netloc):
        return None
    return urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc.rpartition("@")[2]


def post(sending: Sending, bar: ProgressBar = silent) -> bytes:
    """The body of the answer, of at most `LARGEST_ANSWER` bytes; `bar` counts the seconds.

    The work is done beside this thread, which waits for no longer than it may: looking a name up cannot be told to end.
    Raises NoAnswer for a redirect, which is never followed, for every status but success, for what is not HTTP, and for an
    answer that is too long or too late.
    """
    done: list[bytes | Exception] = []
    deadline = time.monotonic() + sending.seconds

    def work() -> None:
        try:
            done.append(_posted(sending, deadline))
        except Exception as error:  # it is told by the thread that waits
            done.append(error)

    worker = threading.Thread(target=work, daemon=True, name="post")
    worker.start()
    advance, counted = bar(STAGE, max(1, int(sending.seconds))), 0
    while worker.is_alive() and (left := deadline - time.monotonic()) > 0:
        worker.join(min(1.0, left))
        seconds = int(sending.seconds - max(0.0, deadline - time.monotonic()))
        advance(seconds - counted)
        counted = seconds
    if not done:
        raise NoAnswer(f"no whole answer within {sending.seconds:g} seconds (--timeout)")
    (outcome,) = done
    if isinstance(outcome, bytes):
        return outcome
    if isinstance(outcome, NoAnswer):
        raise outcome
    if isinstance(outcome, URLError) and isinstance(outcome.reason, Exception):
        outcome = outcome.reason
    if isinstance(outcome, TimeoutError) or time.monotonic() > deadline:
        raise NoAnswer(f"no whole answer within {sending.seconds:g} seconds (--timeout)") from outcome
    if isinstance(outcome, OSError | HTTPException | ValueError):
        raise NoAnswer(f"{outcome}" or type(outcome).__name__) from outcome
    raise outcome


def _posted(sending: Sending, deadline: float) -> bytes:
    via = proxy_of(sending.url)
    opener = build_opener(
        ProxyHandler({} if via is None else None), _Http(deadline), _Https(deadline), _StayingHere
    )  # a proxy's name and password are read from the environment, once more
    request = Request(sending.url, sending.body, dict(sending.headers), method="POST")
    try:
        with opener.open(request, timeout=sending.seconds) as answer:
            content: bytes = answer.read(LARGEST_ANSWER + 1)
    except HTTPError as refusal:
        with refusal:
            place = refusal.headers.get("Location")
            if 300 <= refusal.code < 400 and place is not None:
                why = f"it answers {refusal.code} and wants to send on to {place}, where nothing was sent"
            else:
                why = f"it answers {refusal.code} {refusal.reason}"
        raise NoAnswer(why) from None
    if len(content) > LARGEST_ANSWER:
        raise NoAnswer(f"the answer has more than {LARGEST_ANSWER:,} bytes")
    return content


class _StayingHere(HTTPRedirectHandler):
    """Follows no redirect: another server would be given the words, and the key, that were meant for this one."""

    def _refuse(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> None:
        return None

    http_error_301 = http_error_302 = http_error_303 = http_error_307 = http_error_308 = _refuse


class _Http(HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_connecting(HTTPConnection, self._deadline), req)


class _Https(HTTPSHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: Request) -> HTTPResponse:
        connecting = _connecting(HTTPSConnection, self._deadline)
        return self.do_open(connecting, req, context=ssl.create_default_context())


def _connecting(kind: Callable[..., HTTPConnection], deadline: float) -> Any:
    """A maker of connections whose answers, a proxy's among them, end at the deadline and at the largest size."""

    def connection(host: str, **options: Any) -> HTTPConnection:
        made = kind(host, **options)
        made.response_class = partial(_DeadlineResponse, deadline=deadline)  # type: ignore[assignment]
        return made

    return connection


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket, *arguments: Any, deadline: float, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_DeadlineStream(self.fp, sock, deadline))


class _DeadlineStream(io.RawIOBase):
    """What a socket gives until the deadline and up to a size, whatever lengths the server declares.

    The standard library's limits are for each read, line and chunk; a server may send small ones without end, and a chunk
    of length -1.
    """

    def __init__(self, stream: io.BufferedReader, sock: socket, deadline: float) -> None:
        super().__init__()
        self._stream, self._socket, self._deadline, self._left = stream, sock, deadline, 2 * LARGEST_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        number = self._stream.readinto1(buffer)
        self._left -= number
        if self._left < 0:
            raise NoAnswer(f"the answer has more than {LARGEST_ANSWER:,} bytes")
        return number

    def close(self) -> None:
        self._stream.close()
        super().close()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
