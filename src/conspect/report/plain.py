"""Text from outside where it may do nothing: in XML. For Markdown see `core.markdown`, for terminals `core.terminal`."""

from __future__ import annotations

import re

# XML 1.0 has no place for these characters, escaped or not.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def in_xml(text: str) -> str:
    """`text` without the characters that XML cannot hold; the writer escapes the rest."""
    return _NOT_XML.sub("\ufffd", text)
