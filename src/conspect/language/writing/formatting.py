"""The house layout of a file: canonical spacing, one item after another, every comment kept.

A comment on a line of its own stays before what follows it, one at the end of an item stays at its end. A comment in
the middle of an item has no place in the layout and moves above the item; how many moved is told. Line ends stay those of the
file's first line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conspect.core.diagnostics import UserError
from conspect.language.syntax.parser import ParseResult, parse_with_diagnostics
from conspect.language.syntax.tree import Item, Module, Span
from conspect.language.writing.printer import BareNames, write_header, write_item, write_specification


@dataclass(frozen=True, slots=True)
class FormatResult:
    """The text in house layout, and how many comments moved above the item they stood in."""

    text: str
    moved_comments: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Some lines of output with the source lines they come from."""

    lines: tuple[str, ...]
    first: int
    last: int
    is_comment: bool = False


def format_text(content: str | bytes, file: str = "<specification>") -> FormatResult:
    """A file in house layout, with its comments. Raises UserError for a file that does not parse."""
    parsed = parse_with_diagnostics(content, file)
    if parsed.errors:
        raise UserError(*parsed.errors)
    layout = _Layout(parsed)
    blocks = layout.blocks(parsed.tree.items, list(parsed.comments))
    lines = _joined(blocks)
    end = _line_end(content)
    return FormatResult(end.join(lines) + end if lines else "", layout.moved)


def _line_end(content: str | bytes) -> str:
    first = content.find("\n") if isinstance(content, str) else content.find(b"\n")
    returned = content[first - 1 : first] in ("\r", b"\r")
    return "\r\n" if first > 0 and returned else "\n"


class _Layout:
    def __init__(self, parsed: ParseResult) -> None:
        self.source = parsed.source
        self.bare = BareNames()
        self.moved = 0

    def _extent(self, span: Span | None) -> tuple[int, int]:
        assert span is not None  # the parser gives every item a span
        start = self.source.offset(span.line, span.column)
        return start, start + span.length

    def _line(self, offset: int) -> int:
        return self.source.line_and_column(offset)[0]

    def blocks(self, items: Sequence[Item], comments: list[tuple[int, str]]) -> list[_Block]:
        """Blocks of items and of comments, in output order. Consumes the comments."""
        blocks: list[_Block] = []
        for item in items:
            start, end = self._extent(item.span)
            blocks += self._own_lines(comments, start)
            inner = self._before(comments, end)
            if isinstance(item, Module):
                blocks.append(self._module(item, inner, self._trailing(comments, end)))
                continue
            blocks += self._hoisted(inner, self._line(start))
            text = write_item(item, self.bare)
            blocks.append(self._block(text, start, end, self._trailing(comments, end)))
        return blocks + self._own_lines(comments, len(self.source.text) + 1)

    def _module(self, module: Module, comments: list[tuple[int, str]], trailing: str) -> _Block:
        start, end = self._extent(module.span)
        inside: list[_Block] = []
        for part in module.properties:
            part_start, part_end = self._extent(part.span)
            inside += self._own_lines(comments, part_start)
            inside += self._hoisted(self._before(comments, part_end), self._line(part_start))
            text = write_specification(part, module)
            inside.append(self._block(text, part_start, part_end, self._trailing(comments, part_end)))
        inside += self._own_lines(comments, end)
        body = [f"    {line}" if line else "" for line in _joined(inside)]
        lines = (write_header(module), *body, f"}}{trailing}")
        return _Block(lines, self._line(start), self._line(end))

    def _block(self, text: str, start: int, end: int, trailing: str) -> _Block:
        lines = text.split("\n")
        lines[-1] += trailing
        return _Block(tuple(lines), self._line(start), self._line(max(start, end - 1)))

    def _before(self, comments: list[tuple[int, str]], offset: int) -> list[tuple[int, str]]:
        """Takes the comments that begin before an offset."""
        count = 0
        while count < len(comments) and comments[count][0] < offset:
            count += 1
        taken = comments[:count]
        del comments[:count]
        return taken

    def _own_lines(self, comments: list[tuple[int, str]], offset: int) -> list[_Block]:
        return [_comment(text, self._line(start)) for start, text in self._before(comments, offset)]

    def _hoisted(self, comments: list[tuple[int, str]], line: int) -> list[_Block]:
        self.moved += len(comments)
        return [_comment(text, line) for _, text in comments]

    def _trailing(self, comments: list[tuple[int, str]], end: int) -> str:
        """Takes the comment that ends the line on which an item ends, if nothing stands between them."""
        if not comments:
            return ""
        start, text = comments[0]
        between = self.source.text[end:start]
        if "\n" in between or between.strip(" \t;"):
            return ""
        del comments[0]
        return f"  {text.rstrip()}"


def _comment(text: str, line: int) -> _Block:
    return _Block((text.rstrip(),), line, line, is_comment=True)


def _joined(blocks: Sequence[_Block]) -> list[str]:
    """Lines with one blank line where the source had one or more, and around items of several lines."""
    lines: list[str] = []
    for index, block in enumerate(blocks):
        if index:
            before = blocks[index - 1]
            apart = block.first - before.last > 1
            tall = len(before.lines) > 1 or (len(block.lines) > 1 and not before.is_comment)
            if apart or tall:
                lines.append("")
        lines += block.lines
    return lines
