"""The signs of a lost concept, each number against loops over images that follow the words of its definition."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from conspect.analysis.explanation import lost_concepts, lost_signs
from conspect.analysis.explanation.lost_concepts import (
    SeenImages,
    blind_features,
    lost_blind,
    lost_since,
    own_concepts,
    paired_features,
    shown_of,
)
from conspect.analysis.explanation.lost_signs import (
    ExpectedEmbeddings,
    cosines,
    fading,
    hard_to_read,
    reading_lack,
    remembered_departure,
    staying,
)
from conspect.core.spaces import Float64

CONCEPTS = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=float)


def seen(seed: int, *, wrong: float = 0.3, head: bool = True) -> SeenImages:
    """160 images of four classes whose concepts are shown to some degree, in six dimensions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 160)
    shown = np.clip(CONCEPTS[labels] * rng.uniform(0.2, 1.0, (160, 4)) + 0.2 * rng.random((160, 4)), 0, 1)
    embeddings = shown @ np.random.default_rng(9).normal(size=(4, 6)) + 0.5 * rng.normal(size=(160, 6))
    outputs = np.where(rng.random(160) < wrong, rng.integers(0, 4, 160), labels)
    return SeenImages(shown, embeddings, labels, outputs, 4, rng.normal(size=(4, 6)) if head else None)


def regressed(shown: Float64, embeddings: Float64) -> tuple[Float64, Float64]:
    """Ridge of penalty 1 on deviations from the means, from stacked equations; coefficients and offset."""
    mean, centre = shown.mean(axis=0), embeddings.mean(axis=0)
    stacked = np.vstack([shown - mean, np.eye(shown.shape[1])])
    aims = np.vstack([embeddings - centre, np.zeros((shown.shape[1], embeddings.shape[1]))])
    coefficients = np.linalg.lstsq(stacked, aims, rcond=None)[0]
    return coefficients, centre - mean @ coefficients


def mahalanobis_cosine(first: Float64, second: Float64, covariance: Float64) -> float:
    inverse = np.linalg.inv(covariance)
    return float(first @ inverse @ second / np.sqrt((first @ inverse @ first) * (second @ inverse @ second)))


def ridged(covariance: Float64, share: float) -> Float64:
    size = len(covariance)
    return covariance + (share * np.trace(covariance) / size + 1e-9) * np.eye(size)


@pytest.mark.parametrize("seed", range(3))
def test_expected_embeddings_are_a_ridge_regression_whose_rest_whitens(seed: int) -> None:
    images, move = seen(seed), np.random.default_rng(seed).normal(size=6)
    expected = ExpectedEmbeddings.of(images.shown, images.embeddings)
    coefficients, offset = regressed(images.shown, images.embeddings)
    assert expected.coefficients == pytest.approx(coefficients)
    assert expected.offset == pytest.approx(offset)
    rest = images.embeddings - images.shown @ coefficients - offset
    assert expected.rest == pytest.approx(rest)
    covariance = ridged(rest.T @ rest / 159, 0.05)
    assert expected.whiten @ expected.whiten.T == pytest.approx(np.linalg.inv(covariance))
    assert expected.cosines(move) == pytest.approx([mahalanobis_cosine(-row, move, covariance) for row in coefficients])
    mine = images.labels == 2
    assert expected.departure(images.shown[mine], images.embeddings[mine]) == pytest.approx(rest[mine].mean(axis=0))


def test_plain_cosines_are_against_the_effects_and_nought_of_nothing() -> None:
    effects = np.array([[3.0, 4.0], [0.0, -2.0], [0.0, 0.0]])
    assert cosines(effects, np.array([0.0, 5.0])) == pytest.approx([-0.8, 1.0, 0.0])


