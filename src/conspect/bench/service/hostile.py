"""Requests that no service likes: clients that vanish, stall, send garbage, bombs and far too much. Loopback only."""

from __future__ import annotations

import io
import random
import select
import socket
import struct
import zlib
from collections.abc import Callable
from functools import cache

HUGE = 100 << 20
# Of a connection that never reads and is never closed.
KEPT_OPEN = "kept open"
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


def never_read(port: int, rng: random.Random) -> str:
    """Request after request, and no answer is ever read: the connection is closed."""
    ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * rng.randrange(1, 200)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        try:
            connection.connect(("127.0.0.1", port))
            for _ in range(2000):
                connection.send(ask)
        except OSError as error:
            return type(error).__name__
        # Short requests all fit into the buffers between: the answers do not, so the service must still let go.
        waiting = select.poll()
        waiting.register(connection, select.POLLRDHUP)
        return "closed" if waiting.poll(30_000) else KEPT_OPEN


def declares_the_moon(port: int, rng: random.Random) -> str:
    """Safetensors whose header says 2 to the 33 rows of nothing, and JSON with one long word among its numbers: 422."""
    header = b'{"embeddings":{"dtype":"F32","shape":[%d,0],"data_offsets":[0,0]}}' % (1 << rng.randrange(33, 60))
    bodies = {
        "application/x-safetensors": struct.pack("<Q", len(header)) + header,
        "application/json": b'{"embeddings": [["' + b"x" * 1000 + b'"' + b",1" * 1_000_000 + b"]]}",
    }
    content_type = rng.choice(sorted(bodies))
    return answered(port, bodies[content_type], content_type)


def decoding_bomb(port: int, rng: random.Random) -> str:
    """A JPEG of thousands of scans, a GIF of a million blocks before its first frame, or sixty parts of many pixels: 422."""
    kind = rng.choice(["scans", "blocks", "parts"])
    if kind == "parts":
        part = b'--b\r\ncontent-disposition: form-data; name="x"; filename="x"\r\n\r\n' + picture("PNG", 4000) + b"\r\n"
        return answered(port, part * 60 + b"--b--\r\n", GOOD_TYPES[3])
    if kind == "blocks":
        return answered(port, b"GIF89a\x01\0\x01\0\0\0\0" + b"!\xfe\0" * 1_000_000, "image/gif")
    whole = picture("JPEG", 2000)
    start = whole.rindex(b"\xff\xda")
    return answered(port, whole[:start] + whole[start:-2] * 3000 + whole[-2:], "image/jpeg")


def another_site(port: int, rng: random.Random) -> str:
    """What a page of another site would send: 403."""
    extra = rng.choice([b"origin: https://evil.example\r\n", b"sec-fetch-site: cross-site\r\n"])
    with connected(port) as connection:
        connection.sendall(head(2)[:-2] + extra + b"\r\n{}")
        return status_of(connection)


def two_lengths(port: int, _rng: random.Random) -> str:
    """Both length headers: 400."""
    with connected(port) as connection:
        connection.sendall(head("chunked")[:-2] + b"content-length: 3\r\n\r\n0\r\n\r\n")
        return status_of(connection)


def answered(port: int, body: bytes, content_type: str) -> str:
    """The status of what is answered to a whole request."""
    with connected(port) as connection:
        try:
            connection.sendall(head(len(body), content_type) + body)
        except ConnectionError:
            return "closed"
        return status_of(connection)


@cache
def picture(kind: str, side: int) -> bytes:
    """An empty image of so many pixels a side; a JPEG in several scans."""
    from PIL import Image

    out = io.BytesIO()
    options = {"progressive": True} if kind == "JPEG" else {}
    Image.new("RGB", (side, side)).save(out, format=kind, **options)
    return out.getvalue()


HOSTILE: tuple[Callable[[int, random.Random], str], ...] = (
    vanish_after_sending,
    vanish_in_the_middle,
    stall,
    garbage,
    garbage_body,
    too_large,
    never_read,
    declares_the_moon,
    decoding_bomb,
    another_site,
    two_lengths,
)
