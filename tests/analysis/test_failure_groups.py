"""Groups of failures are found where they were planted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from conspect.analysis.explanation.failure_groups import Condition, FailureSearch, find_failure_groups
from conspect.analysis.explanation.group_words import group_sentence, search_sentence, thin_sentence
from conspect.analysis.explanation.standing_out import Sayable

CLASSES, CONCEPTS = ("cat", "deer", "truck"), ("horns", "whiskers", "at-night", "wheels")
# Deer have horns, cats whiskers, trucks wheels; anything may be at night; animals have no wheels.
CARRIES = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)
RULED_OUT = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 0, 0]], dtype=bool)
SAYABLE = Sayable(CARRIES, RULED_OUT)
ALL = np.arange(4)


def images(seed: int = 0, number: int = 1200, wrong: float = 0.04) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strengths, labels, and outputs of which so many are wrong at random."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    outputs = np.where(rng.random(number) < wrong, (labels + rng.integers(1, 3, number)) % 3, labels)
    return rng.normal(size=(number, 4)), labels, outputs


def search(strengths: np.ndarray, labels: np.ndarray, outputs: np.ndarray, seed: int = 0) -> FailureSearch:
    return find_failure_groups(strengths, labels, outputs, ALL, SAYABLE, seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_group_is_found_with_its_class_output_and_concepts(seed: int) -> None:
    strengths, labels, outputs = images(seed)
    cats = np.flatnonzero(labels == 0)
    planted = cats[(strengths[cats, 0] > 0.3) & (strengths[cats, 1] < -0.3)]
    outputs[planted[::2]] = 1
    groups = search(strengths, labels, outputs, seed).groups
    assert groups
    cells = [group for group in groups if (group.label, group.output) in {(0, 1), (0, None)}]
    assert len(cells) == len(groups)
    named = {condition for group in cells for condition in group.conditions}
    assert named <= {Condition(0, more=True), Condition(1, more=False)}
    best = groups[0]
    assert best.p_value < 0.05
    assert best.inside.share > 2 * best.outside.share
    assert set(best.failures) <= set(np.flatnonzero((labels == 0) & (outputs != 0)))


@pytest.mark.parametrize("more", [True, False])
def test_a_pair_of_neighbouring_concepts_is_found_whichever_way_the_second_goes(more: bool) -> None:
    strengths, labels, outputs = images(3, wrong=0.0)
    cats = np.flatnonzero(labels == 0)
    high = np.array([1, 1 if more else -1]) * strengths[cats, :2]
    outputs[cats[(high > 0.7).all(axis=1)]] = 1
    best = search(strengths, labels, outputs).groups[0]
    assert set(best.conditions) == {Condition(0, more=True), Condition(1, more=more)}


def test_a_group_over_all_classes_is_found() -> None:
    strengths, labels, outputs = images()
    dark = strengths[:, 2] > 0.7
    outputs[dark & (np.arange(len(labels)) % 3 != 1)] += 1
    outputs %= 3
    group = next(group for group in search(strengths, labels, outputs).groups if group.label is None)
    assert group.conditions == (Condition(2, more=True),)
    assert "Of images that are in the quarter of their class that shows “at night” most, " in group_sentence(
        group, CONCEPTS, CLASSES, 0.5
    )


def test_nothing_is_found_where_failures_have_nothing_in_common_and_that_is_said() -> None:
    """Of so many concepts and failures some are nearly always put to the other half: otherwise nothing could be found."""
    concepts = np.arange(24)
    anything = Sayable(np.zeros((3, 24), dtype=bool), np.zeros((3, 24), dtype=bool))
    searches = []
    for seed in range(40):
        _, labels, outputs = images(seed, wrong=0.2)
        strengths = np.random.default_rng(1000 + seed).normal(size=(1200, 24))
        searches.append(find_failure_groups(strengths, labels, outputs, concepts, anything, seed=seed))
    assert sum(result.checked > 0 for result in searches) >= 36
    told = [search_sentence(result, 1200, 240) for result in searches]
    assert sum("beyond chance (corrected" in sentence for sentence in told) <= 4  # 5 % of 40 are 2
    assert sum("and none held" in sentence for sentence in told) >= 32


def test_a_class_that_fails_more_is_no_group() -> None:
    strengths, labels, outputs = images()
    outputs[(labels == 0) & (np.arange(len(labels)) % 2 == 0)] = 1
    strengths[labels == 0, 2] += 3  # cats are at night more than others; failures among cats are not
    assert search(strengths, labels, outputs).groups == ()


def test_the_rates_are_those_of_images_that_had_no_part_in_the_search() -> None:
    strengths, labels, outputs = images()
    cats = np.flatnonzero(labels == 0)
    outputs[cats[strengths[cats, 1] < -0.7][::2]] = 1
    group = search(strengths, labels, outputs).groups[0]
    assert group.inside.images + group.outside.images == len(cats) // 2
    assert group.inside.failures < len(group.failures)


def test_what_a_class_cannot_show_or_lack_is_not_said() -> None:
    strengths, labels, outputs = images()
    trucks = np.flatnonzero(labels == 2)
    outputs[trucks[strengths[trucks, 1] > 0.7]] = 0  # whiskers on trucks: only what they look like, a cat's
    groups = search(strengths, labels, outputs).groups
    assert [(group.label, group.output, group.conditions) for group in groups] in (
        [],
        [(2, 0, (Condition(1, more=True),))],
    )
    outputs = images()[2]
    outputs[trucks[strengths[trucks, 1] < -0.7]] = 0
    assert all(
        condition.concept != 1 for group in search(strengths, labels, outputs).groups for condition in group.conditions
    )


def test_without_concepts_failures_or_images_nothing_is_claimed() -> None:
    strengths, labels, outputs = images()
    none = find_failure_groups(strengths, labels, outputs, ALL[:0], SAYABLE, seed=0)
    assert (none.groups, none.tried, none.checked) == ((), 0, 0)
    right = search(strengths, labels, labels)
    assert (right.groups, right.checked) == ((), 0)
    assert search_sentence(right, 1200, 0) == "There are no failures to group."
    few = search(strengths[:5], labels[:5], (labels[:5] + 1) % 3)
    assert few.groups == ()
    assert "No group of failures could be looked for" in search_sentence(few, 5, 5)
    assert "could be looked for" in search_sentence(none, 1200, 48)
    assert "none failed often enough" in search_sentence(FailureSearch((), 12, 0, ()), 5, 5)
    constant = search(np.ones_like(strengths), labels, outputs)
    assert (constant.groups, constant.tried) == ((), 0)


def test_the_sentence_gives_both_rates_the_counts_and_the_share_of_all_failures() -> None:
    strengths, labels, outputs = images(3)
    cats = np.flatnonzero(labels == 0)
    outputs[cats[strengths[cats, 1] < -0.7]] = 1
    group = search(strengths, labels, outputs).groups[0]
    said = group_sentence(group, CONCEPTS, CLASSES, 0.625)
    assert said.startswith("Of the quarter of cat images that shows “whiskers” least, ")
    assert f"({group.inside.failures} of the {group.inside.images} checked)" in said
    assert said.endswith(f"Both halves together: {len(group.failures)} failures, 62 % of all.")


def test_two_concepts_that_hardly_any_image_shows_together_are_named() -> None:
    strengths, labels, outputs = images()
    cats = labels == 0
    strengths[cats, 2] = -strengths[cats, 0] + 0.1 * strengths[cats, 2]
    thin = search(strengths, labels, outputs).thin
    assert [(combination.label, combination.concepts, combination.images) for combination in thin] == [(0, (0, 2), 0)]
    assert thin_sentence(thin[0], CONCEPTS, CLASSES) == (
        "Only 0 cat images are both in the quarter that shows “horns” most and in the quarter that shows “at night” most; if the "
        "two had nothing to do with each other, 25 would be."
    )
