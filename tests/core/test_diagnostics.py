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
    one, two = (Diagnostic("STUDY002", f"problem {n}", "fix") for n in (1, 2))
    error = UserError(one, two)
    assert error.diagnostics == (one, two)
    assert str(error) == f"{one}\n{two}"


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
