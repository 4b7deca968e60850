"""A failure is explained by what its output's class has and it shows, and by what its own class has and it lacks."""

from __future__ import annotations

import numpy as np

from conspect.analysis.explanation.contrast import (
    BELONGS_AUROC,
    Reason,
    Side,
    belonging_by_strength,
    contrast,
    sentence,
    unusual_unknown,
)
from conspect.statistics.detection import Score, auroc, tally

CONCEPTS = ("horns", "colored-eyes", "ears", "wheels")
# Classes cat and deer: horns are a deer's, colored eyes a cat's, ears both's, wheels nobody's.
BELONGS = np.array([[False, True, True, False], [True, False, True, False]])
ALL = np.ones(4, dtype=bool)
USUAL = np.tile(np.arange(50.0)[:, None], (1, 4))


APART = np.arange(4)


def reasons(strengths: list[float], believed: np.ndarray = ALL, apart: np.ndarray = APART) -> list[Reason]:
    return contrast(np.array(strengths), USUAL, BELONGS, believed, apart, label=0, output=1)


def test_only_concepts_of_exactly_one_of_the_two_classes_are_named() -> None:
    assert reasons([48.5, 1.5, -9.0, 99.0]) == [Reason(0, Side.OUTPUT, 0.98, 50), Reason(1, Side.LABEL, 0.96, 50)]


def test_a_concept_that_is_not_believed_is_not_named() -> None:
    assert reasons([48.5, 1.5, 0, 0], np.array([False, True, True, True])) == [Reason(1, Side.LABEL, 0.96, 50)]


def test_nothing_is_named_that_does_not_stand_out_and_equal_images_do_not_count() -> None:
    assert reasons([25.0, 25.0, 0, 0]) == []
    constant = np.ones((50, 4))
    assert contrast(np.ones(4), constant, BELONGS, ALL, APART, label=0, output=1) == []


def test_of_a_few_right_images_nothing_is_said() -> None:
    few = contrast(np.array([99.0, -9, 0, 0]), USUAL[:9], BELONGS, ALL, APART, label=0, output=1)
    assert few == []
    assert unusual_unknown("cat", "deer", 9) == (
        "cat taken for deer: too few cat images (9) are classified right to say what is usual of them"
    )


def test_concepts_that_cannot_be_told_apart_are_one_reason() -> None:
    belongs = np.array([[False, False, False, True], [True, True, False, False]])
    found = contrast(np.array([48.5, 47.5, 0, 0.5]), USUAL, belongs, ALL, np.array([0, 0, 2, 3]), label=0, output=1)
    assert found == [Reason(3, Side.LABEL, 0.98, 50), Reason(0, Side.OUTPUT, 0.96, 50, (1,))]
    assert "shows “horns” or “colored eyes” more than 48 of the 50" in sentence(found, CONCEPTS, "cat", "deer")


def test_the_sentence_says_classes_concepts_and_shares() -> None:
    found = [Reason(0, Side.OUTPUT, 0.98, 200), Reason(1, Side.LABEL, 0.96, 200)]
    assert sentence(found, CONCEPTS, "cat", "deer") == (
        "cat taken for deer: shows “horns” more than 98 % of rightly classified cat images do, and “colored eyes” less than "
        "96 % of them"
    )
    assert sentence(found[1:], CONCEPTS, "cat", "deer") == (
        "cat taken for deer: shows “colored eyes” less than 96 % of rightly classified cat images do"
    )
    assert sentence([], CONCEPTS, "cat", "deer").endswith("stands out")


def test_an_image_that_is_classified_right_is_not_said_to_be_taken_for_anything() -> None:
    found = [Reason(0, Side.OUTPUT, 1.0, 200)]
    assert sentence(found, CONCEPTS, "cat", "deer", failed=False) == (
        "deer, not cat: shows “horns” more than any rightly classified cat image does"
    )


def test_few_images_are_counted_and_no_percentage_is_made_of_them() -> None:
    assert sentence(reasons([48.5, 1.5, 0, 0]), CONCEPTS, "cat", "deer") == (
        "cat taken for deer: shows “horns” more than 49 of the 50 rightly classified cat images do, and “colored eyes” less "
        "than 48 of them"
    )
    assert "more than any of the 50 rightly classified cat images does" in sentence(
        [Reason(0, Side.OUTPUT, 1.0, 50)], CONCEPTS, "cat", "deer"
    )


def test_shares_are_rounded_down_in_words() -> None:
    assert "99 %" in sentence([Reason(0, Side.OUTPUT, 0.9999, 20_000)], CONCEPTS, "cat", "deer")


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
