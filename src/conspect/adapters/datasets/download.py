"""One file from one host: what has arrived is kept when the connection breaks, and gone on from."""

from __future__ import annotations

import os
import time
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT_SECONDS, TRIES, CHUNK = 60.0, 5, 1 << 16
# Slower than this over a minute is as good as never: 140 MB would take more than a day.
LEAST_BYTES_A_MINUTE = 64 << 10


class Interrupted(OSError):
    """The connection broke, or became too slow; what has arrived lies in the file."""


def download(url: str, file: Path, *, most: int, timeout: float = TIMEOUT_SECONDS) -> None:
    """Writes what `url` gives into `file`, going on from the bytes that are in it where the server can.

    A connection that breaks is made anew, `TRIES` times at most and only as long as bytes arrive. Redirects to another host
    are refused: it was not announced. Raises OSError; `file` then holds what has arrived, or is gone when it is of no use.
    """
    for attempt in range(TRIES):
        before = _size(file)
        try:
            _go_on(url, file, most, timeout)
        except HTTPError:
            raise
        except (OSError, HTTPException, ValueError) as error:
            if attempt + 1 < TRIES and _size(file) > before:
                continue
            kept = f"; {_size(file):,} bytes are kept and gone on from" if _size(file) else ""
            raise Interrupted(f"{error}{kept}") from error
        return


def _go_on(url: str, file: Path, most: int, timeout: float) -> None:
    start = _size(file)
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer: HTTPResponse = build_opener(_OfThisHost(urlsplit(url).netloc)).open(request, timeout=timeout)
    except HTTPError as refusal:
        with refusal:
            if start and refusal.code == 416:  # there is no such part: the file has become another
                file.unlink()
        raise
    with answer:
        if start and not _is_rest(answer, start):
            start = 0
        declared = answer.length
        if declared is not None and start + declared > most:
            raise ValueError(f"{start + declared:,} bytes are more than {most:,}")
        with file.open("r+b" if start else "wb") as out:
            out.seek(start)
            arrived = _copied(answer, out, most - start, timeout)
    if declared is not None and arrived < declared:
        raise Interrupted(f"it broke off after {start + arrived:,} of {start + declared:,} bytes")


def _is_rest(answer: HTTPResponse, start: int) -> bool:
    return answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-")


def _copied(answer: HTTPResponse, out: IO[bytes], most: int, minute: float) -> int:
    """How many bytes were copied, as they came: a server may send one now and then and never be late for the next."""
    arrived, counted, since = 0, 0, time.monotonic()
    while chunk := answer.read1(CHUNK):
        arrived += len(chunk)
        if arrived > most:
            raise ValueError(f"it sends more than {most:,} bytes")
        out.write(chunk)
        if (now := time.monotonic()) - since > minute:
            if arrived - counted < LEAST_BYTES_A_MINUTE:
                raise Interrupted(f"only {arrived - counted:,} bytes came in {minute:g} seconds")
            counted, since = arrived, now
    return arrived


class _OfThisHost(HTTPRedirectHandler):
    """Follows redirects within the host that was announced."""

    def __init__(self, host: str) -> None:
        self._host = host

    def redirect_request(  # noqa: PLR0917 (the standard library's)
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        place = urlsplit(urljoin(req.full_url, newurl))
        if place.netloc != self._host:
            raise Interrupted(f"it sends on to {place.scheme}://{place.netloc}, which was not asked")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except FileNotFoundError:
        return 0
