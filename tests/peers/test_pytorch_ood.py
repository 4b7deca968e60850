"""The seven baselines and the metrics by value against pytorch-ood's, and what differs between the two by definition."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

ABSENT = "pytorch-ood is not installed here; `make test-peers` has it in an environment of its own"
torch = pytest.importorskip("torch", reason=ABSENT)
detector = pytest.importorskip("pytorch_ood.detector", reason=ABSENT)
functional = pytest.importorskip("pytorch_ood.metrics.functional", reason=ABSENT)

from conspect.core.spaces import AffineMap  # noqa: E402
from conspect.monitor.detectors import baselines  # noqa: E402
from conspect.statistics.detection import Score, aupr, auroc, fpr95, tally  # noqa: E402

CLASSES = 10
# Dimensions, training images: narrow, the demo's size, and one with more dimensions than images.
SIZES = [(6, 90), (256, 1500), (96, 80)]


@pytest.fixture(autouse=True)
def _double():
    """pytorch-ood keeps what it fits in torch's default type: in float64 the two can be compared to the last digits."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def world(dimension, images, seed=0):
    """Training embeddings with labels, test embeddings near and far, and a linear head."""
    generator = np.random.default_rng(seed)
    means = 2 * generator.normal(size=(CLASSES, dimension))
    labels = np.arange(images) % CLASSES
    train = means[labels] + generator.normal(size=(images, dimension))
    near = means[generator.integers(CLASSES, size=40)] + generator.normal(size=(40, dimension))
    test = np.vstack([near, 10 * generator.normal(size=(40, dimension))])
    head = AffineMap(generator.normal(size=(CLASSES, dimension)) / np.sqrt(dimension), generator.normal(size=CLASSES))
    return train, labels, test, head


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def logits_of(spread, seed=1):
    return spread * np.random.default_rng(seed).normal(size=(200, CLASSES))


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0, 2000.0])
def test_softmax_logit_and_energy(spread):
    logits = logits_of(spread)
    given = tensor(logits)
    close: dict[str, Any] = {"rel": 1e-12, "abs": 1e-12}
    assert baselines.maximum_softmax(logits).suspicion == pytest.approx(
        detector.MaxSoftmax.score(given).numpy(), **close
    )
    assert baselines.maximum_logit(logits).suspicion == pytest.approx(detector.MaxLogit.score(given).numpy(), **close)
    for temperature in (1.0, 2.5):
        theirs = detector.EnergyBased.score(given, t=temperature).numpy()
        assert baselines.energy(logits, temperature=temperature).suspicion == pytest.approx(theirs, **close)


def test_entropy_is_theirs_up_to_the_probability_at_which_they_clip():
    gentle, extreme = logits_of(1.0), logits_of(50.0)
    assert baselines.entropy(gentle).suspicion == pytest.approx(
        detector.Entropy.score(tensor(gentle)).numpy(), rel=1e-12
    )
    # Each class below 1e-7 counts there as -1e-7 log 1e-7.
    most = CLASSES * -1e-7 * np.log(1e-7)
    theirs = detector.Entropy.score(tensor(extreme)).numpy()
    assert baselines.entropy(extreme).suspicion == pytest.approx(theirs, abs=most)


@pytest.mark.parametrize(("dimension", "images"), SIZES)
def test_mahalanobis_is_twice_the_number_of_training_images_times_theirs(dimension, images):
    train, labels, test, _ = world(dimension, images)
    theirs = (
        detector.Mahalanobis(None).fit_features(tensor(train), tensor(labels)).predict_features(tensor(test)).numpy()
    )
    ours = baselines.Mahalanobis.fit(train, labels, CLASSES).score(test).suspicion
    # They leave out the 1/n of the covariance and keep the 1/2 of the Gaussian. Where the scatter is singular, its
    # inverse is as large as 1e6 and loses as many digits.
    assert ours == pytest.approx(2 * len(train) * theirs, rel=1e-8 if images > dimension else 1e-5)


@pytest.mark.parametrize(("dimension", "images"), SIZES)
@pytest.mark.parametrize("k", [1, 5, 50])
def test_nearest_neighbours(dimension, images, k):
    train, labels, test, _ = world(dimension, images)
    # Embeddings without a direction, and a training direction: a distance of 0 for k = 1.
    train[5], test[0], test[1] = 0.0, 0.0, 7 * train[3]
    theirs = detector.KNN(None, k=k, normalize=True).fit_features(tensor(train), tensor(labels))
    expected = theirs.predict_features(tensor(test)).numpy()
    # Ours takes the distance from a cosine: near 0 it is exact to the square root of the rounding.
    assert baselines.NearestNeighbours.fit(train, k=k).score(test).suspicion == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("dimension", "images"), SIZES)
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_virtual_logit(dimension, images, share):
    train, labels, test, head = world(dimension, images)
    principal = int(share * dimension)
    theirs = detector.ViM(None, principal, tensor(head.weight), tensor(head.offset))
    expected = theirs.fit_features(tensor(train), tensor(labels)).predict_features(tensor(test)).numpy()
    ours = baselines.VirtualLogit.fit(train, head, principal=principal)
    # They compute in float32.
    assert ours.score(test, head(test)).suspicion == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert ours.scale == pytest.approx(theirs.alpha, rel=1e-4)


def samples(seed, ties):
    generator = np.random.default_rng(seed)
    suspect = generator.random(500) < 0.2
    suspect[:2] = True, False
    values = suspect + generator.normal(size=500)
    return (np.round(values) if ties else values), suspect


def trapezoids(values, suspect):
    """Area under (recall, precision) from (0, 1) on, one point for each distinct score, straight lines between them."""
    points = [(0.0, 1.0)]
    for threshold in sorted(set(values), reverse=True):
        flagged = values >= threshold
        points.append((suspect[flagged].sum() / suspect.sum(), suspect[flagged].mean()))
    return sum((r2 - r1) * (p1 + p2) / 2 for (r1, p1), (r2, p2) in pairwise(points)), points


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_metrics(seed, ties):
    values, suspect = samples(seed, ties)
    scores, labels = tensor(values), torch.where(tensor(suspect), -1, 1)  # theirs: a label below 0 is a positive
    counts = tally(Score(values, "suspect"), suspect)
    assert auroc(counts) == pytest.approx(float(functional.auroc(scores, labels)), abs=1e-12)
    assert fpr95(counts) == pytest.approx(float(functional.fpr_at_tpr(scores, labels, 0.95)), abs=1e-12)
    inwards = tally(Score(values, "normal"), ~suspect)
    for ours, positive, high in ((counts, "ood", (values, suspect)), (inwards, "id", (-values, ~suspect))):
        # They join the points of the curve by straight lines, which no threshold reaches; ours are the steps of average
        # precision. Same points: theirs is the area of the trapezoids, ours that of the rectangles under their ends.
        theirs, points = trapezoids(*high)
        assert float(functional.aupr(scores, labels, positive)) == pytest.approx(theirs, abs=1e-12)
        steps = sum((r2 - r1) * p2 for (r1, _), (r2, p2) in pairwise(points))
        assert aupr(ours) == pytest.approx(steps, abs=1e-12)
        halves = sum((r2 - r1) * (p1 - p2) / 2 for (r1, p1), (r2, p2) in pairwise(points))
        assert aupr(ours) == pytest.approx(theirs - halves, abs=1e-12)
