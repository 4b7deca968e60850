"""The swap test and the weighing of evidence, by value."""

import numpy as np
import pytest
from scipy import special

from conspect.analysis.fault_evidence import FEATURES, LEAST_DEPARTURE, LEAST_GAIN, ON_RECORD, Departure, OwnEvidence
from conspect.analysis.localization import Blame, Culprit, blame_of, fit_evidence, swap_test

RIGHT, WRONG = [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]
LABEL = np.array([0])


def blame(other_head: list[float], other_encoder: list[float], other: list[float], sound: list[float] = RIGHT) -> Blame:
    (found,) = swap_test(
        LABEL,
        sound=np.array([sound]),
        other_head=np.array([other_head]),
        other_encoder=np.array([other_encoder]),
        other=np.array([other]),
    )
    return found


def test_the_one_part_that_was_changed_is_blamed_with_certainty() -> None:
    assert blame(WRONG, RIGHT, WRONG) == Blame(Culprit.HEAD, 1.0)
    assert blame(RIGHT, WRONG, WRONG) == Blame(Culprit.ENCODER, 0.0)


def test_what_both_cost_is_shared() -> None:
    found = blame(WRONG, WRONG, WRONG)
    assert found.culprit is Culprit.UNDECIDED
    assert found.head == pytest.approx(0.5)


def test_the_share_is_the_shapley_value_of_the_log_probability() -> None:
    logits = {
        "sound": [3.0, 0.0, 1.0],
        "other_head": [1.0, 1.5, 0.0],
        "other_encoder": [2.0, 1.0, 0.0],
        "other": [0.0, 2.0, 0.5],
    }
    v = {name: special.log_softmax(row)[0] for name, row in logits.items()}
    head = (v["sound"] - v["other_head"] + v["other_encoder"] - v["other"]) / 2
    encoder = (v["sound"] - v["other_encoder"] + v["other_head"] - v["other"]) / 2
    (found,) = swap_test(LABEL, **{name: np.array([row]) for name, row in logits.items()})
    assert head + encoder == pytest.approx(v["sound"] - v["other"])
    assert found.head == pytest.approx(head / (head + encoder))


def test_a_part_that_helps_takes_no_blame() -> None:
    found = blame([6.0, 0.0, 0.0], WRONG, WRONG)
    assert found == Blame(Culprit.ENCODER, 0.0)


@pytest.mark.parametrize(("sound", "other"), [(WRONG, WRONG), (RIGHT, RIGHT)])
def test_without_a_regression_nothing_is_said(sound: list[float], other: list[float]) -> None:
    assert blame(other, other, other, sound) == Blame(Culprit.UNDECIDED, None)


def test_a_probability_near_a_half_decides_nothing() -> None:
    assert [blame_of(p).culprit.value for p in (0.61, 0.59, 0.41, 0.39)] == [
        "head",
        "undecided",
        "undecided",
        "encoder",
    ]
    assert blame_of(0.3).confidence == pytest.approx(0.7)
    assert blame_of(None).confidence is None


def clusters(images: int = 90) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(images) % 3
    return 6 * np.eye(3)[labels] + 0.5 * np.random.default_rng(0).normal(size=(images, 3)), labels


def test_evidence_of_a_head_that_confuses_two_classes() -> None:
    z, labels = clusters()
    own = OwnEvidence(z, labels, lambda e: 3 * e[:, [1, 0, 2]], Departure(0.1, 0.2))
    evidence = dict(zip(FEATURES, own.of(z[:3], labels[:3]).T, strict=True))
    assert (evidence["refitted head"] > 2).all()
    assert (evidence["given head"][:2] < -2).all()
    assert evidence["given head"][2] > 2
    assert (evidence["neighbours"] == 1).all()
    assert (np.abs(evidence["distance"]) < 1.5).all()
    assert (evidence["gain of a correction"] > np.log(0.5)).all()
    assert evidence["departure in training"] == pytest.approx(np.log([0.1] * 3))
    assert evidence["departure under test"] == pytest.approx(np.log([0.2] * 3))


def test_an_embedding_among_another_class_speaks_against_the_encoder() -> None:
    z, labels = clusters()
    own = OwnEvidence(z, labels, lambda e: 3 * e)
    strange = np.array([[0.0, 6.0, 0.0], [30.0, 30.0, 30.0]])
    evidence = dict(zip(FEATURES, own.of(strange, np.array([0, 0])).T, strict=True))
    assert evidence["refitted head"][0] < -2
    assert evidence["neighbours"][0] == 0
    assert evidence["distance"][1] > 2
    assert evidence["gain of a correction"] == pytest.approx(np.log([LEAST_GAIN] * 2))
    assert not np.column_stack([evidence[name] for name in ON_RECORD]).any()


def test_what_sound_models_show_counts_as_nothing() -> None:
    z, labels = clusters()
    own = OwnEvidence(z, labels, lambda e: 3 * e, Departure(0.01, 0.5 * LEAST_DEPARTURE))
    assert own.of(z[:1], labels[:1])[0, -2:] == pytest.approx(np.log([LEAST_DEPARTURE] * 2))


def test_the_gain_is_what_a_correction_saves_on_images_it_was_not_fitted_on() -> None:
    z, labels = clusters(300)
    z = z + 3 * np.random.default_rng(1).normal(size=z.shape)
    best = OwnEvidence(z, labels, lambda e: 0.65 * e).gain(
        3
    )  # of two normal clusters: their distance over the variance
    shifted = OwnEvidence(z, labels, lambda e: 0.65 * e + [4.0, 0.0, 0.0]).gain(3)
    assert abs(best) < 0.1
    assert shifted > 0.3


def test_the_distance_of_a_training_image_is_counted_to_its_nearest_neighbours() -> None:
    line = np.arange(30, dtype=np.float64)[:, None]
    own = OwnEvidence(line, np.arange(30) % 2, lambda e: np.column_stack([e, -e]))
    share, distance = own._neighbours(np.array([[100.0]]), np.array([0]))
    assert share[0] == 0.5  # 20 to 29
    usual = np.median([np.sort(np.abs(line[:, 0] - x))[1:11].mean() for x in range(30)])
    assert distance[0] == pytest.approx(np.log(np.mean(100.0 - np.arange(20, 30)) / usual), rel=1e-5)


def test_weights_learn_which_evidence_tells_the_parts_apart() -> None:
    rng = np.random.default_rng(0)
    evidence, head = rng.normal(size=(300, len(FEATURES))), np.arange(300) < 40
    evidence[:, FEATURES.index("neighbours")] += 4 * head
    evidence[:, FEATURES.index("departure in training")] -= 4 * head
    weights = fit_evidence(evidence, head)
    with_record = weights.head_probabilities(evidence, recorded=True)
    assert ((with_record > 0.5) == head).mean() > 0.99
    without = weights.head_probabilities(evidence, recorded=False)
    assert 0.9 < ((without > 0.5) == head).mean() < 1
    with pytest.raises(ValueError, match="3 features"):
        fit_evidence(evidence[:, :3], head)
