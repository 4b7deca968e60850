"""What `conspect explore --ask` prints: whatever the page can get, byte for byte."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from conspect.core.diagnostics import user_error
from conspect.study.exploration.opening import OpenedStudy
from conspect.web.explorer.endpoints import TABLE, answered, table
from conspect.web.explorer.pictures import pictures_of

_PICTURE = re.compile(r"/picture/([0-9]{1,12})")


def printed(study: OpenedStudy, address: str, body: bytes | None = None) -> bytes:
    """The answer at `address`: JSON with a line end, a CSV table, or a PNG. Raises as `answered` does."""
    parts = urlsplit(address)
    if parts.path == TABLE and body is None:
        return table(study.exploration, parts.query).encode()
    picture = _PICTURE.fullmatch(parts.path)
    if picture is not None and body is None:
        return pictures_of(study).drawn(int(picture[1]), side_of(parse_qs(parts.query).get("side", [None])[0]))
    return answered(study.exploration, address, body) + b"\n"


def side_of(text: str | None) -> int | None:
    """The size that an address asks for. Raises UserError EXPLORE002."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise user_error("EXPLORE002", f"{text[:20]!r} is no size", "give a whole number")
    return int(text)
