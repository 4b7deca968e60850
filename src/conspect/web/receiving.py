"""Receiving a body: never more of it than allowed, never more of all bodies than there is room for, never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import Request

from conspect.core.diagnostics import UserError, user_error
from conspect.web.failures import Busy
from conspect.web.limits import BODIES_HELD, Limits


@dataclass
class _ReceivedBody:
    """What has come of one body; `bytes` stay counted until the request is answered."""

    parts: list[bytes] = field(default_factory=list)
    bytes: int = 0


class Receiver:
    """Counts the bytes of all bodies that are `held`, in one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body, held inside the block.

        Raises UserError WEB105 (too slow), WEB106 (too large), WEB108 (compressed), WEB109 (its length is no number), Busy,
        and starlette's ClientDisconnect.
        """
        if request.headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
            raise user_error("WEB108", "the body is compressed", "send it as it is; images are compressed already")
        declared = request.headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit() and len(declared) < 20):
            raise user_error("WEB109", "content-length is not a number", "send the length in bytes")
        if int(declared) > self.limits.body_bytes:
            raise self._too_large()
        received = _ReceivedBody()
        try:
            yield await self._received(request, received)
        finally:
            self.held -= received.bytes

    async def _received(self, request: Request, received: _ReceivedBody) -> bytes:
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    if received.bytes + len(part) > self.limits.body_bytes:
                        raise self._too_large()
                    if self.held + len(part) > self.limits.body_bytes * BODIES_HELD:
                        raise Busy("too many bytes are on their way", 1)
                    self.held += len(part)
                    received.bytes += len(part)
                    received.parts.append(part)
        except TimeoutError:
            problem = f"the request did not arrive within {self.limits.seconds:g} s"
            raise user_error("WEB105", problem, "send less at once, or over a faster connection") from None
        body = b"".join(received.parts)
        received.parts.clear()
        return body

    def _too_large(self) -> UserError:
        limit = self.limits.body_bytes
        return user_error("WEB106", f"the body is larger than {limit} bytes", "send fewer or smaller inputs at once")
