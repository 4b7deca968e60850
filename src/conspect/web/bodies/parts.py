"""Multipart: the files of the parts, in order. A part that is no file is named, not taken for an image."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from conspect.web.bodies.body import MULTIPART, refuse, refuse_number
from conspect.web.limits import Limits

# Bytes of the headers of one part; a browser sends about 150.
LONGEST_HEAD = 4096


@dataclass
class _Part:
    """One part in the making: its headers by lower-case name, and its content."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    head: int = 0

    def take(self, into: bytearray, data: bytes) -> None:
        """Adds to the head's name or value."""
        self.head += len(data)
        if self.head > LONGEST_HEAD:
            refuse(f"the headers of a part are longer than {LONGEST_HEAD} bytes")
        into += data

    def end_header(self) -> None:
        """Keeps the header that has been read."""
        self.headers[bytes(self.name).lower()] = bytes(self.value)
        self.name.clear()
        self.value.clear()

    def require_file(self, number: int) -> None:
        """Raises UserError WEB109 unless the part is a file: one with a file name, or of an image's type."""
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        kind, _ = parse_options_header(self.headers.get(b"content-type", b""))
        if b"filename" not in options and b"filename*" not in options and not kind.lower().startswith(b"image/"):
            name = options.get(b"name", b"").decode("utf-8", "replace")[:40]
            refuse(f"part {number} (the first is 0), {name!r}, is not a file; every part is one image file")


def files_of_parts(body: bytes, boundary: bytes, limits: Limits) -> tuple[bytes, ...]:
    """The contents of the parts. Raises UserError WEB107, WEB109."""
    # Before the parser, which is Python, meets them one by one.
    if boundary and body.count(b"--" + boundary) > limits.inputs + 1:
        refuse_number(limits.inputs)
    parts: list[_Part] = []
    ended: list[bool] = []
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": lambda: parts.append(_Part()),
                "on_header_field": lambda data, start, end: parts[-1].take(parts[-1].name, data[start:end]),
                "on_header_value": lambda data, start, end: parts[-1].take(parts[-1].value, data[start:end]),
                "on_header_end": lambda: parts[-1].end_header(),  # noqa: PLW0108 (there is no part yet)
                "on_headers_finished": lambda: parts[-1].require_file(len(parts) - 1),
                "on_part_data": lambda data, start, end: parts[-1].content.extend(data[start:end]),
                "on_end": lambda: ended.append(True),
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        refuse(f"it is not {MULTIPART}: {error}")
    if not ended:
        refuse(f"its {MULTIPART} has no end")
    return tuple(bytes(part.content) for part in parts)
