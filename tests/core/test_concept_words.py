"""Names of concepts in sentences, and phrases that deny something."""

from __future__ import annotations

import pytest

from conspect.core.concept_words import is_negation, negations, quoted


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("floppy-ears", "“floppy ears”"),
        ("wet", "“wet”"),
        ("a_b-c", "“a_b-c”"),
        ("T-shirt", "“T-shirt”"),
        ("a”b", "“a’b”"),
        ("“x”", "“‘x’”"),
    ],
)
def test_a_name_is_quoted_as_it_is_but_for_hyphens_between_words_and_quotation_marks(name: str, words: str) -> None:
    assert quoted(name) == words


@pytest.mark.parametrize(
    "phrase",
    ["no fur", "Not metallic", "without wheels", "non-metallic", "a body with no tail", "lack of wings", "smoke-free",
     "isn't red", "no_fur", "free of rust", "never wet"],
)  # fmt: skip
def test_what_denies_something_is_a_negation(phrase: str) -> None:
    assert is_negation(phrase)


@pytest.mark.parametrize(
    "phrase", ["nose", "knot", "wireless", "a notch", "free-standing", "north", "a nonagon", "fur"]
)
def test_what_only_looks_like_one_is_none(phrase: str) -> None:
    assert not is_negation(phrase)


def test_negations_are_listed_in_order() -> None:
    assert negations(("fur", "no fur", "hairless", "without fur")) == ("no fur", "without fur")
