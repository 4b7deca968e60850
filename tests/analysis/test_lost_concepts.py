"""The concept that one class lost is named, in a world whose embeddings are sums of what concepts add."""

from __future__ import annotations

import numpy as np
import pytest

from conspect.analysis.explanation.lost_concepts import (
    LEAST_FAILURES,
    SeenImages,
    blind_features,
    lost_blind,
    lost_since,
    paired_features,
    shown_of,
)
from conspect.analysis.explanation.lost_signs import (
    STAYS,
    fading,
    hard_to_read,
    others_largest,
    others_least,
    others_mean,
    reading_lack,
    remembered_departure,
    staying,
)

CLASSES = np.array(
    [
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 1, 0, 1],
        [0, 0, 1, 0, 1, 1],
    ],
    dtype=float,
)


def world(label: int, lost: int, seed: int = 0, share: float = 1.3) -> tuple[SeenImages, SeenImages]:
    """The images before, and after an encoder embeds class `label` without a share of what concept `lost` adds."""
    rng = np.random.default_rng(seed)
    labels = np.arange(1200) % len(CLASSES)
    shown = CLASSES[labels].copy()
    rare = rng.random(shown.shape) < 0.1
    shown[rare] = 1 - shown[rare]
    effects = rng.normal(size=(CLASSES.shape[1], 12))
    noise = 1.2 * rng.normal(size=(len(labels), 12))
    sound = shown @ effects + noise
    broken = sound - share * ((labels == label) * shown[:, lost])[:, None] * effects[lost]
    centres = CLASSES @ effects

    def seen(embeddings: np.ndarray) -> SeenImages:
        outputs = np.square(embeddings[:, None] - centres[None]).sum(axis=2).argmin(axis=1)
        return SeenImages(shown, embeddings, labels, outputs, len(CLASSES))

    return seen(sound), seen(broken)


@pytest.mark.parametrize(("label", "lost"), [(0, 0), (0, 3), (1, 4), (2, 1), (3, 4), (4, 2)])
def test_with_an_earlier_version_the_lost_concept_comes_first(label: int, lost: int) -> None:
    earlier, images = world(label, lost)
    ranking = lost_since(images, earlier, label)
    assert ranking[0].concept == lost
    assert sum(candidate.probability for candidate in ranking) == pytest.approx(1.0)
    assert [candidate.probability for candidate in ranking] == sorted(
        (candidate.probability for candidate in ranking), reverse=True
    )


@pytest.mark.parametrize(("label", "lost"), [(0, 0), (0, 3), (1, 4), (2, 1)])
def test_blind_it_is_among_the_concepts_that_the_class_shows(label: int, lost: int) -> None:
    _, images = world(label, lost)
    assert lost in {candidate.concept for candidate in lost_blind(images, label)}
    assert all(CLASSES[label, candidate.concept] for candidate in lost_blind(images, label))


def test_only_candidates_are_named() -> None:
    earlier, images = world(0, 0)
    assert [candidate.concept for candidate in lost_since(images, earlier, 0, [3, 5])] == [3]
    assert lost_since(images, earlier, 0, []) == ()


def test_where_too_few_images_fail_nothing_is_named() -> None:
    earlier, images = world(0, 0)
    sound = SeenImages(images.shown, images.embeddings, images.labels, images.labels.copy(), len(CLASSES))
    assert lost_blind(sound, 0) == ()
    assert lost_since(sound, earlier, 0) == ()
    sound.outputs[np.flatnonzero(images.labels == 0)[: LEAST_FAILURES - 1]] = 1
    assert blind_features(sound, 0) is None
    assert paired_features(sound, earlier, 0) is None


def test_features_are_finite_where_nothing_varies() -> None:
    _, images = world(0, 0)
    flat = SeenImages(np.ones_like(images.shown), images.embeddings, images.labels, images.outputs, len(CLASSES))
    still = SeenImages(flat.shown, flat.embeddings, flat.labels, flat.labels, len(CLASSES))
    for features in (blind_features(flat, 0), paired_features(flat, still, 0)):
        assert features is not None
        assert np.isfinite(features).all()


def test_strengths_are_scaled_to_what_is_shown() -> None:
    strengths = np.column_stack([np.linspace(-3, 5, 101), np.full(101, 7.0), np.eye(101)[0]])
    shown = shown_of(strengths)
    assert shown.min() == 0.0
    assert shown.max() == 1.0
    assert (shown[:6, 0] == 0).all()
    assert (shown[-6:, 0] == 1).all()
    assert (shown[:, 1] == 0).all()
    np.testing.assert_array_equal(shown[:, 2], np.eye(101)[0])


