import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact
from statsmodels.stats.multitest import multipletests

from conspect.statistics.testing import fisher_two_sided, holm, sign_test

# Count and number of trials of a sample.
SAMPLE = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(SAMPLE, SAMPLE)
def test_fisher_doubles_the_smaller_tail_of_scipy(first: tuple[int, int], second: tuple[int, int]) -> None:
    (k1, n1), (k2, n2) = first, second
    table = [[k1, n1 - k1], [k2, n2 - k2]]
    tails = [fisher_exact(np.array(table), alternative=side).pvalue for side in ("less", "greater")]
    assert float(fisher_two_sided(k1, n1, k2, n2)) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


def test_fisher_of_the_lady_tasting_tea() -> None:
    # Three of four against one of four: upper tail (16 + 1) / 70 (Fisher, 1935).
    assert float(fisher_two_sided(3, 4, 1, 4)) == pytest.approx(2 * 17 / 70)


def test_fisher_of_a_sample_of_one() -> None:
    """The one that succeeded is any of the hundred alike: 1/100, doubled."""
    np.testing.assert_allclose(fisher_two_sided([1, 0, 0, 99], [1, 99, 1, 99], [0, 1, 99, 0], [99, 1, 99, 1]), 2 / 100)


def test_fisher_is_one_where_a_sample_is_empty_and_takes_arrays() -> None:
    np.testing.assert_allclose(fisher_two_sided([0, 3, 0], [0, 4, 4], [3, 1, 0], [4, 4, 0]), [1, 34 / 70, 1])


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], atol=1e-12)


def test_holm_keeps_shape_and_hand_solved_values() -> None:
    np.testing.assert_allclose(holm([[0.01, 0.04], [0.03, 0.005]]), [[0.03, 0.06], [0.06, 0.02]])
    assert holm([]).shape == (0,)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_scipys_one_sided_binomial_test(more: int, less: int) -> None:
    wanted = binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
    assert sign_test(more, less) == pytest.approx(wanted)
