"""Guarantees are checked where they can be: exactly by counting, or by simulation with a margin of several sigma."""

import math

import numpy as np
import pytest
from scipy import stats

from conspect.core.diagnostics import UserError
from conspect.statistics.risk_control import accepted_error_threshold, false_alarm_threshold, selective_risk


def test_false_alarm_threshold_is_the_conformal_order_statistic():
    normal = np.arange(1.0, 100.0)  # 99 scores: rank 95 of 100 places
    assert false_alarm_threshold(normal[::-1].copy(), 0.05) == 95.0
    assert false_alarm_threshold(normal[:18], 0.05) == math.inf
    assert false_alarm_threshold(normal[:19], 0.05) == 19.0


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_each_place_of_the_new_sample_is_counted(rate):
    """Exchangeable: the new sample is equally likely to be each of the n + 1. Exactly `rate` or less are flagged."""
    scores = np.random.default_rng(1).normal(size=60)
    flagged = [scores[k] > false_alarm_threshold(np.delete(scores, k), rate) for k in range(60)]
    assert rate - 1 / 60 <= np.mean(flagged) <= rate


def test_with_confidence_the_rate_itself_is_bounded():
    generator = np.random.default_rng(2)
    rates = []
    for _ in range(800):
        threshold = false_alarm_threshold(generator.random(200), 0.1, confidence=0.9)
        rates.append(1 - threshold)
    share = np.mean(np.asarray(rates) <= 0.1)
    assert share > 0.9 - 3 * math.sqrt(0.09 / 800)
    assert share < 0.97  # not needlessly strict
    assert false_alarm_threshold(generator.random(10), 0.05, confidence=0.9) == math.inf


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.99])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_the_threshold_is_the_first_order_statistic_that_enough_new_samples_stay_below(rate, confidence):
    """The k-th smallest of n is exceeded by a share that follows Beta(n - k + 1, k): each k is tried in turn."""
    for size in (1, 3, 30, 400):
        normal = np.random.default_rng(size).permutation(np.arange(1.0, size + 1))
        enough = [k for k in range(1, size + 1) if stats.beta.cdf(rate, size - k + 1, k) >= confidence]
        assert false_alarm_threshold(normal, rate, confidence=confidence) == min(enough, default=math.inf)


def test_risk_control_allows_exactly_so_many_accepted_errors():
    suspicion = np.arange(99.0)
    wrong = np.zeros(99, dtype=bool)
    wrong[[10, 30, 50, 70]] = True
    # 0.03 * 100 - 1 = 2 errors may be accepted: everything below the third.
    threshold = accepted_error_threshold(suspicion, wrong, 0.03)
    assert 49 < threshold < 50
    assert accepted_error_threshold(suspicion, wrong, 0.5) == math.inf
    assert accepted_error_threshold(suspicion, wrong, 0.005) == -math.inf


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_accepted_errors_stay_below_the_share_for_each_place_of_the_new_sample(share):
    generator = np.random.default_rng(4)
    suspicion = generator.normal(size=80)
    wrong = generator.random(80) < 0.4
    losses = [
        wrong[k] and suspicion[k] <= accepted_error_threshold(np.delete(suspicion, k), np.delete(wrong, k), share)
        for k in range(80)
    ]
    assert share - 2 / 80 <= np.mean(losses) <= share


def draw(generator, size):
    suspicion = generator.random(size)
    return suspicion, generator.random(size) < 0.02 + 0.3 * suspicion**3  # risk rises with suspicion


def true_risk(threshold):
    return 0.02 + 0.3 * threshold**3 / 4


def test_certified_thresholds_are_right_as_often_as_promised():
    generator = np.random.default_rng(7)
    candidates = np.linspace(0.05, 1, 20)
    guess = draw(generator, 500)
    good, useful = [], []
    for _ in range(500):
        certified = selective_risk(candidates, guess, draw(generator, 1500), share=0.05, confidence=0.9)
        good.append(all(true_risk(t) <= 0.05 for t in certified.thresholds))
        useful.append(certified.at_most(np.inf))
    assert np.mean(good) > 0.9 - 3 * math.sqrt(0.09 / 500)
    assert np.median(useful) >= 0.5


def test_the_tests_are_binomial_tails_in_order_until_one_fails():
    generator = np.random.default_rng(8)
    guess, calibration = draw(generator, 300), draw(generator, 300)
    candidates = np.linspace(0.1, 1, 10)

    def p_value(threshold, sample):
        accepted = sample[0] <= threshold
        return stats.binom.cdf(sample[1][accepted].sum(), accepted.sum(), 0.1)

    expected = []
    for threshold in sorted(candidates, key=lambda t: (p_value(t, guess), -t)):
        if p_value(threshold, calibration) > 0.05:
            break
        expected.append(threshold)
    certified = selective_risk(candidates, guess, calibration, share=0.1)
    assert sorted(expected) == certified.thresholds.tolist()
    assert len(expected) > 0


def test_nothing_is_certified_without_evidence():
    few = (np.array([0.1, 0.2]), np.array([False, False]))
    certified = selective_risk(np.array([0.5]), few, few, share=0.05)
    assert certified.at_most(np.inf) == -np.inf


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.2, math.nan])
def test_shares_out_of_range_are_errors(rate):
    with pytest.raises(UserError, match="MONITOR005"):
        false_alarm_threshold(np.arange(9.0), rate)
    with pytest.raises(UserError, match="MONITOR005"):
        accepted_error_threshold(np.arange(9.0), np.ones(9, dtype=bool), rate)
