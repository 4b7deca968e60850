"""Every refusal as JSON of one shape: `{"error": DiagnosticObject}`, with its HTTP status."""

from __future__ import annotations

import json
from collections.abc import Iterable

from conspect.core.diagnostics import ConspectError, Diagnostic, UserError

STATUS: dict[str, int] = {
    "WEB101": 400,
    "WEB102": 401,
    "WEB103": 404,
    "WEB104": 405,
    "WEB105": 408,
    "WEB106": 413,
    "WEB107": 413,
    "WEB108": 415,
    "WEB109": 422,
    "WEB110": 422,
    "WEB111": 429,
    "WEB112": 500,
    "WEB113": 503,
    "WEB114": 403,
}
Headers = list[tuple[bytes, bytes]]
FAULT = Diagnostic("WEB112", "a fault of Conspect itself, not of the request", "report the log's line of this request")


class Busy(UserError):
    """Too much is waiting; `seconds` until it is worth trying again."""

    def __init__(self, problem: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(Diagnostic("WEB111", problem, f"try again in {seconds} s"))


def status_of(diagnostic: Diagnostic) -> int:
    """The HTTP status of a diagnostic; 422 for one of another room, which only the input can have caused."""
    return STATUS.get(diagnostic.code, 422)


def content_of(diagnostic: Diagnostic) -> bytes:
    """The body that tells a diagnostic."""
    return json.dumps({"error": diagnostic.to_object()}).encode()


def response(error: ConspectError) -> tuple[int, Headers, bytes]:
    """Status, headers and body that answer a request that failed with `error`."""
    (first, *_), content = error.diagnostics, content_of(error.diagnostics[0])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if isinstance(error, Busy):
        headers.append((b"retry-after", str(error.seconds).encode()))
    if first.code == "WEB102":
        headers.append((b"www-authenticate", b"Bearer"))
    return status_of(first), headers, content


def allowed(methods: Iterable[str]) -> tuple[bytes, bytes]:
    """The header that goes with status 405."""
    return b"allow", ", ".join(sorted(methods)).encode()