def test_a_head_remembers_where_a_class_lay_before_its_encoder_moved() -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(6, 20))
    labels = np.arange(600) % 6
    moved = rng.normal(size=20)
    embeddings = centres[labels] + 0.1 * rng.normal(size=(600, 20)) + (labels == 2)[:, None] * moved
    head = 0.37 * (centres - centres.mean(axis=0))
    np.testing.assert_allclose(remembered_departure(head, embeddings, labels, 2), moved, atol=0.1)
    assert np.abs(remembered_departure(head, embeddings, labels, 4)).max() < 0.5
    only = np.zeros(9, dtype=np.int64)
    np.testing.assert_array_equal(remembered_departure(head, embeddings[:9], only, 0), 0.0)


def test_a_concept_that_is_read_less_off_a_class_than_off_others_is_hard_to_read_there() -> None:
    earlier, images = world(0, 3)

    def lack(seen: SeenImages) -> np.ndarray:
        return reading_lack(seen.shown > 0.5, seen.shown, seen.embeddings, seen.labels, seen.labels == 0, least=8)

    before, after = lack(earlier), lack(images)
    assert after[3] > before[3] + 1
    assert np.abs(after[[1, 2, 4, 5]] - before[[1, 2, 4, 5]]).max() < 1.5
    everyone = np.ones(len(images.labels), dtype=bool)
    nothing = reading_lack(images.shown > 0.5, images.shown, images.embeddings, images.labels, everyone, least=8)
    np.testing.assert_array_equal(nothing, 0.0)


def test_images_without_the_concept_stay_where_they_move_no_further_than_other_classes() -> None:
    kinds = np.repeat(np.arange(3), 10)
    showing, lacking, others = kinds == 0, kinds == 1, kinds == 2

    def of(lacking_move: float, others_move: float) -> float:
        moved = np.zeros((30, 3))
        moved[:, 0] = np.array([4.0, lacking_move, others_move])[kinds]
        moved[lacking, 1] = 7.0  # another way does not count
        return staying(moved, showing, lacking, others)

    assert of(0.0, 0.0) == 1.0
    assert of(1.0, 1.0) == 1.0
    assert of(0.4, 0.5) == 1.0
    assert of(4 * STAYS, 0.0) == pytest.approx(np.exp(-1))
    assert of(1 + 3 * STAYS, 1.0) == pytest.approx(np.exp(-1))
    assert staying(np.zeros((30, 3)), showing, lacking, others) == 1.0
    assert np.isfinite(staying(np.ones((30, 3)), showing, lacking, np.zeros(30, dtype=bool)))


def test_what_tells_images_apart_fades_by_as_much_as_it_shrinks_across_the_way_of_all() -> None:
    before = np.random.default_rng(4).normal(size=(200, 5))
    way = np.array([3.0, 0, 0, 0, 0])
    assert fading(before, before + way) == pytest.approx(0.0)
    shrunk = before * [1, 0.25, 0.25, 0.25, 0.25] + way
    shrunk -= shrunk.mean(axis=0) - before.mean(axis=0) - way
    assert fading(before, shrunk) == pytest.approx(0.75)
    assert fading(before, np.broadcast_to(before.mean(axis=0) + way, before.shape)) == pytest.approx(1.0)
    assert fading(before, before * [-9, 1, 1, 1, 1] + 10 * before[:, :1].mean() * np.eye(5)[0] + way) == pytest.approx(
        0.0
    )
    assert fading(np.zeros((4, 5)), np.ones((4, 5))) == 0.0


def test_a_concept_is_as_hard_to_read_as_a_regression_on_embeddings_leaves_unexplained() -> None:
    rng = np.random.default_rng(5)
    embeddings = rng.normal(size=(4000, 3))
    noise = rng.normal(size=4000)
    shown = np.column_stack([embeddings[:, 0], embeddings[:, 1] + noise, noise, np.ones(4000)])
    np.testing.assert_allclose(hard_to_read(shown, embeddings), [0.0, 0.5, 1.0, 1.0], atol=0.03)


def test_what_is_said_of_the_other_concepts() -> None:
    values = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(others_largest(values), [2.0, 3.0, 3.0])
    np.testing.assert_array_equal(others_least(values), [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(others_mean(values), [1.5, 2.5, 2.0])
    for of_others in (others_largest, others_least, others_mean):
        np.testing.assert_array_equal(of_others(values[:1]), [0.0])


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes_are_no_trouble(classes: int) -> None:
    earlier, images = world(0, 0)
    rows = images.labels < classes
    few, few_before = (
        SeenImages(
            readings.shown[rows],
            readings.embeddings[rows],
            readings.labels[rows],
            readings.outputs[rows],
            6,
            np.eye(6, 12),
        )
        for readings in (images, earlier)
    )
    for order in (lost_since(few, few_before, 0), lost_blind(few, 0)):
        assert all(np.isfinite(readings.probability) for readings in order)
    assert lost_since(few, few_before, 0)
    assert bool(lost_blind(few, 0)) == (classes > 1)
