"""A server on this machine that answers with the bytes of a test, keeps what it was sent, and stops with its block."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

Answer = Callable[[Callable[[bytes], None], Event], None]


@dataclass
class Loopback:
    """Its port, and every request as it came, head and body together."""

    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def fixed(content: bytes) -> Answer:
    """Sends the same to everybody."""
    return lambda send, stopped: send(content)


def ok(body: bytes, *headers: bytes) -> Answer:
    """An answer with a body of its declared length."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", b""])
    return fixed(head + body)


def _request(stream: object) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n") and (line := stream.readline()):  # type: ignore[attr-defined]
        head += line
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + stream.read(length)  # type: ignore[attr-defined]


@contextmanager
def answering(answer: Answer) -> Iterator[Loopback]:
    """A server that gives each request to `answer`, with a function that sends and an event that is set when it shall stop."""
    stopped = Event()

    class Handler(socketserver.StreamRequestHandler):
        timeout = 20

        def handle(self) -> None:
            with suppress(OSError):  # the client has gone
                loopback.requests.append(_request(self.rfile))
                answer(self.connection.sendall, stopped)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, allow_reuse_address = True, True, True

    with Server(("127.0.0.1", 0), Handler) as server:
        loopback = Loopback(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield loopback
        finally:
            stopped.set()
            server.shutdown()
            thread.join()
