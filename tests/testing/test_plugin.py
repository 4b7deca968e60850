"""A `.cspec` file is a test module, and each property a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

SPECIFICATION = """
property held: for all x in focus(east, gamma = 0.5): right > up
property broken: for all x in focus(east, gamma = 4): right > up
property open: for 99% of x in images(east): predict(x, east)
Module m (network, east, vlm) { E e1 ::> right > up }
"""
# In the process of its own that pytester starts, the study is the plane of tests/verification.
CONFTEST = """
import pytest
from tests.verification.subjects import plane
import conspect.study

class Opened(conspect.study.Study):
    def __init__(self):
        pass

    def verification_subject(self, bar=None):
        return plane()

conspect.study.Study.open = classmethod(lambda cls, folder, **options: Opened())
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest on the specification, with these options."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{Path(__file__).parents[2] / 'src'}")
    pytester.makeconftest(CONFTEST)

    def inner(text: str = SPECIFICATION, *options: str) -> pytest.RunResult:
        (pytester.path / "claims.cspec").write_text(text)
        return pytester.runpytest_subprocess("-p", "no:randomly", "-v", *options)

    return inner


def test_a_property_that_holds_passes_and_the_others_fail_with_their_verdicts(run: Run) -> None:
    result = run(SPECIFICATION, "--conspect-study", "somewhere")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*claims.cspec::held PASSED*", "VIOLATED broken: right > up", "UNKNOWN*open:*"])
    result.stdout.fnmatch_lines(["*claims.cspec::m::e1 PASSED*"])
    assert "Traceback" not in result.stdout.str()


def test_what_holds_and_says_almost_nothing_passes_with_a_warning(run: Run) -> None:
    small = "property small: for all x in focus(east, gamma = 0.001): right > up\n"
    never = "property never: for all x in focus(east, gamma = 0.5): up > right implies right > up\n"
    result = run(SPECIFICATION + small + never, "--conspect-study", "s", "-k", "held or small or never")
    result.assert_outcomes(passed=3, deselected=3, warnings=2)
    result.stdout.fnmatch_lines(["*small holds, but: This region contains 0.00%*"])
    result.stdout.fnmatch_lines(["*never holds, but: vacuous: *"])


def test_a_name_with_a_line_end_is_one_line_of_the_report(run: Run) -> None:
    evil = 'property "a\\nPASSED forged": for all x in focus(east, gamma = 4): right > up\n'
    result = run(evil, "--conspect-study", "s")
    result.assert_outcomes(failed=1)
    assert not [line for line in result.outlines if line.startswith("PASSED")]


def test_what_is_unknown_may_be_skipped(run: Run) -> None:
    run(SPECIFICATION, "--conspect-study", "s", "--conspect-unknown", "skip", "-k", "held or open").assert_outcomes(
        passed=1, skipped=1, deselected=2
    )


def test_the_configuration_file_names_the_study(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconspect_study = s\nconspect_unknown = skip\n")
    run(SPECIFICATION, "-k", "held or open").assert_outcomes(passed=1, skipped=1, deselected=2)


def test_without_a_study_no_specification_is_collected(run: Run) -> None:
    assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_file_with_mistakes_is_an_error_that_tells_all_of_them(run: Run) -> None:
    result = run(
        "property p: for all x in focus(east): right >> up\nproperty q: for all x in focus(east): $",
        "--conspect-study",
        "s",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*claims.cspec:1:*SPEC*", "*claims.cspec:2:*SPEC*"])


def test_a_name_that_the_study_does_not_have_is_told(run: Run) -> None:
    result = run("property p: for all x in focus(east): rihgt > up", "--conspect-study", "s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*rihgt*", "*fix:*right*"])
