"""Each baseline by value against its formula, written out for one image at a time or by another library."""

import math

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap
from conspect.monitor.detectors.baselines import (
    Mahalanobis,
    NearestNeighbours,
    VirtualLogit,
    energy,
    entropy,
    maximum_logit,
    maximum_softmax,
)

GENERATOR = np.random.default_rng(5)
LOGITS = GENERATOR.normal(size=(7, 4)) * 5
LABELS = np.arange(90) % 3
TRAIN = GENERATOR.normal(size=(90, 6)) + 2 * np.eye(6)[LABELS]
TEST = GENERATOR.normal(size=(8, 6)) * 2


def softmax(row):
    weights = [math.exp(value - max(row)) for value in row]
    return [weight / sum(weights) for weight in weights]


def test_confidence_scores_are_their_formulas():
    for k, row in enumerate(LOGITS):
        probabilities = softmax(row)
        assert maximum_softmax(LOGITS).values[k] == pytest.approx(max(probabilities))
        assert maximum_logit(LOGITS).values[k] == max(row)
        assert energy(LOGITS).values[k] == pytest.approx(math.log(sum(math.exp(v) for v in row)))
        assert energy(LOGITS, temperature=3).values[k] == pytest.approx(3 * math.log(sum(math.exp(v / 3) for v in row)))
        assert entropy(LOGITS).values[k] == pytest.approx(-sum(p * math.log(p) for p in probabilities))


def test_huge_logits_give_finite_scores():
    logits = np.array([[1e4, -1e4, 0.0]])
    assert maximum_softmax(logits).values[0] == 1.0
    assert energy(logits).values[0] == 1e4
    assert entropy(logits).values[0] == 0.0


def test_a_confident_image_is_less_suspect_by_every_score():
    logits = np.array([[9.0, 0.0, 0.0], [1.0, 0.9, 0.8]])
    for score in (maximum_softmax(logits), maximum_logit(logits), energy(logits), entropy(logits)):
        assert score.suspicion[0] < score.suspicion[1]


def test_mahalanobis_is_the_smallest_distance_under_the_shared_covariance():
    fitted = Mahalanobis.fit(TRAIN, LABELS, 3)
    means = [TRAIN[label == LABELS].mean(0) for label in range(3)]
    shared = EmpiricalCovariance(assume_centered=True).fit(
        np.stack([x - means[y] for x, y in zip(TRAIN, LABELS, strict=True)])
    )
    expected = [min((z - m) @ np.linalg.inv(shared.covariance_) @ (z - m) for m in means) for z in TEST]
    assert fitted.score(TEST).suspicion == pytest.approx(expected, rel=1e-6)


def test_mahalanobis_survives_a_constant_dimension():
    flat = np.column_stack([TRAIN, np.ones(len(TRAIN))])
    assert np.isfinite(Mahalanobis.fit(flat, LABELS, 3).score(flat[:4]).values).all()


@pytest.mark.parametrize("k", [1, 5, 90])
def test_neighbour_distance_is_that_of_scikit_learn_on_unit_vectors(k):
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    distances, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit(TRAIN)).kneighbors(unit(TEST))
    assert NearestNeighbours.fit(TRAIN, k=k).score(TEST).suspicion == pytest.approx(distances[:, -1], abs=1e-9)


def test_an_embedding_of_zeros_has_distance_one_to_all_others_and_none_to_another_of_zeros():
    nothing = np.zeros((1, 6))
    assert NearestNeighbours.fit(TRAIN, k=1).score(nothing).values == pytest.approx(1.0)
    assert NearestNeighbours.fit(np.vstack([TRAIN, nothing]), k=1).score(nothing).values == 0.0


def test_virtual_logit_is_the_residual_norm_scaled_minus_the_energy():
    weight, bias = GENERATOR.normal(size=(3, 6)), GENERATOR.normal(size=3)
    head = AffineMap(weight, bias)
    logits = TEST @ weight.T + bias
    origin = -np.linalg.pinv(weight) @ bias
    covariance = EmpiricalCovariance(assume_centered=True).fit(TRAIN - origin).covariance_
    values, vectors = np.linalg.eig(covariance)
    keep = vectors[:, np.argsort(-values)[:4]]

    def residual(x):
        return np.linalg.norm((x - origin) - (x - origin) @ keep @ keep.T)

    scale = np.mean((TRAIN @ weight.T + bias).max(1)) / np.mean([residual(x) for x in TRAIN])
    expected = [
        scale * residual(z) - math.log(sum(math.exp(v) for v in row)) for z, row in zip(TEST, logits, strict=True)
    ]
    fitted = VirtualLogit.fit(TRAIN, head, principal=4)
    assert fitted.score(TEST, logits).suspicion == pytest.approx(expected)
    assert VirtualLogit.fit(TRAIN, head).residual_space.shape == (6, 3)


def test_far_embeddings_are_more_suspect_by_every_distance():
    near, far = TRAIN[:20], -40 * np.ones((20, 6))
    head = AffineMap(np.eye(3, 6), np.zeros(3))
    for fitted in (Mahalanobis.fit(TRAIN, LABELS, 3), NearestNeighbours.fit(TRAIN, k=5)):
        assert fitted.score(near).suspicion.max() < fitted.score(far).suspicion.min()
    virtual = VirtualLogit.fit(TRAIN, head)
    assert virtual.score(near, head(near)).suspicion.max() < virtual.score(far, head(far)).suspicion.min()


def test_too_little_training_data_is_an_error():
    with pytest.raises(UserError, match="MONITOR003"):
        Mahalanobis.fit(TRAIN, LABELS, 4)
    with pytest.raises(UserError, match="MONITOR003"):
        NearestNeighbours.fit(TRAIN[:10])
