"""Text from outside where it may do nothing: in Markdown, in XML. For terminals see `core.terminal`."""

from __future__ import annotations

import html
import re

from conspect.core.terminal import on_one_line

# XML 1.0 has no place for these characters, escaped or not.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def in_markdown(text: str) -> str:
    """`text` as words on one line of Markdown: no markup, no HTML, no cell of a table ends."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(on_one_line(text).split()), quote=False))


def in_xml(text: str) -> str:
    """`text` without the characters that XML cannot hold; the writer escapes the rest."""
    return _NOT_XML.sub("\ufffd", text)
