"""Receiving a body: never more of it than allowed, never more of all bodies than there is room for, never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from conspect.core.diagnostics import UserError, user_error
from conspect.web.failures import Busy
from conspect.web.limits import BODIES_HELD, Limits


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
        if request.headers.get("content-encoding", "identity") != "identity":
            raise user_error("WEB108", "the body is compressed", "send it as it is; images are compressed already")
        declared = request.headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit() and len(declared) < 20):
            raise user_error("WEB109", "content-length is not a number", "send the length in bytes")
        if int(declared) > self.limits.body_bytes:
            raise self._too_large()
        parts = bytearray()
        try:
            yield await self._received(request, parts)
        finally:
            self.held -= len(parts)

    async def _received(self, request: Request, parts: bytearray) -> bytes:
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    if len(parts) + len(part) > self.limits.body_bytes:
                        raise self._too_large()
                    if self.held + len(part) > self.limits.body_bytes * BODIES_HELD:
                        raise Busy("too many bytes are on their way", 1)
                    self.held += len(part)
                    parts += part
        except TimeoutError:
            problem = f"the request did not arrive within {self.limits.seconds:g} s"
            raise user_error("WEB105", problem, "send less at once, or over a faster connection") from None
        return bytes(parts)

    def _too_large(self) -> UserError:
        limit = self.limits.body_bytes
        return user_error("WEB106", f"the body is larger than {limit} bytes", "send fewer or smaller inputs at once")
