"""The texts that an editor has open, and places in them as the protocol counts them.

Rows end at a line feed, a carriage return or both, and at nothing else that Python takes for the end of a line; columns count the
units of the encoding that server and editor agreed on (UTF-16, unless the editor prefers another).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lsprotocol import types as lsp

from conspect.language.syntax.tree import Span

_ROW_END = re.compile(r"\r\n|\n|\r")
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class TextPosition:
    """A row and a column in characters, both from 0; a mark of byte order is no character, as for the parser."""

    row: int
    column: int


class Text:
    """One version of a document. `encoding`: of the protocol's columns."""

    def __init__(self, content: str, encoding: str) -> None:
        self.content = content
        self.encoding = encoding
        self.starts = [0, *(match.end() for match in _ROW_END.finditer(content))]

    def row(self, number: int) -> str:
        """The text of a row without its end; empty behind the last."""
        if number >= len(self.starts):
            return ""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.content)
        return self.content[self.starts[number] : end].rstrip("\r\n")

    def place(self, position: lsp.Position) -> TextPosition:
        """The protocol's position in characters; one behind the end of its row is at the end."""
        return TextPosition(position.line, max(0, self._column(position) - self._marked(position.line)))

    def _marked(self, row: int) -> bool:
        return row == 0 and self.content.startswith(BYTE_ORDER_MARK)

    def _column(self, position: lsp.Position) -> int:
        units = _encoded(self.row(position.line), self.encoding)
        taken = units[: position.character * _width(self.encoding)]
        return len(taken.decode(_codec(self.encoding), errors=_lenient(taken, self.encoding)))

    def offset(self, position: lsp.Position) -> int:
        """The protocol's position in characters from the beginning of the document."""
        if position.line >= len(self.starts):
            return len(self.content)
        return self.starts[position.line] + self._column(position)

    def span_range(self, span: Span) -> lsp.Range:
        """Where the parser found something: its lines and columns count from 1, and not the mark of byte order."""
        row = self.row(span.line - 1)
        start = span.column - 1 + self._marked(span.line - 1)
        line, end = span.line - 1, start + span.length
        # What spans several rows: its first row, which is where it is declared.
        return lsp.Range(lsp.Position(line, self._units(row[:start])), lsp.Position(line, self._units(row[:end])))

    def whole(self) -> lsp.Range:
        """From the first character to the last."""
        last = len(self.starts) - 1
        return lsp.Range(lsp.Position(0, 0), lsp.Position(last, self._units(self.row(last))))

    def changed(self, change: lsp.TextDocumentContentChangeEvent) -> Text:
        """The next version."""
        if not isinstance(change, lsp.TextDocumentContentChangePartial):
            return Text(change.text, self.encoding)
        start, end = self.offset(change.range.start), self.offset(change.range.end)
        return Text(self.content[:start] + change.text + self.content[max(start, end) :], self.encoding)

    def _units(self, text: str) -> int:
        return len(_encoded(text, self.encoding)) // _width(self.encoding)


def _codec(encoding: str) -> str:
    return {"utf-8": "utf-8", "utf-32": "utf-32-le"}.get(encoding, "utf-16-le")


def _width(encoding: str) -> int:
    """Bytes in a unit."""
    return {"utf-8": 1, "utf-32": 4}.get(encoding, 2)


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(_codec(encoding), errors="surrogatepass")  # halves of pairs come in JSON's escapes


def _lenient(taken: bytes, encoding: str) -> str:
    """How to decode: a position within a character is before it; halves of pairs are characters."""
    try:
        taken.decode(_codec(encoding), errors="surrogatepass")
    except UnicodeDecodeError:
        return "ignore"
    return "surrogatepass"
