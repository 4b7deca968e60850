"""A failure is explained by what its output's class has and it shows, and by what its own class has and it lacks."""

from __future__ import annotations

import numpy as np
import pytest

from conspect.analysis.explanation.contrast import (
    BELONGS_AUROC,
    Contrasted,
    Reason,
    Side,
    Vocabulary,
    belonging_by_strength,
    contrast,
    nothing_stands_out,
    sentence,
    unusual_unknown,
)
from conspect.statistics.detection import Score, auroc, tally

CONCEPTS = ("horns", "colored-eyes", "ears", "wheels")
# Classes cat and deer: horns are a deer's, colored eyes a cat's, ears both's, wheels nobody's.
CARRIED = np.array([[0.0, 0.62, 0.93, 0.0], [0.77, 0.02, 0.98, 0.0]])
ALL, NONE, APART = np.ones(4, dtype=bool), np.zeros(4, dtype=bool), np.arange(4)
USUAL = np.tile(np.arange(50.0)[:, None], (1, 4))
CAT_DEER = Contrasted("cat", "deer")


def vocabulary(
    believed: np.ndarray = ALL, doubted: np.ndarray = NONE, group: np.ndarray = APART, carried: np.ndarray = CARRIED
) -> Vocabulary:
    return Vocabulary(carried, believed, doubted, group)


def reasons(strengths: list[float], words: Vocabulary | None = None) -> list[Reason]:
    return contrast(np.array(strengths), USUAL, words or vocabulary(), label=0, output=1)


def test_only_concepts_of_exactly_one_of_the_two_classes_are_named() -> None:
    assert reasons([48.5, 1.5, -9.0, 99.0]) == [Reason(0, Side.OUTPUT, 0.98, 50), Reason(1, Side.LABEL, 0.96, 50)]


@pytest.mark.parametrize(("of_cats", "named"), [(0.0, True), (0.385, True), (0.39, False), (0.49, False), (1.0, False)])
def test_a_concept_that_the_other_class_carries_more_than_half_as_often_is_no_reason(
    of_cats: float, named: bool
) -> None:
    carried = np.array([[of_cats, 0.0, 0.0, 0.0], [0.77, 0.0, 0.0, 0.0]])
    assert bool(reasons([48.5, 0, 0, 0], vocabulary(carried=carried))) is named


def test_a_concept_that_is_not_believed_is_not_named() -> None:
    words = vocabulary(np.array([False, True, True, True]))
    assert reasons([48.5, 1.5, 0, 0], words) == [Reason(1, Side.LABEL, 0.96, 50)]


def test_a_concept_that_is_seen_in_part_speaks_only_where_no_other_does_and_the_sentence_says_so() -> None:
    carried = np.array([[0.0, 0.0, 0.0, 0.0], [0.9, 0.9, 0.0, 0.0]])
    words = vocabulary(doubted=np.array([True, False, False, False]), carried=carried)
    assert reasons([48.5, 44.5, 0, 0], words) == [Reason(1, Side.OUTPUT, 0.9, 50)]
    alone = reasons([48.5, 10.5, 0, 0], words)
    assert alone == [Reason(0, Side.OUTPUT, 0.98, 50)]
    assert sentence(alone, CONCEPTS, CAT_DEER, {0}).endswith("images do (seen only in part)")
    both = [*alone, Reason(1, Side.LABEL, 0.9, 50)]
    assert sentence(both, CONCEPTS, CAT_DEER, {0}).endswith(" of them (“horns” is seen only in part)")
    assert sentence(both, CONCEPTS, CAT_DEER, {0, 1}).endswith(" of them (both seen only in part)")
    three = [*both, Reason(2, Side.LABEL, 0.85, 50)]
    assert sentence(three, CONCEPTS, CAT_DEER, {0, 1, 2}).endswith(" of them (all seen only in part)")


def test_nothing_is_named_that_does_not_stand_out_and_equal_images_do_not_count() -> None:
    assert reasons([25.0, 25.0, 0, 0]) == []
    constant = np.ones((50, 4))
    assert contrast(np.ones(4), constant, vocabulary(), label=0, output=1) == []


