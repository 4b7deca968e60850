"""How p-values are written: positive ones never as 0."""

from fractions import Fraction

import pytest

from conspect.core.chances import p_value_cell, p_value_words
from conspect.verification.images.shares import p_value_of_share, share_verdicts


@pytest.mark.parametrize(
    ("p", "said"), [(0.0, "p < 1e-300"), (5e-324, "p < 1e-300"), (0.031, "p = 0.031"), (1, "p = 1")]
)
def test_a_p_value_that_no_float_holds_is_below_the_smallest(p, said):
    assert p_value_words(p) == said
    assert p_value_cell(p) == said.removeprefix("p ").removeprefix("= ")


def test_only_one_image_against_all_is_without_any_chance():
    (tiny, p), (all_of_them, zero) = share_verdicts([(0, 100_000), (99, 100)], [Fraction(1, 2), Fraction(1)], 0.95)
    assert (tiny.outcome, all_of_them.outcome, p, zero) == ("violated", "violated", 0, 0)
    assert p_value_of_share(tiny.outcome, Fraction(1, 2), p) == "Holm-corrected p < 1e-300"
    assert p_value_of_share(all_of_them.outcome, Fraction(1), zero) == (
        "one image that fails refutes a share of 100 %, with no chance of error (p is exactly 0)"
    )


def test_a_share_that_holds_beyond_floats_is_below_the_smallest():
    ((verdict, p),) = share_verdicts([(100_000, 100_000)], [Fraction(1, 2)], 0.95)
    assert p_value_of_share(verdict.outcome, Fraction(1, 2), p) == "Holm-corrected p < 1e-300"
