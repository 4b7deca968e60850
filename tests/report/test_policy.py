"""The policy of a page names its script and its style by digest; attributes become rules; nothing is 'unsafe-inline'."""

import base64
import hashlib
import re

from conspect.report.policy import MARK, sealed

PAGE = (
    f'<html><head><meta http-equiv="Content-Security-Policy" content="{MARK}"><style>p{{color:red}}</style></head>'
    '<body><p class="a" style="width:3%">x &lt;p style=&#34;y&#34;&gt;</p><i style="width:3%"></i>'
    '<b style="color:blue;background:url(&#34;x&#34;)"></b><script>go()</script>'
    '<script type="application/json">{}</script></body></html>'
)


def test_script_and_style_are_allowed_by_their_digests_alone() -> None:
    page = sealed(PAGE)
    policy = re.findall(r'content="([^"]*)"', page)[0]
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert MARK not in page


def test_style_attributes_become_rules_that_are_as_strong() -> None:
    page = sealed(PAGE)
    assert ' style="' not in page
    assert page.count('data-look="0"') == 2 + 4
    assert '[data-look="0"][data-look="0"][data-look="0"][data-look="0"]{width:3%}' in page
    assert "&lt;p style=&#34;y&#34;&gt;" in page


def test_an_attribute_cannot_end_its_rule() -> None:
    page = sealed(PAGE.replace("width:3%", "a}&lt;/style&gt;&lt;script&gt;b{"))
    (sheet,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert sheet.count("}") == 3
    assert page.count("<script>") == 1
