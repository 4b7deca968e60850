"""The correcting model against scikit-learn where that can say the same, and at the limits of its penalty."""

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression

from conspect.statistics.corrected_logistic import choose_penalty, fit_corrected

GENERATOR = np.random.default_rng(12)
FEATURES = GENERATOR.normal(size=(600, 4)) * [1, 5, 0.1, 1]
TRUTH = GENERATOR.normal(size=(4, 3)) / np.array([[1], [5], [0.1], [1]])
LABELS = (FEATURES @ TRUTH + GENERATOR.gumbel(size=(600, 3))).argmax(1)


def test_without_given_scores_it_is_penalised_logistic_regression():
    penalty = 0.05
    model = fit_corrected(FEATURES, np.zeros((600, 3)), LABELS, penalty=penalty, iterations=1000)
    x = (FEATURES - FEATURES.mean(0)) / FEATURES.std(0)
    reference = LogisticRegression(C=1 / (600 * penalty), tol=1e-10, max_iter=2000).fit(x, LABELS)
    ours = special.softmax(model.scores(FEATURES, np.zeros((600, 3))), axis=1)
    assert ours == pytest.approx(reference.predict_proba(x), abs=1e-3)


def test_a_huge_penalty_leaves_recalibrated_scores():
    given = 3 * FEATURES @ TRUTH
    model = fit_corrected(FEATURES, given, LABELS, penalty=1e6)
    assert np.abs(model.weight * FEATURES.std(0)[:, None]).max() < 1e-4

    def loss(p):
        return -special.log_softmax(p[0] * given + p[1:], axis=1)[np.arange(600), LABELS].mean()

    best = optimize.minimize(loss, np.array([1.0, 0, 0, 0]), method="BFGS").fun
    assert loss(np.concatenate([[model.sharpness], model.bias])) == pytest.approx(best, abs=1e-5)
    assert model.sharpness == pytest.approx(1 / 3, abs=0.1)  # the given scores were three times too sharp


def test_a_constant_feature_gets_no_weight():
    model = fit_corrected(np.column_stack([FEATURES, np.ones(600)]), np.zeros((600, 3)), LABELS, penalty=0.01)
    assert (model.weight[-1] == 0).all()


def test_the_penalty_is_small_where_features_help_and_large_where_they_do_not():
    fold = np.arange(600) % 5
    penalties = (0.001, 0.1, 10.0)
    assert choose_penalty(FEATURES, np.zeros((600, 3)), LABELS, fold, penalties) == 0.001
    noise = GENERATOR.normal(size=(600, 40))
    assert choose_penalty(noise, FEATURES @ TRUTH, LABELS, fold, penalties) == 10.0


def test_given_scores_far_beyond_the_range_of_exponentials_are_brought_down():
    # One of four rows is wrong: the best sharpness s has 1 / (1 + exp(-2000 s)) = 3 / 4.
    given = np.array([[2000.0, 0.0], [0.0, 2000.0]] * 8)
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 0] * 2)
    model = fit_corrected(np.zeros((16, 1)), given, labels, penalty=0.1, iterations=500)
    assert model.bias == pytest.approx(np.zeros(2), abs=1e-3)
    assert 2000 * model.sharpness == pytest.approx(np.log(3), rel=1e-3)
