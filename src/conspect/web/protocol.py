"""uvicorn's HTTP/1.1 with our shape of errors, a limit of connections, and an end to clients that stall."""

from __future__ import annotations

import asyncio
import socket
import struct

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from conspect.core.diagnostics import Diagnostic
from conspect.web.failures import content_of
from conspect.web.limits import Limits

NOT_HTTP = Diagnostic("WEB101", "this is not an HTTP/1.1 request", "speak HTTP/1.1")
# The service answers a late body itself (WEB105); the connection is closed only if that did not end it.
GRACE_SECONDS = 1.0
# A connection on which nothing is asked is closed so long after the service has begun to stop: what is on its way arrives.
QUIET_SECONDS = 1.0


def protocol(limits: Limits) -> type[H11Protocol]:
    """A class of connections that keeps `limits`."""

    class Connection(H11Protocol):
        """Whatever a client sends must become a whole request within `limits.seconds`, and answers be read as quickly."""

        _deadline: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.write(_raw(503, Diagnostic("WEB113", "too many connections are open", "try again in 1 s")))
                transport.close()
                return
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            self._cancel_unread()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._deadline is None:
                self._watch()
            # Whoever asks again has read what came before, unless it is still here.
            if not self.transport.get_write_buffer_size():
                self._cancel_unread()
            super().data_received(data)

        def pause_writing(self) -> None:
            """The transport holds more of an answer than it likes to."""
            self._watch_unread()
            super().pause_writing()

        def resume_writing(self) -> None:
            self._cancel_unread()
            super().resume_writing()

        def on_response_complete(self) -> None:
            self._unwatch()
            if self.transport.get_write_buffer_size():
                self._watch_unread()
            super().on_response_complete()
            # A client may still be sending what was refused; it is read and dropped, for as long as a request may take.
            if not self.transport.is_closing() and self.conn.their_state is h11.SEND_BODY:
                self._watch()

        def shutdown(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                super().shutdown()
            else:
                self.loop.call_later(QUIET_SECONDS, self._close_if_quiet)

        def _close_if_quiet(self) -> None:
            """A request whose beginning has come is waited for, until its deadline."""
            answered = self.cycle is None or self.cycle.response_complete
            if answered and not self.conn.trailing_data[0] and not self.transport.is_closing():
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
                self.transport.write(_raw(400, NOT_HTTP))
            self.transport.close()

        def _watch(self) -> None:
            self._deadline = self.loop.call_later(limits.seconds + GRACE_SECONDS, self._stalled)

        def _unwatch(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _watch_unread(self) -> None:
            """One deadline for all that has not been read when it begins: a reader of one byte a second does not renew it."""
            if self._unread is None:
                self._unread = self.loop.call_later(limits.seconds, self._abort_unread)

        def _cancel_unread(self) -> None:
            if self._unread is not None:
                self._unread.cancel()
                self._unread = None

        def _abort_unread(self) -> None:
            self._unread = None
            if self.transport.get_write_buffer_size():
                self._reset()

        def _stalled(self) -> None:
            self._deadline = None
            waiting_for_client = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
            if waiting_for_client and not self.transport.is_closing():
                self.transport.abort()

        def _reset(self) -> None:
            """Closes without waiting. What the kernel still holds for a client that does not read is dropped, and it is told:
            otherwise megabytes of it stay, for minutes, for each connection that is gone."""
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    return Connection


def _raw(status: int, diagnostic: Diagnostic) -> bytes:
    content = content_of(diagnostic)
    head = {400: "Bad Request", 503: "Service Unavailable"}[status]
    lines = [
        f"HTTP/1.1 {status} {head}",
        "content-type: application/json",
        f"content-length: {len(content)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content
