"""What people write by habit: each has one message of its own, which says what to write instead."""

import pytest

from conspect.language import check_text
from conspect.language.meaning.vocabulary import Vocabulary

NAMES = Vocabulary(class_names=("car", "truck"), concept_names=("metallic", "wheels", "ears"))
FORMULAS = {
    "if predict(x, car) then metallic > wheels": ("SPEC127", "a implies b"),
    "IF predict(x, car) THEN metallic > wheels": ("SPEC127", "a implies b"),
    "when predict(x, car), metallic > wheels": ("SPEC127", "a implies b"),
    "each {metallic, wheels} > ears": ("SPEC127", "each of"),
    "all of {metallic, wheels} > ears": ("SPEC127", "each of"),
    "any of {metallic, wheels} > ears": ("SPEC127", "a > c or b > c"),
    "either metallic > wheels or ears > wheels": ("SPEC127", "a or b"),
    "never metallic > wheels": ("SPEC127", "write 'not'"),
    "NOT predict(x, car)": ("SPEC127", "write not"),
    "predict(x, car) Implies metallic > wheels": ("SPEC127", "write implies"),
    "predict(x, car) AND metallic > wheels": ("SPEC127", "write and"),
    "metallic > wheels unless predict(x, truck)": ("SPEC127", "a or b"),
    "metallic > wheels if predict(x, car)": ("SPEC127", "b implies a"),
    "metallic > wheels xor ears > wheels": ("SPEC127", "not (a iff b)"),
    "predict(x, car) but metallic > wheels": ("SPEC127", "write 'and'"),
    "accepted(x) implies metallic > wheels": ("SPEC116", "lead = 4"),
    "metallic = wheels": ("SPEC113", "'iff'"),
    "hasCon(x, not metallic)": ("SPEC126", "not hasCon"),
    "hasCon(x, metallic or wheels)": ("SPEC126", "a > b or b > c"),
    "predict(x, not car)": ("SPEC126", "not predict"),
    "predict(x, car or truck)": ("SPEC126", "predict(x, a) or predict(x, b)"),
    "not hasCon(x, iff)": ("SPEC126", "connectives between predicates"),
}
HEADERS = {
    "exists x in focus(car)": ("SPEC127", "deny a 'for all'"),
    "there exists x in focus(car)": ("SPEC127", "deny a 'for all'"),
    "for some x in focus(car)": ("SPEC127", "deny a 'for all'"),
    "for no x in focus(car)": ("SPEC127", "not (...)"),
    "for most x in images(car)": ("SPEC127", "95%"),
    "For all x in focus(car)": ("SPEC127", "write for"),
    "for ALL x in focus(car)": ("SPEC127", "write all"),
    "for 90 percent of x in images(car)": ("SPEC127", "95%"),
    "for all x in focus(car, gamma = -0.4)": ("SPEC124", "without the sign"),
    "for all x in focus(car, gamma = 0,4)": ("SPEC106", "0.4"),
    "for all x in focus(car or truck)": ("SPEC126", "a property for each class"),
    "for all x in focus(car) where predict(x, truck)": ("SPEC125", "where predict(x, car)"),
}


def only_error(text: str) -> tuple[str, str]:
    errors = check_text(text, NAMES).errors
    assert len(errors) == 1, [(error.code, error.problem) for error in errors]
    return errors[0].code, errors[0].fix


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_habit_in_a_formula_has_its_own_message(formula: str) -> None:
    code, fix = only_error(f"property p:\n    for all x in focus(car):\n        {formula}\n")
    assert code == FORMULAS[formula][0]
    assert FORMULAS[formula][1] in fix


@pytest.mark.parametrize("header", HEADERS)
def test_a_habit_in_a_quantifier_has_its_own_message(header: str) -> None:
    code, fix = only_error(f"property p: {header}: metallic > wheels\n")
    assert code == HEADERS[header][0]
    assert HEADERS[header][1] in fix


@pytest.mark.parametrize(
    "quoted", ["\u201cmetallic\u201d", "\u2018metallic\u2019", "'metallic'", "\u00abmetallic\u00bb"]
)
def test_other_quotes_are_told_by_what_to_write(quoted: str) -> None:
    errors = check_text(f"property p: for all x in focus(car): {quoted} > wheels\n", NAMES).errors
    assert {error.code for error in errors} == {"SPEC103"}
    assert all('"..."' in error.fix for error in errors)


@pytest.mark.parametrize("word", ["some", "all", "either", "when", "unless", "but", "is", "no", "half", "percent"])
def test_such_words_stay_names_where_only_a_name_can_stand(word: str) -> None:
    names = Vocabulary(class_names=(word, "car"), concept_names=(word, "wheels"))
    formula = f"predict(x, {word}) implies {word} > wheels and hasCon(x, {word})"
    text = f"property p:\n    for all x in focus({word}):\n        {formula}\n"
    assert check_text(text, names).errors == ()
