"""The outermost layer: who may ask, what becomes of every failure, one line of log and one count for each request.

A page that a browser shows must not be able to use the service behind its user's back. It could, without a token, through a
name that its owner lets resolve to 127.0.0.1 (requests carry that name), or by a form that posts across sites (browsers
say where it comes from). https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conspect.core.diagnostics import ConspectError, UserError, user_error
from conspect.web.failures import FAULT, response
from conspect.web.log import Log

if TYPE_CHECKING:
    from conspect.web.metrics import Metrics

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?")
OPEN, ABOUT = "/healthz", "/"
# Methods that change nothing, RFC 9110, 9.2.1; a page may read their answers no more than any other of another origin.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
VANISHED = 499  # as nginx counts a client that has gone; never sent


@dataclass(slots=True)
class RequestNotes:
    """What a route knows of its request by and by, for the log: bytes of the body, inputs in it, outputs called suspect."""

    bytes: int | None = None
    inputs: int | None = None
    suspect: int | None = None

    def fields(self) -> dict[str, int]:
        """Those that are known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Guard:
    """Wraps an application. `token`: needed for all but /healthz and /; `hosts`: the only names a request may call us by.

    While `stopping`, no connection is kept: a client that reused one would find it closed.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        log: Log,
        routes: frozenset[str],
        *,
        token: str | None,
        hosts: frozenset[str],
    ) -> None:
        self.stopping = False
        self._app, self._metrics, self._log, self._routes = app, metrics, log, routes
        self._token = None if token is None else token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0
        notes = RequestNotes()
        scope["conspect"] = notes
        ambiguous = _has_two_lengths(scope)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                if self.stopping or ambiguous:
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        try:
            if ambiguous:
                problem = "content-length and transfer-encoding both say where the request ends"
                raise user_error("WEB101", problem, "send one of them")
            self._require_right(scope)
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            # The time for stopping is over, or the server gives up on this request for another reason.
            if not status:
                await _send(user_error("WEB113", "the service is stopping", "ask another one, or later"), watched)
            raise
        except ClientDisconnect:
            status = VANISHED
        except ConspectError as error:
            await _send(error, watched)
        except Exception:
            self._log("fault", {"path": scope["path"], "trace": traceback.format_exc()})
            if not status:
                await _send(UserError(FAULT), watched)
        finally:
            seconds = time.perf_counter() - start
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.request(route, status, seconds)
            client = scope.get("client") or ("", 0)
            self._log(
                "request",
                {
                    "client": client[0],
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                    **notes.fields(),
                },
            )

    def _require_right(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts and _without_port(host) not in self._hosts:
            problem = f"this service is not called {host[:100]!r}"
            raise user_error("WEB101", problem, f"call it {' or '.join(sorted(self._hosts))}")
        if scope["method"] not in SAFE_METHODS:
            _require_own_page(headers, host)
        if self._token is None or scope["path"] in {OPEN, ABOUT}:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
            raise user_error("WEB102", "the token is missing or wrong", "send the header Authorization: Bearer TOKEN")


def _require_own_page(headers: dict[bytes, bytes], host: str) -> None:
    """Raises UserError WEB114 for a request that a page of another site makes; programs send neither header."""
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none")
    own = {f"{scheme}://{host}".lower() for scheme in ("http", "https")}
    foreign = origin is not None and origin.decode("latin-1").lower() not in own
    if foreign or site.lower() not in {b"none", b"same-origin"}:
        fix = "ask from a program, or from a page of the service itself"
        raise user_error("WEB114", "a page of another site may not ask", fix)


def _has_two_lengths(scope: Scope) -> bool:
    """Whoever stands between client and service may have believed the other one: RFC 9112, 6.3."""
    names = [name for name, _ in scope["headers"]]
    return b"content-length" in names and b"transfer-encoding" in names


def _without_port(host: str) -> str:
    """The name in `NAME:PORT` or `[ADDRESS]:PORT`, as RFC 3986, 3.2.2 writes them; anything else stays whole, and is no name."""
    written = _HOST.fullmatch(host)
    return host if written is None else written[1].lower().rstrip(".")


async def _send(error: ConspectError, send: Send) -> None:
    status, headers, content = response(error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
