"""The swap test, by value."""

import numpy as np
import pytest
from scipy import special

from conspect.analysis.localization import Blame, Culprit, blame_of, swap_test

RIGHT, WRONG = [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]
LABEL = np.array([0])


def blame(other_head: list[float], other_encoder: list[float], other: list[float], sound: list[float] = RIGHT) -> Blame:
    (verdict,) = swap_test(
        LABEL,
        sound=np.array([sound]),
        other_head=np.array([other_head]),
        other_encoder=np.array([other_encoder]),
        other=np.array([other]),
    )
    return verdict


def test_the_one_part_that_was_changed_is_blamed_with_certainty() -> None:
    assert blame(WRONG, RIGHT, WRONG) == Blame(Culprit.HEAD, 1.0)
    assert blame(RIGHT, WRONG, WRONG) == Blame(Culprit.ENCODER, 0.0)


def test_what_both_cost_is_shared() -> None:
    verdict = blame(WRONG, WRONG, WRONG)
    assert verdict.culprit is Culprit.UNDECIDED
    assert verdict.head == pytest.approx(0.5)


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
    (verdict,) = swap_test(LABEL, **{name: np.array([row]) for name, row in logits.items()})
    assert head + encoder == pytest.approx(v["sound"] - v["other"])
    assert verdict.head == pytest.approx(head / (head + encoder))


def test_a_part_that_helps_takes_no_blame() -> None:
    verdict = blame([6.0, 0.0, 0.0], WRONG, WRONG)
    assert verdict == Blame(Culprit.ENCODER, 0.0)


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
