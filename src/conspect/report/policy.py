"""A page's content security policy: what it may run and how it may look is named by digest, so nothing else can be slipped in.

https://www.w3.org/TR/CSP3/#grammardef-hash-source; style attributes would need 'unsafe-inline' and become rules.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re

MARK = "POLICY-OF-THIS-PAGE"
_ATTRIBUTE = re.compile(r'(<[a-zA-Z][^<>]*?) style="([^"]*)"')
_STYLE, _SCRIPT = re.compile(r"<style>(.*?)</style>", re.DOTALL), re.compile(r"<script>(.*?)</script>", re.DOTALL)


def sealed(page: str) -> str:
    """The page with its style attributes moved into its one style sheet, and `MARK` replaced by the policy.

    All text in `page` has been escaped, so that an attribute is an attribute. A rule made of one is stronger than what the
    sheet says, as the attribute was.
    """
    rules: dict[str, int] = {}

    def named(match: re.Match[str]) -> str:
        number = rules.setdefault(html.unescape(match[2]), len(rules))
        return f'{match[1]} data-look="{number}"'

    moved = _ATTRIBUTE.sub(named, page)
    sheet = "".join(4 * f'[data-look="{number}"]' + f"{{{_inert(text)}}}\n" for text, number in rules.items())
    moved = moved.replace("</style>", sheet + "</style>", 1)
    styles = " ".join(_digest(text) for text in _STYLE.findall(moved)) or "'none'"
    scripts = " ".join(_digest(text) for text in _SCRIPT.findall(moved)) or "'none'"
    policy = f"default-src 'none'; img-src data:; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"
    return moved.replace(MARK, policy, 1)


def _inert(rule: str) -> str:
    """Declarations that neither end the rule nor the element."""
    return re.sub(r"[<>{}@\\]", "", rule)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
