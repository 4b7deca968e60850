"""Verdicts: three values, never a boolean."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, all_of, any_of, exit_code, unknown
from conspect.report import notebook
from conspect.report.verdicts import extent_lines, verdict_lines
from conspect.results.extents import ClassExtents, ExtentStep
from conspect.study.proving.records import property_record
from conspect.verification.measures import GammaMax
from conspect.verification.results import PropertyResult

MAYBE = unknown("out of time")


def test_an_unknown_verdict_needs_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Verdict("unknown")


@pytest.mark.parametrize("verdict", [HOLDS, VIOLATED, MAYBE])
def test_a_verdict_refuses_to_be_a_boolean(verdict):
    with pytest.raises(TypeError, match="three values"):
        bool(verdict)


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (HOLDS, HOLDS, "holds", "holds"),
        (HOLDS, VIOLATED, "violated", "holds"),
        (HOLDS, MAYBE, "unknown", "holds"),
        (VIOLATED, HOLDS, "violated", "holds"),
        (VIOLATED, VIOLATED, "violated", "violated"),
        (VIOLATED, MAYBE, "violated", "unknown"),
        (MAYBE, HOLDS, "unknown", "holds"),
        (MAYBE, VIOLATED, "violated", "unknown"),
        (MAYBE, MAYBE, "unknown", "unknown"),
    ],
)
def test_conjunction_and_disjunction_follow_the_truth_table(left, right, both, either):
    assert all_of([left, right]).outcome == both
    assert any_of([left, right]).outcome == either


def test_negation_swaps_the_certain_values_and_keeps_the_reason_of_the_other():
    assert HOLDS.negated() == VIOLATED
    assert VIOLATED.negated() == HOLDS
    assert MAYBE.negated() == MAYBE


def test_nothing_to_show_holds_and_nothing_to_choose_from_is_violated():
    assert all_of([]) == HOLDS
    assert any_of([]) == VIOLATED


def test_the_first_reason_is_kept():
    assert all_of([MAYBE, unknown("second")]).reason == "out of time"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [([HOLDS, HOLDS], 0), ([HOLDS, MAYBE, VIOLATED], 1), ([HOLDS, MAYBE], 3), ([], 0)],
)
def test_the_exit_code_tells_the_worst_verdict(verdicts, code):
    assert exit_code(verdicts) == code


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@example(5e-324, 5e-324)
@example(1.2345678e-310, 2.2250738585072014e-308)
def test_printed_sizes_are_rounded_towards_what_was_proved(low, high):
    result = PropertyResult("p", "region", HOLDS, margin=low, float32_slack=high, gamma_max=GammaMax(low, high, 8.0))
    facts = verdict_lines(property_record(result)).splitlines()[1]
    margin, slack = facts.split("margin ")[1].split(" (float32 can be off by ")
    proved, refuted = facts.split("holds up to size ")[1].split(" (fails at ")
    for shown in (margin, proved):
        assert Fraction(shown) <= Fraction(low)
        assert float(shown) >= low * 0.998
    for shown in (slack.split(")")[0], refuted.rstrip(")")):
        assert Fraction(shown) >= Fraction(high)


@pytest.mark.parametrize("low", [0.5367, 0.1999999, 7.996, 0.004])
def test_a_notebook_never_prints_a_larger_size_than_was_proved(low):
    result = PropertyResult("p", "region", HOLDS, gamma_max=GammaMax(low, None, 8.0))
    shown = notebook.verdict(property_record(result)).split("Holds up to size ")[1].split(". ")[0]
    assert low - 0.01 < Fraction(shown) <= low


@pytest.mark.parametrize("change", [0.12296, 0.99961, 3.4999])
def test_no_larger_change_of_a_concept_is_printed_than_was_proved(change):
    steps = (ExtentStep(change=change, share=0.5),) * 4
    entry = ClassExtents(of="p", class_name="c", concept="k", images=4, changed_at_once=0, curve=steps)
    shown = extent_lines([entry]).split("stand a change of ")[1].split(";")[0]
    assert change * 0.99 < Fraction(shown) <= Fraction(change)
