"""What comes from outside stays words where Markdown is read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.markdown import in_markdown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("[x](javascript:alert(1))", r"\[x\]\(javascript:alert\(1\)\)"),
        ("<script>", "&lt;script&gt;"),
        ("&amp;", "&amp;amp;"),
        ("a\n# b", r"a\u000a\# b".replace("\\u", "\\\\u")),
        ("http://conspect.example/x", r"http\://conspect.example/x"),
        ("www.conspect.example", r"www\.conspect.example"),
        ("@octocat", "@&#8203;octocat"),
        ("me@conspect.example", "me@&#8203;conspect.example"),
        ("- a", r"\- a"),
        ("---", r"\---"),
        ("=== a", r"\=== a"),
        ("1. a", r"1\. a"),
        ("0.5 points", "0.5 points"),
        ("class: truck", "class: truck"),
    ],
)
def test_markup_links_calls_and_lists_of_outside_text_are_words(text: str, written: str) -> None:
    assert in_markdown(text) == written


@given(st.text(max_size=40))
def test_nothing_of_markdown_is_left_unescaped(text: str) -> None:
    written = in_markdown(text)
    assert "\n" not in written
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", ",", written)  # without escaped signs, which is all of ASCII's punctuation
    assert not re.search(r"[\\`*_{}\[\]()+!|~<]|://|@\w", bare.replace("&#8203;", "\u200b"))