@pytest.mark.parametrize("seed", range(3))
def test_among_classes_departures_of_whole_classes_whiten(seed: int) -> None:
    images, move, label = seen(seed), np.random.default_rng(seed).normal(size=6), 1
    expected = ExpectedEmbeddings.of(images.shown, images.embeddings)
    departures = []
    for other in (0, 2, 3):
        teach = (images.labels != other) & (images.labels != label)
        coefficients, offset = regressed(images.shown[teach], images.embeddings[teach])
        rows = images.labels == other
        departures.append((images.embeddings[rows] - images.shown[rows] @ coefficients - offset).mean(axis=0))
    between = sum(np.outer(d, d) for d in departures) / 3
    within = expected.rest.T @ expected.rest / 160
    level = np.trace(between)
    covariance = ridged(between + 0.1 * within * level / np.trace(within), 0.0) + 0.02 * level / 6 * np.eye(6)
    got = expected.among_classes(images.shown, images.embeddings, images.labels, label)
    assert got.cosines(move) == pytest.approx(
        [mahalanobis_cosine(-row, move, covariance) for row in expected.coefficients]
    )
    two = images.labels < 2
    alone = expected.among_classes(images.shown[two], images.embeddings[two], images.labels[two], 1)
    assert alone is expected


def test_a_head_remembers_where_its_classes_were() -> None:
    """Means are twice the rows and a shift, but for class 2, which has moved by (1, -3)."""
    head = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [-1.0, 3.0]])
    means = 2 * head + np.array([5.0, -1.0])
    means[2] += [1.0, -3.0]
    embeddings = np.repeat(means, 2, axis=0) + np.tile([[0.5, 0.25], [-0.5, -0.25]], (4, 1))
    labels = np.repeat(np.arange(4), 2)
    assert remembered_departure(head, embeddings, labels, 2) == pytest.approx([1.0, -3.0])
    assert remembered_departure(head, embeddings[:2], labels[:2], 0).tolist() == [0.0, 0.0]


def lack_by_loops(images: SeenImages, label: int, least: int = 8) -> list[float]:
    mine = images.labels == label
    centred = images.embeddings[~mine] - images.embeddings[~mine].mean(axis=0)
    covariance = ridged(centred.T @ centred / len(centred), 0.01)
    lacks = []
    for concept in range(images.shown.shape[1]):
        column = images.shown[:, concept]
        weight = np.linalg.inv(covariance) @ (centred.T @ (column[~mine] - column[~mine].mean()) / len(centred))
        reading = (images.embeddings - images.embeddings[~mine].mean(axis=0)) @ weight
        shows = column > 0.5
        carriers = [
            reading[shows & (images.labels == other)].mean()
            for other in range(4)
            if other != label and (shows & (images.labels == other)).sum() >= least
        ]
        if not carriers or not (shows & mine).any() or not (~shows & ~mine).any():
            lacks.append(0.0)
            continue
        gap = reading[shows & ~mine].mean() - reading[~shows & ~mine].mean()
        lack = np.mean(carriers) - reading[shows & mine].mean()
        lacks.append(float(np.clip(lack / (np.std(carriers) + 0.2 * gap), -5, 5)))
    return lacks


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("least", [1, 8, 20])
def test_how_hard_a_concept_is_to_read_in_a_class(seed: int, least: int) -> None:
    images = seen(seed)
    for label in range(4):
        mine = images.labels == label
        lack = reading_lack(images.shown > 0.5, images.shown, images.embeddings, images.labels, mine, least=least)
        assert lack == pytest.approx(lack_by_loops(images, label, least), rel=1e-5, abs=1e-9)
    everything = np.ones(160, dtype=bool)
    assert not reading_lack(
        images.shown > 0.5, images.shown, images.embeddings, images.labels, everything, least=1
    ).any()


def test_what_other_concepts_say() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert lost_signs.others_largest(values).tolist() == [2.0, 3.0, 3.0]
    assert lost_signs.others_least(values).tolist() == [1.0, 2.0, 1.0]
    assert lost_signs.others_mean(values).tolist() == [1.5, 2.5, 2.0]
    assert lost_signs.others_largest(values[:1]).tolist() == [0.0]


