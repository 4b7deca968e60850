import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from conspect.statistics.intervals import auroc_interval, clopper_pearson, newcombe, normal_quantile, wilson

COUNTS = [(0, 1), (1, 1), (0, 17), (17, 17), (3, 17), (81, 263), (15, 148), (499, 500), (1, 100_000)]


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("function", "method"), [(wilson, "wilson"), (clopper_pearson, "beta")])
def test_intervals_of_a_share_equal_those_of_statsmodels(function, method, confidence) -> None:
    for k, n in COUNTS:
        low, high = function(k, n, confidence)
        expected = proportion_confint(k, n, alpha=1 - confidence, method=method)
        np.testing.assert_allclose([low, high], expected, atol=1e-12)


def test_wilson_gives_the_values_of_newcombes_table() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (k, n), expected in published.items():
        np.testing.assert_allclose(wilson(k, n), expected, atol=5e-5)


def test_newcombe_gives_the_values_of_its_paper() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    published = {
        (56, 70, 48, 80): (0.0524, 0.3339),
        (9, 10, 3, 10): (0.1705, 0.8090),
        (6, 7, 2, 7): (0.0582, 0.8062),
        (5, 56, 0, 29): (-0.0381, 0.1926),
        (0, 10, 0, 20): (-0.1611, 0.2775),
        (10, 10, 0, 20): (0.6791, 1.0),
    }
    for counts, expected in published.items():
        np.testing.assert_allclose(newcombe(*counts), expected, atol=6e-5)
        np.testing.assert_allclose(newcombe(*counts), confint_proportions_2indep(*counts, method="newcomb"), atol=1e-12)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_contains_its_share_and_mirrors(counts: tuple[int, int]) -> None:
    k, n = counts
    for function in (wilson, clopper_pearson):
        low, high = function(k, n)
        assert 0 <= low <= k / n <= high <= 1
        mirrored_low, mirrored_high = function(n - k, n)
        np.testing.assert_allclose([mirrored_low, mirrored_high], [1 - high, 1 - low], atol=1e-12)


def test_nothing_is_known_without_trials() -> None:
    assert [float(v) for v in wilson(0, 0)] == [0, 1]
    assert [float(v) for v in clopper_pearson(0, 0)] == [0, 1]
    assert [float(v) for v in newcombe(0, 0, 3, 4)] == [-1, 1]
    assert [float(v) for v in newcombe(3, 4, 0, 0)] == [-1, 1]


def test_arrays_broadcast_and_equal_the_scalar_calls() -> None:
    k, n = np.arange(12).reshape(3, 4), 11
    low, high = wilson(k, n)
    assert low.shape == (3, 4)
    assert [wilson(int(v), n) for v in k.ravel()] == list(zip(low.ravel().tolist(), high.ravel().tolist(), strict=True))  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="between 0 and trials"):
        wilson(*counts)
    with pytest.raises(ValueError, match="between 0 and trials"):
        wilson([1, counts[0], 2], 3)  # one among others


@pytest.mark.parametrize("confidence", [0.5, 0.95, 1 - 1e-9, 1 - 2.0**-53])
def test_the_normal_quantile_is_scipys_up_to_the_last_number_below_one(confidence: float) -> None:
    assert normal_quantile(confidence) == pytest.approx(stats.norm.isf((1 - confidence) / 2), rel=1e-6)


def test_the_interval_of_an_auroc_has_its_coverage_and_a_width_at_the_ends() -> None:
    """Two normal laws one standard deviation apart: AUROC = Phi(1 / sqrt(2)); 2,000 samples of 25 and 40."""
    rng = np.random.default_rng(0)
    truth = float(stats.norm.cdf(1 / np.sqrt(2)))
    shown, not_shown = rng.normal(1, 1, (2000, 25)), rng.normal(0, 1, (2000, 40))
    values = (shown[:, :, None] > not_shown[:, None, :]).mean(axis=(1, 2))
    limits = np.array([auroc_interval(float(value), 25, 40) for value in values])
    covered = ((limits[:, 0] <= truth) & (truth <= limits[:, 1])).mean()
    assert 0.93 < covered < 0.97
    assert auroc_interval(1.0, 25, 40)[0] < 1.0 == auroc_interval(1.0, 25, 40)[1]
    assert auroc_interval(0.0, 25, 40)[0] == 0.0 < auroc_interval(0.0, 25, 40)[1]
    assert auroc_interval(0.5, 0, 3) == (0.0, 1.0)
    low, high = auroc_interval(0.8, 30, 50, 0.9)
    assert auroc_interval(0.2, 50, 30, 0.9) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("value", "positives", "negatives"), [(0.8, 25, 40), (0.3, 2, 3), (0.99, 7, 60)])
def test_at_either_end_of_the_interval_of_an_auroc_it_is_z_deviations_away(
    value: float, positives: int, negatives: int
) -> None:
    n = (positives + negatives) / 2 - 1
    ends = np.array(auroc_interval(value, positives, negatives, 0.9))
    variance = ends * (1 - ends) * (1 + n * (1 - ends) / (2 - ends) + n * ends / (1 + ends)) / (positives * negatives)
    assert np.abs(value - ends) == pytest.approx(normal_quantile(0.9) * np.sqrt(variance), rel=1e-6)
