"""Text from outside where Markdown is read: it stays words, whatever it holds."""

from __future__ import annotations

import html
import re

from conspect.core.terminal import on_one_line

# Signs of markup; an address that code hosts would make a link of; what begins a list, a rule or a heading on its line.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|~]|:(?=//)|(?<=\b[wW]{3})\.|^[-=]")
_NUMBERED = re.compile(r"^(\d{1,9})\.(?=\s|$)")
# Code hosts tell the person or group that is named so, and make links of addresses of mail: behind a space of no width nobody is.
_CALLED = re.compile(r"@(?=\w)")


def in_markdown(text: str) -> str:
    """`text` as words on one line of Markdown: no markup, no HTML, no link, nobody is called, no cell of a table ends."""
    words = html.escape(" ".join(on_one_line(text).split()), quote=False)
    words = _NUMBERED.sub(r"\1\.", _MARKDOWN.sub(r"\\\g<0>", words))
    return _CALLED.sub("@&#8203;", words)