@pytest.mark.parametrize(
    ("believed", "of_one", "said"),
    [
        (0, 0, "cat taken for deer: no concept of the study is seen, so none can say why"),
        (3, 0, "cat taken for deer: no concept that is seen belongs to one of the two and not to the other"),
        (3, 1, "cat taken for deer: the only concept that is seen and belongs to one of the two does not stand out"),
        (3, 2, "cat taken for deer: none of the 2 concepts that are seen and belong to one of the two stands out"),
    ],
)
def test_where_nothing_can_be_said_the_sentence_says_why(believed: int, of_one: int, said: str) -> None:
    assert nothing_stands_out(CAT_DEER, believed=believed, of_one=of_one) == said


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (0, "cat taken for deer: no cat image is classified right, so that what is usual of them is not known"),
        (1, "cat taken for deer: only 1 cat image is classified right, too few to say what is usual of them"),
        (9, "cat taken for deer: only 9 cat images are classified right, too few to say what is usual of them"),
    ],
)
def test_of_a_few_right_images_nothing_is_said(right: int, said: str) -> None:
    few = contrast(np.array([99.0, -9, 0, 0]), USUAL[:right], vocabulary(), label=0, output=1)
    assert few == []
    assert unusual_unknown(CAT_DEER, right) == said


def test_concepts_that_cannot_be_told_apart_are_one_reason_and_stand_out_together() -> None:
    carried = np.array([[0.0, 0.0, 0.0, 0.9], [0.9, 0.9, 0.0, 0.0]])
    words = vocabulary(group=np.array([0, 0, 2, 3]), carried=carried)
    grouped = reasons([48.5, 47.5, 0, 0.5], words)
    assert grouped == [Reason(3, Side.LABEL, 0.98, 50), Reason(0, Side.OUTPUT, 0.96, 50, (1,))]
    assert "shows “horns” or “colored eyes” more than 48 of the 50" in sentence(grouped, CONCEPTS, CAT_DEER)
    assert reasons([48.5, 30.5, 0, 0.5], words) == [Reason(3, Side.LABEL, 0.98, 50)]


def test_of_two_concepts_that_are_each_others_opposite_one_is_named() -> None:
    opposite = vocabulary(group=np.array([0, 0, 2, 3]))
    assert reasons([47.5, 0.5, 0, 0], opposite) == [Reason(1, Side.LABEL, 0.98, 50)]
    assert reasons([48.5, 2.5, 0, 0], opposite) == [Reason(0, Side.OUTPUT, 0.98, 50)]


def test_the_sentence_says_classes_concepts_and_shares() -> None:
    evidence = [Reason(0, Side.OUTPUT, 0.98, 200), Reason(1, Side.LABEL, 0.96, 200)]
    assert sentence(evidence, CONCEPTS, CAT_DEER) == (
        "cat taken for deer: shows “horns” more than 98 % of rightly classified cat images do, and “colored eyes” less than "
        "96 % of them"
    )
    assert sentence(evidence[1:], CONCEPTS, CAT_DEER) == (
        "cat taken for deer: shows “colored eyes” less than 96 % of rightly classified cat images do"
    )


def test_an_image_that_is_classified_right_is_not_said_to_be_taken_for_anything() -> None:
    evidence = [Reason(0, Side.OUTPUT, 1.0, 200)]
    assert sentence(evidence, CONCEPTS, Contrasted("cat", "deer", failed=False)) == (
        "deer, not cat: shows “horns” more than any rightly classified cat image does"
    )


def test_few_images_are_counted_and_no_percentage_is_made_of_them() -> None:
    assert sentence(reasons([48.5, 1.5, 0, 0]), CONCEPTS, CAT_DEER) == (
        "cat taken for deer: shows “horns” more than 49 of the 50 rightly classified cat images do, and “colored eyes” less "
        "than 48 of them"
    )
    assert "more than any of the 50 rightly classified cat images does" in sentence(
        [Reason(0, Side.OUTPUT, 1.0, 50)], CONCEPTS, CAT_DEER
    )


def test_shares_are_rounded_down_in_words() -> None:
    assert "99 %" in sentence([Reason(0, Side.OUTPUT, 0.9999, 20_000)], CONCEPTS, CAT_DEER)


def test_without_a_table_a_concept_belongs_to_the_classes_that_show_it_more() -> None:
    labels = np.repeat([0, 1, 2], 40)
    strengths = np.column_stack([(labels == 1) + 0.01 * np.arange(120), np.random.default_rng(0).normal(size=120)])
    assert belonging_by_strength(strengths, labels, 3).tolist() == [[False, False], [True, False], [False, False]]


def test_belonging_is_the_auroc_of_each_class_against_the_others_ties_included() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 4, 300)
    # Rounded, so that many images tie; every class leans toward some concepts.
    strengths = np.round(rng.normal(size=(300, 12)) + 1.4 * rng.normal(size=(4, 12))[labels], 1)
    expected = [
        [float(auroc(tally(Score(strengths[:, k], "suspect"), labels == c))) >= BELONGS_AUROC for k in range(12)]
        for c in range(4)
    ]
    assert 0 < np.sum(expected) < 48
    assert belonging_by_strength(strengths, labels, 4).tolist() == expected
    assert not belonging_by_strength(strengths, np.zeros(300, dtype=np.int64), 4).any()
