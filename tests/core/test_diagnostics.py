import re

import pytest

from conspect.core.codes import CODES
from conspect.core.diagnostics import (
    ConspectError,
    Diagnostic,
    OutsideError,
    SourceLocation,
    UserError,
    outside_error,
    user_error,
)


def test_a_diagnostic_prints_place_code_problem_and_fix() -> None:
    place = SourceLocation("a.cspec", 3, 5, "p :=\tx > ;")
    shown = str(Diagnostic("SPEC111", "expected a concept", "name one", place))
    assert shown == "a.cspec:3:5: SPEC111: expected a concept\n    p := x > ;\n        ^\n  fix: name one"
    assert (
        str(Diagnostic("DATA001", "nothing works", "try", SourceLocation("f")))
        == "f: DATA001: nothing works\n  fix: try"
    )


def test_an_error_carries_all_its_diagnostics() -> None:
    first, second = (Diagnostic("STUDY002", f"problem {n}", "fix") for n in (1, 2))
    error = UserError(first, second)
    assert error.diagnostics == (first, second)
    assert str(error) == f"{first}\n{second}"


def test_who_is_to_blame_decides_the_exit_code() -> None:
    assert (user_error("STUDY002", "p", "f").exit_code, outside_error("DATA001", "p", "f").exit_code) == (2, 4)
    assert issubclass(UserError, ConspectError)
    assert issubclass(OutsideError, ConspectError)


def test_an_unlisted_code_and_an_error_of_nothing_are_faults() -> None:
    with pytest.raises(KeyError, match="not listed"):
        Diagnostic("NEW001", "p", "f")
    with pytest.raises(ValueError, match="at least one"):
        ConspectError()


def test_codes_are_named_alike_and_say_something() -> None:
    assert all(re.fullmatch(r"[A-Z]+\d{3}", code) for code in CODES)
    assert len(set(CODES.values())) == len(CODES)


HOSTILE = "a\nSTUDY001: all is well\r\x1b[2J\u202e\u2028\x9b\ud800\tb"


@pytest.mark.parametrize("code", sorted(CODES))
def test_what_a_diagnostic_quotes_from_outside_is_one_line_of_harmless_text_for_every_code(code: str) -> None:
    problem = Diagnostic(code, f"no column {HOSTILE}", f"write {HOSTILE}", SourceLocation(HOSTILE, 1, 3, HOSTILE))
    shown = str(problem)
    assert len(shown.split("\n")) == 4  # problem, source line, caret, fix
    assert all(character.isprintable() or character == "\n" for character in shown)
    head, source, caret, fix = shown.split("\n")
    assert head.startswith("a\\u000aSTUDY001: all is well\\u000d\\u001b[2J")
    assert f":1:3: {code}: no column a\\u000aSTUDY001" in head
    assert fix.startswith("  fix: write a\\u000aSTUDY001")
    assert (len(source), source[caret.index("^")]) == (4 + len(HOSTILE), "S")
    told = problem.to_object()
    assert told["file"] == HOSTILE  # a path, for programs
    assert "\n" not in told["problem"] + told["fix"]
    assert str(outside_error(code, f"x{HOSTILE}", "y")) == str(outside_error(code, f"x{HOSTILE}", "y").diagnostics[0])


def test_a_diagnostic_that_is_quoted_in_another_is_not_escaped_twice() -> None:
    first = Diagnostic("DATA001", HOSTILE, "try")
    assert Diagnostic("DATA002", first.problem, "try").problem == first.problem
