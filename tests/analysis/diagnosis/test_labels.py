"""Labels that are wrong are found, and those of hard images are left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.analysis.diagnosis.labels import calibrated, judge_labels, with_names_restored
from conspect.core.vectors import log_softmax

CLASSES = 5


def judges(truth: np.ndarray, seed: int, strength: float = 4.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    clean = strength * np.eye(CLASSES)[truth]
    return {name: clean + rng.normal(size=clean.shape) for name in ("one", "two", "three")}


def test_wrong_labels_come_first() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 800)
    labels = truth.copy()
    labels[:30] = (truth[:30] + rng.integers(1, CLASSES, 30)) % CLASSES
    judgement = judge_labels(judges(truth, 1), labels)
    assert set(judgement.order[:30].tolist()) == set(range(30))
    assert judgement.expected == pytest.approx(30, abs=4)
    assert (judgement.instead[:30] == truth[:30]).mean() > 0.95
    assert judgement.votes[:30].min() >= 2


def test_nothing_is_expected_where_labels_are_right() -> None:
    truth = np.random.default_rng(0).integers(0, CLASSES, 800)
    judgement = judge_labels(judges(truth, 1), truth)
    assert judgement.expected < 2
    assert (judgement.wrong > 0.5).sum() == 0


def test_two_judges_who_disagree_do_not_condemn_a_label() -> None:
    truth = np.random.default_rng(0).integers(0, CLASSES, 600)
    scores = judges(truth, 1)
    scores["one"][:20] = 4 * np.eye(CLASSES)[(truth[:20] + 1) % CLASSES]
    scores["two"][:20] = 4 * np.eye(CLASSES)[(truth[:20] + 2) % CLASSES]
    assert judge_labels(scores, truth).wrong[:20].max() < 0.9


def test_a_class_that_no_image_has_is_out_of_the_question() -> None:
    truth = np.random.default_rng(0).integers(0, CLASSES - 1, 400)
    scores = judges(truth, 1)
    for score in scores.values():
        score[:10, CLASSES - 1] += 20
    judgement = judge_labels(scores, truth)
    assert judgement.wrong[:10].max() < 0.5
    assert (judgement.instead != CLASSES - 1).all()
    assert judgement.unlabelled == ()


def test_labels_under_other_names_are_all_wrong_but_those_that_were_wrong_before() -> None:
    truth = np.random.default_rng(0).integers(0, CLASSES, 400)
    names = np.array([1, 2, 0, 3, 4])
    restored = truth.copy()
    restored[:20] = (truth[:20] + 1) % CLASSES
    labels = np.argsort(names)[restored]
    scores = judges(truth, 1)
    judgement = with_names_restored(scores, labels, names[labels])
    renamed, slips = labels != restored, np.arange(400) < 20
    assert judgement.wrong[renamed & ~slips].min() > 0.5
    assert (judgement.instead[renamed] == restored[renamed]).all()
    assert (judgement.votes[renamed & ~slips] >= 2).all()
    assert (judgement.wrong[~renamed & slips] > 0.5).all()
    assert judgement.wrong[~renamed & ~slips].max() < 0.5
    # Without other names nothing is restored.
    assert with_names_restored(scores, labels, labels).wrong == pytest.approx(judge_labels(scores, labels).wrong)


def test_a_class_whose_labels_are_all_those_of_another_is_found() -> None:
    truth = np.random.default_rng(0).integers(0, CLASSES, 400)
    labels = np.where(truth == CLASSES - 1, 1, truth)
    merged = truth == CLASSES - 1
    judgement = judge_labels(judges(truth, 1), labels)
    ((label, images),) = judgement.unlabelled
    assert label == CLASSES - 1
    assert 0.9 * merged.sum() <= images <= merged.sum()
    assert (judgement.wrong[merged] >= 0.9).mean() > 0.9
    assert (judgement.wrong[~merged] >= 0.9).sum() <= 2
    assert judgement.expected == pytest.approx(merged.sum(), rel=0.1)
    # Where nobody but one judge sees the class, the images are of it for nobody.
    alone = {**judges(labels, 1), "one": judges(truth, 1)["one"]}
    assert judge_labels(alone, labels).unlabelled == ()


@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_the_scale_of_scores_does_not_matter(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    assert calibrated(scale * scores, labels) == pytest.approx(calibrated(scores, labels), abs=1e-6)
    assert np.exp(log_softmax(scores)).sum(1) == pytest.approx(1)


def test_images_beyond_the_sample_are_judged_by_its_measure() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, 4000)
    labels = truth.copy()
    wrong = rng.choice(4000, 160, replace=False)
    labels[wrong] = (truth[wrong] + rng.integers(1, CLASSES, 160)) % CLASSES
    scores = judges(truth, 1, strength=2.0)
    whole = judge_labels(scores, labels)
    # The rest is picked for being suspect, which must not make the judges doubt themselves.
    rest = np.flatnonzero((np.arange(4000) >= 3000) & (whole.wrong > 0.01))
    rows = np.concatenate([np.arange(3000), rest])
    part = judge_labels({k: v[rows] for k, v in scores.items()}, labels[rows], among=np.arange(len(rows)) < 3000)
    assert len(rest) >= 40
    assert np.abs(part.wrong[3000:] - whole.wrong[rest]).max() < 0.15
    assert (part.instead[3000:] == whole.instead[rest]).all()
