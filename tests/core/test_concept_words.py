"""Names of concepts in sentences, and phrases that deny something."""

from __future__ import annotations

import pytest

from conspect.core.concept_words import class_named_in, is_negation, negations, quoted, same_word


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
     "isn't red", "no_fur", "free of rust", "never wet", "hairless", "a wheelless cart", "missing wings", "w/o tail"],
)  # fmt: skip
def test_what_denies_something_is_a_negation(phrase: str) -> None:
    assert is_negation(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "nose",
        "knot",
        "wireless",
        "a notch",
        "free-standing",
        "north",
        "a nonagon",
        "fur",
        "stainless steel",
        "a lesson",
        "less",
    ],
)
def test_what_only_looks_like_one_is_none(phrase: str) -> None:
    assert not is_negation(phrase)


def test_negations_are_listed_in_order() -> None:
    assert negations(("fur", "no fur", "hairy", "without fur")) == ("no fur", "without fur")


@pytest.mark.parametrize(
    "phrase", ["dog", "a Dog", "dogs", "looks like a dog", "dog-like", "dogs' ears", "the_dog's tail"]
)
def test_a_phrase_that_holds_a_class_name_as_a_word_names_the_class(phrase: str) -> None:
    assert class_named_in(phrase, ("cat", "dog")) == "dog"


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("hotdog", None),
        ("dogma", None),
        ("fire", None),
        ("two fire engines", "fire-engine"),
        ("cattle", None),
        ("", None),
    ],
)
def test_a_class_name_inside_a_word_or_half_of_one_names_none(phrase: str, named: str | None) -> None:
    assert class_named_in(phrase, ("cat", "dog", "fire-engine")) == named


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("wheel", "Wheels"),
        ("a box", "boxes"),
        ("floppy-ears", "floppy ears"),
        ("berry", "berries"),
        ("brush", "brushes"),
    ],
)
def test_a_plural_an_article_and_a_hyphen_make_no_other_word(first: str, second: str) -> None:
    assert same_word(first, second)


@pytest.mark.parametrize(("first", "second"), [("gas", "ga"), ("glass", "glas"), ("wings", "wing tip"), ("", "s")])
def test_words_that_only_end_alike_are_two(first: str, second: str) -> None:
    assert not same_word(first, second)
