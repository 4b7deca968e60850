"""Text from outside where it may do nothing: on a terminal, in Markdown, in XML."""

from __future__ import annotations

import html
import re

# XML 1.0 has no place for these characters, escaped or not.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def on_terminal(text: str) -> str:
    """`text` on one line without anything that a terminal obeys: other characters are written as Python would."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def in_markdown(text: str) -> str:
    """`text` as words on one line of Markdown: no markup, no HTML, no cell of a table ends."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(on_terminal(text).split()), quote=False))


def in_xml(text: str) -> str:
    """`text` without the characters that XML cannot hold; the writer escapes the rest."""
    return _NOT_XML.sub("\ufffd", text)
