"""The outermost layer: who may ask, what becomes of every failure, one line of log and one count for each request."""

from __future__ import annotations

import hmac
import time
import traceback
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conspect.core.diagnostics import ConspectError, UserError, user_error
from conspect.web.failures import FAULT, response
from conspect.web.log import Log

if TYPE_CHECKING:
    from conspect.web.metrics import Metrics

OPEN = "/healthz"
VANISHED = 499  # as nginx counts a client that has gone; never sent


class Guard:
    """Wraps an application. `token`: needed for all but /healthz; `hosts`: the only names a request may call us by.

    While `stopping`, no connection is kept: a client that reused one would find it closed.

    Without a token a page in the user's own browser could reach a loopback service through a name that its owner lets
    resolve to 127.0.0.1; its requests carry that name.
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
        notes: dict[str, object] = {}
        scope["conspect"] = notes

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                if self.stopping:
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        try:
            self._require_right(scope)
            await self._app(scope, receive, watched)
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
                    **notes,
                },
            )

    def _require_right(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts and _without_port(host) not in self._hosts:
            problem = f"this service is not called {host[:100]!r}"
            raise user_error("WEB101", problem, f"call it {' or '.join(sorted(self._hosts))}")
        if self._token is None or scope["path"] == OPEN:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
            raise user_error("WEB102", "the token is missing or wrong", "send the header Authorization: Bearer TOKEN")


def _without_port(host: str) -> str:
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.split(":", 1)[0]
    return name.lower().rstrip(".")


async def _send(error: ConspectError, send: Send) -> None:
    status, headers, content = response(error)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
