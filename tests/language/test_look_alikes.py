"""Names that look alike, names that read as formulas, and comments that show other things than they are."""

import pytest

from conspect.language import Vocabulary, check_text

HEAD = "property p: for all x in focus(truck): "


def codes(text, vocabulary=None):
    checked = check_text(text, vocabulary)
    return [problem.code for problem in (*checked.errors, *checked.warnings)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("a", "\u0430"),
        ("ear", "e\u0430r"),
        ("nose", "n\u03bfse"),
        ("tail", "tail\u200b"),
        ("tail", "ta\u00adil"),
        ("tail", "\u202etail"),
        ("wet", "\uff57et"),
        ("moving van", "moving  van"),
        ("moving van", "moving\u00a0van"),
        ("long-snout", "long\u2010snout"),
    ],
)
def test_two_names_that_look_the_same_are_an_error(first, second):
    assert "SPEC213" in codes(f'concept "{first}"\nconcept "{second}"\n')
    assert "SPEC213" in codes(f'{HEAD}"{first}" > "{second}"\n')
    assert "SPEC213" in codes(f'{HEAD}"{second}" > b\n', Vocabulary(("truck",), (first, "b")))
    assert "SPEC213" in codes(f'property "{first}": a > b\nproperty "{second}": b > a\n')


def test_the_message_writes_both_names_so_that_they_differ():
    (error,) = check_text("concept a\nconcept \u0430\n").errors
    assert error.problem == r"two names look the same: 'a' and '\u0430'"


@pytest.mark.parametrize(
    ("first", "second"), [("a", "b"), ("a1", "al"), ("ear", "Ear"), ("e", "\u00e9"), ("\u0436", "x")]
)
def test_names_that_differ_to_the_eye_are_two(first, second):
    assert codes(f'concept "{first}"\nconcept "{second}"\n') == []


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\u00ad", "\u202e", "\u2067", "\ufe0f", "\u2028", "\x85"])
def test_a_name_with_a_character_that_is_not_seen_is_warned_of(hidden):
    assert codes(f'{HEAD}"a{hidden}" > b\n') == ["SPEC509"]


@pytest.mark.parametrize("name", ["not metallic", "wheels and ears", "Red OR blue", "a implies b", "a iff b"])
def test_a_quoted_name_with_a_connective_as_a_word_is_said_to_be_one_concept(name):
    assert codes(f'{HEAD}hasCon(x, "{name}")\n') == ["SPEC510"]
    assert codes(f'{HEAD}hasCon(x, "{name}")\n', Vocabulary(("truck",), (name,))) == []
    assert codes(f'concept "{name}" = "a photo"\n{HEAD}hasCon(x, "{name}")\n') == []


@pytest.mark.parametrize("name", ["notable", "android robot", "orange", "sand-and-sea"])
def test_a_connective_inside_a_word_is_none(name):
    assert codes(f'{HEAD}hasCon(x, "{name}")\n') == []


@pytest.mark.parametrize("word", ["NOT a", "Not a", "a OR b", "a And b", "a AND b", "a IFF b", "a Implies b", "a v b"])
def test_a_connective_is_reserved_among_the_names_of_has_con_in_any_capitals(word):
    assert codes(f"{HEAD}hasCon(x, {word})\n") == ["SPEC126"]
    assert set(codes(f"Module m (n, truck, r) {{\nE e ::> hasCon({word})\n}}\n")) >= {"SPEC126"}


@pytest.mark.parametrize("names", ["a b", 'a "b c"', "a, b c", "a b, c"])
def test_names_of_has_con_without_a_comma_are_told_so(names):
    (error,) = check_text(f"{HEAD}hasCon(x, {names})\n").errors
    assert (error.code, "',' is expected before" in error.problem) == ("SPEC111", True)


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_what_looks_like_the_end_of_a_line_in_a_comment_is_an_error_at_its_place(sign):
    (error,) = check_text(f"{HEAD}a > b  # so{sign}property q: for all x in focus(truck): b > a\n").errors
    assert error.place is not None
    assert (error.code, error.place.line, error.place.column) == ("SPEC107", 1, len(HEAD) + 12)


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u061c"])
def test_a_mark_that_turns_the_text_of_a_comment_is_warned_of(mark):
    assert codes(f"{HEAD}a > b  # so {mark}nettirw\n") == ["SPEC511"]
