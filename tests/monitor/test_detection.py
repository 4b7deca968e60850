"""Detection metrics against scikit-learn and against their definitions, written out without any shortcut."""

from dataclasses import astuple
from itertools import pairwise, permutations
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from conspect.core.diagnostics import UserError
from conspect.statistics import detection
from conspect.statistics.detection import HIGHER_IS_BETTER, METRICS, Score, measure
from conspect.statistics.detection_bootstrap import Estimate, ResampledMetrics, resample

samples = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({kind for _, kind in rows}) == 2
)
few_samples = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=6).filter(
    lambda rows: len({kind for _, kind in rows}) == 2
)


def arrays(rows):
    values, suspect = zip(*rows, strict=True)
    return np.asarray(values, dtype=np.float64), np.asarray(suspect)


@given(samples)
def test_auroc_aupr_and_fpr_are_those_of_scikit_learn(rows):
    values, suspect = arrays(rows)
    figures = measure(Score(values, "suspect"), suspect)
    assert figures["auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(suspect, values), abs=1e-12)
    assert figures["aupr"] == pytest.approx(sklearn_metrics.average_precision_score(suspect, values), abs=1e-12)
    false, true, _ = sklearn_metrics.roc_curve(suspect, values, drop_intermediate=False)
    assert figures["fpr95"] == pytest.approx(false[true >= 0.95].min(), abs=1e-12)


def aurc_by_definition(values, suspect):
    """Mean over all orders that the score allows of the mean selective risk at coverages 1/n, ..., 1."""
    total, orders = 0.0, 0
    for order in permutations(range(len(values))):
        if all(values[a] <= values[b] for a, b in pairwise(order)):
            risks = [sum(suspect[i] for i in order[:k]) / k for k in range(1, len(order) + 1)]
            total, orders = total + sum(risks) / len(risks), orders + 1
    return total / orders


@settings(max_examples=60, deadline=None)
@given(few_samples)
def test_aurc_is_the_mean_selective_risk_over_every_order_of_ties(rows):
    values, suspect = arrays(rows)
    figures = measure(Score(values, "suspect"), suspect)
    assert figures["aurc"] == pytest.approx(aurc_by_definition(values, suspect), abs=1e-12)
    perfect = aurc_by_definition(suspect.astype(float), suspect)
    assert figures["eaurc"] == pytest.approx(aurc_by_definition(values, suspect) - perfect, abs=1e-12)


def augrc_by_definition(values, suspect):
    """Trapezoids under (coverage, P(suspect and accepted)) with one point for each distinct threshold."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(values)):
        accepted = values <= threshold
        points.append((accepted.mean(), (accepted & suspect).mean()))
    return sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points))


@given(samples)
def test_augrc_is_the_area_under_the_generalised_risk_and_follows_from_auroc_and_accuracy(rows):
    values, suspect = arrays(rows)
    figures = measure(Score(values, "suspect"), suspect)
    assert figures["augrc"] == pytest.approx(augrc_by_definition(values, suspect), abs=1e-12)
    wrong = suspect.mean()
    identity = (1 - figures["auroc"]) * wrong * (1 - wrong) + wrong**2 / 2  # Traub et al. (NeurIPS 2024)
    assert figures["augrc"] == pytest.approx(identity, abs=1e-12)


def test_a_hand_solved_case():
    figures = measure(Score(np.array([4.0, 3.0, 2.0, 1.0]), "suspect"), np.array([True, False, True, False]))
    assert figures["auroc"] == 0.75
    assert figures["aupr"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["fpr95"] == 0.5
    assert figures["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert figures["eaurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4 - (0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_direction_belongs_to_the_score():
    values, suspect = np.array([0.9, 0.1, 0.4]), np.array([False, True, False])
    assert measure(Score(values, "normal"), suspect)["auroc"] == 1.0
    assert measure(Score(values, "suspect"), suspect)["auroc"] == 0.0
    assert measure(Score(values, "normal"), suspect) == measure(Score(-values, "suspect"), suspect)


@pytest.mark.parametrize(("suspect", "missing"), [([True, True], "normal"), ([False, False], "suspect")])
def test_one_kind_of_sample_is_an_error(suspect, missing):
    with pytest.raises(UserError, match=rf"(?s)MONITOR002.*none of the 2 samples is {missing}"):
        measure(Score(np.array([1.0, 2.0]), "suspect"), np.array(suspect))


def test_nan_and_lengths_that_differ_are_errors():
    with pytest.raises(UserError, match="MONITOR001"):
        Score(np.array([1.0, np.nan]), "suspect")
    with pytest.raises(UserError, match="MONITOR001"):
        measure(Score(np.array([1.0, 2.0]), "suspect"), np.array([True, False, True]))


def two_scores(seed=3, size=400):
    generator = np.random.default_rng(seed)
    suspect = generator.random(size) < 0.2
    good = Score(np.round(suspect + generator.normal(size=size), 1), "suspect")
    bad = Score(np.round(-0.4 * suspect + generator.normal(size=size), 1), "normal")
    return {"good": good, "bad": bad}, suspect


def test_resamples_equal_metrics_of_samples_drawn_one_by_one():
    scores, suspect = two_scores()
    samples = resample(scores, suspect, resamples=5, seed=11)
    generator = np.random.default_rng(11)
    assert {name: set(samples.values[name]) for name in scores} == {name: set(METRICS) for name in scores}
    for draw in range(1, 6):
        rows = generator.integers(len(suspect), size=len(suspect))
        for name, score in scores.items():
            expected = measure(Score(score.values[rows], score.higher_means), suspect[rows])
            for metric in METRICS:
                assert samples.values[name][metric][draw] == pytest.approx(expected[metric], abs=1e-12), metric


def test_intervals_hold_the_value_and_paired_differences_are_narrower():
    scores, suspect = two_scores()
    samples = resample(scores, suspect, resamples=300, seed=1)
    again = resample(scores, suspect, resamples=300, seed=1)
    values = {name: measure(score, suspect) for name, score in scores.items()}
    for metric in METRICS:
        estimate = samples.estimate("good", metric)
        assert estimate.value == pytest.approx(values["good"][metric], abs=1e-12)
        assert estimate.low < estimate.value < estimate.high
        difference = samples.difference("good", "bad", metric)
        assert difference == again.difference("good", "bad", metric)
        assert (difference.low > 0) == HIGHER_IS_BETTER[metric]
    same = resample({"a": scores["good"], "b": scores["good"]}, suspect, resamples=50)
    assert same.difference("a", "b", "auroc") == Estimate(0.0, 0.0, 0.0)


def test_an_interval_leaves_out_half_of_what_is_not_confidence_on_either_side():
    # The samples' own value stands first and takes no part: quantiles are those of 0, 1, ..., 100.
    drawn = np.concatenate([[1e6], np.arange(101.0)[::-1]])
    samples = ResampledMetrics({"a": {"auroc": drawn}, "b": {"auroc": np.zeros(102)}})
    for confidence, low, high in ((0.95, 2.5, 97.5), (0.9, 5.0, 95.0), (0.5, 25.0, 75.0)):
        expected = pytest.approx((1e6, low, high))
        assert astuple(samples.estimate("a", "auroc", confidence)) == expected
        assert astuple(samples.difference("a", "b", "auroc", confidence)) == expected
    assert samples.estimate("a", "auroc") == samples.estimate("a", "auroc", 0.95)
    assert samples.difference("a", "b", "auroc") == samples.difference("a", "b", "auroc", 0.95)


def test_one_resample_is_one_value_beside_the_samples_own_and_none_is_refused():
    scores, suspect = two_scores(size=40)
    samples = resample(scores, suspect, resamples=1)
    assert {values.shape for metrics in samples.values.values() for values in metrics.values()} == {(2,)}
    assert resample(scores, suspect, resamples=130).values["good"]["auroc"].shape == (131,)
    for some, resamples in ((scores, 0), ({}, 5)):
        with pytest.raises(UserError, match="MONITOR001"):
            resample(some, suspect, resamples=resamples)


def test_a_rare_kind_is_present_in_every_draw():
    suspect = np.arange(12) == 0
    samples = resample({"s": Score(np.arange(12.0), "normal")}, suspect, resamples=200)
    assert np.isfinite(samples.values["s"]["auroc"]).all()
    assert get_args(detection.MetricName) == tuple(METRICS)