def groups_of(images: SeenImages, label: int, concept: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    mine, shows = images.labels == label, images.shown[:, concept] > 0.5
    if min((mine & shows).sum(), (mine & ~shows).sum()) < 8:
        return None
    return mine & shows, mine & ~shows


def failing_more(images: SeenImages, label: int, concept: int) -> float:
    groups = groups_of(images, label, concept)
    if groups is None:
        return 0.0
    odds = [((images.outputs != label)[g].sum() + 1) / ((images.outputs == label)[g].sum() + 1) for g in groups]
    return float(np.log(odds[0] / odds[1]))


def of_others(values: list[float], summary: Callable[[list[float]], float]) -> list[float]:
    return [summary([v for j, v in enumerate(values) if j != k]) for k in range(len(values))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("head", [True, False])
def test_blind_features_are_those_of_loops(seed: int, head: bool) -> None:
    images = seen(seed, wrong=0.5, head=head)
    for label in range(4):
        mine = images.labels == label
        prototypes = np.array([images.shown[images.labels == c].mean(axis=0) for c in range(4)])
        own = [k for k in range(4) if prototypes[label, k] >= 0.3]
        assert own_concepts(images, label).tolist() == own
        assert images.prototypes == pytest.approx(prototypes)
        failed = images.outputs[mine & (images.outputs != label)]
        taken = [np.mean(failed == c) for c in range(4)]
        in_lack = []
        for k in own:
            total = 0.0
            for c in range(4):
                lacked = np.maximum(prototypes[label] - prototypes[c], 0)
                total += taken[c] * lacked[k] / max(lacked.sum(), 1e-9)
            in_lack.append(total)
        expected = ExpectedEmbeddings.of(images.shown[~mine], images.embeddings[~mine])
        varies = [float(groups_of(images, label, k) is not None) for k in own]
        remembered = [0.0] * len(own)
        if images.head is not None:
            moved = remembered_departure(images.head, images.embeddings, images.labels, label)
            remembered = [float(expected.cosines(moved)[k]) for k in own]
        likely = []
        for k in own:
            without = prototypes[label].copy()
            without[k] = 0
            scores = {c: -2.0 * np.abs(without - prototypes[c]).sum() for c in range(4) if c != label}
            norm = np.log(sum(np.exp(v) for v in scores.values()))
            likely.append(sum(taken[c] * (v - norm) for c, v in scores.items()))
        departed = expected.departure(images.shown[mine], images.embeddings[mine])
        among = expected.among_classes(images.shown, images.embeddings, images.labels, label)
        beside = np.mean([among.cosines(departed)[k] for k in own])
        lack = lack_by_loops(images, label)
        table = np.array([
            of_others(in_lack, min), [r * v for r, v in zip(remembered, varies, strict=True)],
            [r * v for r, v in zip(in_lack, varies, strict=True)], [failing_more(images, label, k) for k in own],
            of_others(likely, max), [lack[k] * beside for k in own],
        ]).T  # fmt: skip
        features = blind_features(images, label)
        assert features is not None
        assert features == pytest.approx(table, rel=1e-5, abs=1e-9)
        scores_ = table @ (-2.24, 5.496, 6.297, 0.757, -0.843, 0.79)
        shares = np.exp(scores_) / np.exp(scores_).sum()
        ranking = lost_blind(images, label)
        order = np.argsort(-shares)
        assert [lost.concept for lost in ranking] == [own[k] for k in order]
        assert [lost.probability for lost in ranking] == pytest.approx(shares[order], rel=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_paired_features_are_those_of_loops(seed: int) -> None:
    images, earlier = seen(seed, wrong=0.5), seen(seed, wrong=0.2)
    rng = np.random.default_rng(seed)
    images = SeenImages(
        images.shown, images.embeddings + 0.3 * rng.normal(size=(160, 6)), images.labels, images.outputs, 4
    )
    for label in range(4):
        mine = images.labels == label
        prototypes = images.prototypes
        own = own_concepts(images, label).tolist()
        new = mine & (images.outputs != label) & (earlier.outputs == label)
        before = mine & (earlier.outputs != label)
        assert new.sum() >= 5
        usual = [(c != label) / 3 for c in range(4)]
        if before.sum() >= 5:
            usual = [float(np.mean(earlier.outputs[before] == c)) for c in range(4)]
        taken = [
            sum(
                (prototypes[label, k] - prototypes[c, k]) * (np.mean(images.outputs[new] == c) - usual[c])
                for c in range(4)
            )
            for k in own
        ]
        moved = images.embeddings - earlier.embeddings
        distance = np.linalg.norm(moved / earlier.embeddings.std(axis=0), axis=1)
        sound, mean_move = ExpectedEmbeddings.of(earlier.shown, earlier.embeddings), moved[mine].mean(axis=0)
        towards = [float(sound.cosines(mean_move)[k]) for k in own]
        lack = lack_by_loops(images, label)
        ratios = []
        for k in own:
            groups = groups_of(images, label, k)
            ratios.append(
                0.0
                if groups is None
                else np.log((distance[groups[0]].mean() + 1e-3) / (distance[groups[1]].mean() + 1e-3))
            )
        plain = [
            float(
                -(sound.coefficients[k] @ mean_move) / np.linalg.norm(sound.coefficients[k]) / np.linalg.norm(mean_move)
            )
            for k in own
        ]
        means = of_others(towards, lambda v: float(np.mean(v)))
        stays, usual_images = [], mine.copy()
        for k in own:
            groups = groups_of(images, label, k)
            stays.append(0.0 if groups is None else staying(moved, *groups, ~mine))
            usual_images &= (images.shown[:, k] > 0.5) | (groups is None)
        chosen = usual_images if usual_images.sum() >= 8 else mine
        faded = fading(earlier.embeddings[chosen], images.embeddings[chosen])
        hard = hard_to_read(earlier.shown, earlier.embeddings)
        table = np.array([
            towards, of_others(towards, max), [m * lack[k] for m, k in zip(means, own, strict=True)],
            taken, ratios, [float(groups_of(images, label, k) is not None) for k in own], plain,
            [failing_more(images, label, k) for k in own],
            stays, [faded * (hard[k] - np.mean([hard[j] for j in own])) for k in own],
        ]).T  # fmt: skip
        features = paired_features(images, earlier, label)
        assert features is not None
        assert features == pytest.approx(table, rel=1e-5, abs=1e-8)
        scores = table @ (
            5.062, -4.808, 1.232, 1.255, 1.913, -1.166, -1.26, 0.61, 3.065, 13.135,
        )  # fmt: skip
        shares = np.exp(scores) / np.exp(scores).sum()
        ranking = lost_since(images, earlier, label)
        assert [lost.concept for lost in ranking] == [own[k] for k in np.argsort(-shares)]
        assert [lost.probability for lost in ranking] == pytest.approx(np.sort(shares)[::-1], rel=1e-4)


@pytest.mark.parametrize(("wrong", "named"), [(4, False), (5, True), (35, True), (36, False)])
def test_five_images_have_to_fail_and_five_to_be_right(wrong: int, named: bool) -> None:
    images = seen(0, wrong=0.0)
    labels = np.repeat(np.arange(4), 40)
    outputs = labels.copy()
    outputs[:wrong] = 1
    own = SeenImages(images.shown, images.embeddings, labels, outputs, 4)
    before = SeenImages(images.shown, images.embeddings, labels, labels, 4)
    assert (blind_features(own, 0) is not None) is named
    assert (paired_features(own, before, 0) is not None) is named
    assert lost_concepts.LEAST_FAILURES == 5


def test_strengths_are_scaled_from_the_fifth_percentile_to_the_ninety_fifth() -> None:
    strengths = np.column_stack([np.arange(101.0), np.r_[np.zeros(100), 8.0], np.full(101, 3.0)])
    shown = shown_of(strengths)
    assert shown[:, 0] == pytest.approx(np.clip((np.arange(101) - 5) / 90, 0, 1))
    # Where both percentiles are one value, the least and the largest are taken; a constant is 0.
    assert shown[:, 1].tolist() == [0.0] * 100 + [1.0]
    assert shown[:, 2].tolist() == [0.0] * 101
