"""Text from outside where Markdown is read: it stays words, whatever it holds."""

from __future__ import annotations

import html
import re

from conspect.core.terminal import on_one_line

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def in_markdown(text: str) -> str:
    """`text` as words on one line of Markdown: no markup, no HTML, no cell of a table ends."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(on_one_line(text).split()), quote=False))
