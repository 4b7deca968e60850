"""Requests that no service likes: clients that vanish, stall, send garbage, bombs and far too much. Loopback only."""

from __future__ import annotations

import random
import socket
import struct
import zlib
from collections.abc import Callable

HUGE = 100 << 20
CHUNK = b"\0" * (1 << 16)
GOOD_TYPES = ("application/json", "application/x-safetensors", "image/png", "multipart/form-data; boundary=b")


def connected(port: int, seconds: float = 60.0) -> socket.socket:
    """A connection to the service."""
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def head(length: int | str, content_type: str = "application/json") -> bytes:
    """The head of a request for a check."""
    size = "transfer-encoding: chunked" if length == "chunked" else f"content-length: {length}"
    return f"POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n{size}\r\n\r\n".encode()


def status_of(connection: socket.socket) -> str:
    """The status of what is answered; "closed" when nothing is."""
    try:
        answer = connection.recv(4096)
    except (ConnectionError, TimeoutError):
        return "closed"
    return answer.split(b" ", 2)[1].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "closed"


def vanish_after_sending(port: int, rng: random.Random) -> str:
    """A whole request, and nobody who waits for the answer."""
    with connected(port) as connection:
        body = rng.randbytes(rng.randrange(1, 5000))
        connection.sendall(head(len(body), rng.choice(GOOD_TYPES)) + body)
    return "vanished"


def vanish_in_the_middle(port: int, rng: random.Random) -> str:
    """A request that ends somewhere before its end, often with a reset."""
    whole = head(100_000) + rng.randbytes(100_000)
    with connected(port) as connection:
        if rng.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(whole[: rng.randrange(1, len(whole))])
    return "vanished"


def stall(port: int, rng: random.Random) -> str:
    """Half a request, and a client that stays: 408 when the head was whole, closed otherwise."""
    whole = head(1000) + b"{"
    with connected(port) as connection:
        connection.sendall(whole if rng.random() < 0.5 else whole[: rng.randrange(1, len(whole) - 1)])
        return status_of(connection)


def garbage(port: int, rng: random.Random) -> str:
    """Bytes that are not HTTP."""
    with connected(port) as connection:
        connection.sendall(rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n")
        return status_of(connection)


def garbage_body(port: int, rng: random.Random) -> str:
    """A well-formed request with a body of random bytes, or of one that looks nearly right."""
    bodies = [
        rng.randbytes(rng.randrange(0, 5000)),
        b'{"embeddings": [[NaN]]}',
        b'{"embeddings": [[1, 2], [3]]}',
        b"[" * 100_000,
        b'{"embeddings": ' + b"[[],[]" * 1000,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        bomb(),
        bomb()[:40],
        b"--b\r\ncontent-disposition: form-data; name=x\r\n\r\n" + rng.randbytes(99) + b"\r\n--b--\r\n",
    ]
    body = rng.choice(bodies)
    with connected(port) as connection:
        connection.sendall(head(len(body), rng.choice([*GOOD_TYPES, "text/plain"])) + body)
        return status_of(connection)


def too_large(port: int, rng: random.Random) -> str:
    """100 MB, declared beforehand or in chunks; reads the answer when all is sent or when the service has had enough."""
    chunked = rng.random() < 0.5
    with connected(port) as connection:
        try:
            connection.sendall(head("chunked" if chunked else HUGE, rng.choice(GOOD_TYPES)))
            for _ in range(HUGE // len(CHUNK)):
                connection.sendall(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK) if chunked else CHUNK)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        except (ConnectionError, TimeoutError):
            pass
        return status_of(connection)


def bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0" * 10_000)) + part(b"IEND", b"")
    )


HOSTILE: tuple[Callable[[int, random.Random], str], ...] = (
    vanish_after_sending,
    vanish_in_the_middle,
    stall,
    garbage,
    garbage_body,
    too_large,
)
