import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from conspect.statistics.logistic import fit_logistic


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds in four dimensions of very different scales, and a constant one."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    centres = rng.normal(size=(3, 4))
    features = (centres[labels] + rng.normal(size=(400, 4))) * [1, 10, 0.1, 3]
    return np.column_stack([features, np.full(400, 7.0)]), labels


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 1.0])
def test_probabilities_equal_those_of_scikit_learn(clouds, penalty: float) -> None:
    features, labels = clouds
    x = StandardScaler().fit_transform(features)
    reference = LogisticRegression(C=1 / (len(labels) * penalty), tol=1e-10, max_iter=5000).fit(x, labels)
    ours = fit_logistic(features, labels, 3, penalty=penalty).probabilities(features)
    np.testing.assert_allclose(ours, reference.predict_proba(x), atol=2e-3)


def test_a_constant_feature_has_no_weight(clouds) -> None:
    features, labels = clouds
    assert np.all(fit_logistic(features, labels, 3).weight[-1] == 0)


def test_a_class_without_rows_gets_next_to_no_probability(clouds) -> None:
    features, labels = clouds
    probabilities = fit_logistic(features, labels, 4).probabilities(features)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert probabilities[:, 3].max() < 0.01


def test_an_offset_is_corrected_and_not_repeated() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    labels = (x[:, 0] + 0.5 * rng.normal(size=400) > 0).astype(np.int64)
    alone = fit_logistic(x, labels, 2)
    offset = x @ alone.weight + alone.bias
    again = fit_logistic(x, labels, 2, penalty=1e3, offset=offset)
    assert np.abs(again.weight).max() < 1e-3  # nothing is left to explain that the penalty would not forbid
    opposite = fit_logistic(x, labels, 2, penalty=1e-6, offset=-offset)
    free = fit_logistic(x, labels, 2, penalty=1e-6)
    gap = (x @ opposite.weight + opposite.bias - offset) - (x @ free.weight + free.bias)
    np.testing.assert_allclose(gap - gap.mean(1, keepdims=True), 0, atol=0.05)
