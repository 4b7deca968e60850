"""A failure is explained by what its output's class has and it shows, and by what its own class has and it lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conspect.analysis.explanation.contrast import (
    BELONGS_AUROC,
    ContrastCase,
    Reason,
    Side,
    Standing,
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
APART, ALIKE = np.arange(4), np.ones(4, dtype=np.int64)
SEEN, PART, UNCHECKED, SILENT = Standing.SEEN, Standing.IN_PART, Standing.UNCHECKED, Standing.SILENT
ALL_SEEN = (SEEN,) * 4
USUAL = np.tile(np.arange(50.0)[:, None], (1, 4))
CAT_DEER = ContrastCase("cat", "deer")


def vocabulary(
    standing: tuple[Standing, ...] = ALL_SEEN,
    group: np.ndarray = APART,
    carried: np.ndarray = CARRIED,
    sign: np.ndarray = ALIKE,
) -> Vocabulary:
    return Vocabulary(carried, np.array(standing, dtype=np.int64), group, sign)


def words(evidence: list[Reason], what: ContrastCase = CAT_DEER, standing: tuple[Standing, ...] = ALL_SEEN) -> str:
    return sentence(evidence, CONCEPTS, what, np.array(standing, dtype=np.int64))


def reasons(strengths: list[float], among: Vocabulary | None = None) -> list[Reason]:
    return contrast(np.array(strengths), USUAL, among or vocabulary(), label=0, output=1)


def test_only_concepts_of_exactly_one_of_the_two_classes_are_named() -> None:
    assert reasons([48.5, 1.5, -9.0, 99.0]) == [Reason(0, Side.OUTPUT, 0.98, 50), Reason(1, Side.LABEL, 0.96, 50)]


@pytest.mark.parametrize(("of_cats", "named"), [(0.0, True), (0.385, True), (0.39, False), (0.49, False), (1.0, False)])
def test_a_concept_that_the_other_class_carries_more_than_half_as_often_is_no_reason(
    of_cats: float, named: bool
) -> None:
    carried = np.array([[of_cats, 0.0, 0.0, 0.0], [0.77, 0.0, 0.0, 0.0]])
    assert bool(reasons([48.5, 0, 0, 0], vocabulary(carried=carried))) is named


def test_a_concept_that_is_not_believed_is_not_named() -> None:
    among = vocabulary((SILENT, SEEN, SEEN, SEEN))
    assert reasons([48.5, 1.5, 0, 0], among) == [Reason(1, Side.LABEL, 0.96, 50)]


def test_a_concept_that_is_seen_in_part_speaks_only_where_no_other_does_and_the_sentence_says_so() -> None:
    carried = np.array([[0.0, 0.0, 0.0, 0.0], [0.9, 0.9, 0.0, 0.0]])
    among = vocabulary((PART, SEEN, SEEN, SEEN), carried=carried)
    assert reasons([48.5, 44.5, 0, 0], among) == [Reason(1, Side.OUTPUT, 0.9, 50)]
    alone = reasons([48.5, 10.5, 0, 0], among)
    assert alone == [Reason(0, Side.OUTPUT, 0.98, 50)]
    assert words(alone, standing=(PART, SEEN, SEEN, SEEN)).endswith("images do (seen only in part)")
    both = [*alone, Reason(1, Side.LABEL, 0.9, 50)]
    assert words(both, standing=(PART, SEEN, SEEN, SEEN)).endswith(" of them (“horns” is seen only in part)")
    assert words(both, standing=(PART, PART, SEEN, SEEN)).endswith(" of them (both seen only in part)")
    three = [*both, Reason(2, Side.LABEL, 0.85, 50)]
    assert words(three, standing=(PART, PART, PART, SEEN)).endswith(" of them (all seen only in part)")


def test_nothing_is_named_that_does_not_stand_out_and_equal_images_do_not_count() -> None:
    assert reasons([25.0, 25.0, 0, 0]) == []
    constant = np.ones((50, 4))
    assert contrast(np.ones(4), constant, vocabulary(), label=0, output=1) == []


BOTH_CARRY = np.ones((2, 4))


@pytest.mark.parametrize(
    ("among", "said"),
    [
        (vocabulary((SILENT,) * 4), "no concept of the study is seen, so none can say why"),
        (
            vocabulary(carried=BOTH_CARRY),
            "no concept that is seen belongs to one of the two and not to the other",
        ),
        (
            vocabulary((PART,) * 4, carried=BOTH_CARRY),
            "no concept that is seen, if only in part, belongs to one of the two and not to the other",
        ),
        (
            vocabulary((UNCHECKED,) * 4, carried=BOTH_CARRY),
            "no concept belongs to one of the two and not to the other (not checked by a table or labels)",
        ),
        (
            vocabulary((SEEN, SILENT, SEEN, SEEN)),
            "“horns”, the only concept that is seen and belongs to one of the two, does not stand out",
        ),
        (
            vocabulary((PART, SILENT, SEEN, SEEN)),
            "“horns”, the only concept that is seen, if only in part, and belongs to one of the two, does not stand out",
        ),
        (
            vocabulary((UNCHECKED, SILENT, SEEN, SEEN)),
            "“horns”, the only concept that belongs to one of the two, does not stand out (not checked by a table or labels)",
        ),
        (
            vocabulary(),
            "none of the 2 concepts that are seen and belong to one of the two (“horns”, “colored eyes”) stands out",
        ),
        (
            vocabulary((SEEN, PART, SEEN, SEEN)),
            "none of the 2 concepts that are seen, if only in part, and belong to one of the two "
            "(“horns”, “colored eyes”) stands out",
        ),
        (
            vocabulary((SEEN, UNCHECKED, SEEN, SEEN)),
            "none of the 2 concepts that belong to one of the two (“horns”, “colored eyes”) stands out "
            "(not checked by a table or labels)",
        ),
    ],
)
def test_where_nothing_can_be_said_the_sentence_says_why_and_calls_seen_only_what_is(
    among: Vocabulary, said: str
) -> None:
    assert nothing_stands_out(CAT_DEER, CONCEPTS, among, label=0, output=1) == f"cat taken for deer: {said}"


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
    among = vocabulary(group=np.array([0, 0, 2, 3]), carried=carried)
    grouped = reasons([48.5, 47.5, 0, 0.5], among)
    assert grouped == [Reason(3, Side.LABEL, 0.98, 50), Reason(0, Side.OUTPUT, 0.96, 50, (1,))]
    assert "shows “horns” or “colored eyes” more than 48 of the 50" in words(grouped)
    assert reasons([48.5, 30.5, 0, 0.5], among) == [Reason(3, Side.LABEL, 0.98, 50)]


def test_a_group_of_which_one_concept_belongs_to_neither_class_is_no_reason() -> None:
    # Nothing says which of the two was meant, and ears are a deer's as much as a cat's.
    among = vocabulary(group=np.array([0, 1, 0, 3]))
    assert reasons([48.5, 25, 48.5, 0], among) == []
    assert reasons([48.5, 25, 48.5, 0], vocabulary((SEEN, SEEN, SILENT, SEEN), np.array([0, 1, 0, 3]))) == [
        Reason(0, Side.OUTPUT, 0.98, 50)
    ]


def test_concepts_that_are_each_others_opposite_are_one_reason_that_is_told_both_ways() -> None:
    opposite = vocabulary(group=np.array([0, 0, 2, 3]), sign=np.array([1, -1, 1, 1]))
    told = reasons([48.5, 2.5, 0, 0], opposite)
    assert told == [Reason(0, Side.OUTPUT, 0.94, 50, (), (1,))]
    assert words(told) == (
        "cat taken for deer: shows “horns” more, or “colored eyes” less, than 47 of the 50 rightly classified cat images do"
    )
    assert reasons([48.5, 25, 0, 0], opposite) == []
    # Two concepts that rise together and belong one to each of the classes are no reason for either.
    assert reasons([48.5, 2.5, 0, 0], vocabulary(group=np.array([0, 0, 2, 3]))) == []


def test_of_concepts_that_nothing_checked_it_is_not_said_that_an_image_shows_them() -> None:
    standing = (UNCHECKED, UNCHECKED, SEEN, SEEN)
    told = reasons([48.5, 1.5, 0, 0], vocabulary(standing))
    assert words(told, standing=standing) == (
        "cat taken for deer: reads more like “horns” than 49 of the 50 rightly classified cat images do, and less like "
        "“colored eyes” than 48 of them (not checked by a table or labels)"
    )
    one = [replace(told[0], twins=(2,))]
    assert words(one, standing=standing).endswith("images do (“horns” not checked by a table or labels)")
    checked = vocabulary((UNCHECKED, PART, SEEN, SEEN))
    assert reasons([48.5, 1.5, 0, 0], checked) == [Reason(1, Side.LABEL, 0.96, 50)]


def test_the_sentence_says_classes_concepts_and_shares() -> None:
    evidence = [Reason(0, Side.OUTPUT, 0.98, 200), Reason(1, Side.LABEL, 0.96, 200)]
    assert words(evidence) == (
        "cat taken for deer: shows “horns” more than 98 % of rightly classified cat images do, and “colored eyes” less than "
        "96 % of them"
    )
    assert words(evidence[1:]) == (
        "cat taken for deer: shows “colored eyes” less than 96 % of rightly classified cat images do"
    )


def test_an_image_that_is_classified_right_is_not_said_to_be_taken_for_anything() -> None:
    evidence = [Reason(0, Side.OUTPUT, 1.0, 200)]
    assert words(evidence, ContrastCase("cat", "deer", failed=False)) == (
        "deer, not cat: shows “horns” more than any rightly classified cat image does"
    )


def test_few_images_are_counted_and_no_percentage_is_made_of_them() -> None:
    assert words(reasons([48.5, 1.5, 0, 0])) == (
        "cat taken for deer: shows “horns” more than 49 of the 50 rightly classified cat images do, and “colored eyes” less "
        "than 48 of them"
    )
    assert "more than any of the 50 rightly classified cat images does" in words([Reason(0, Side.OUTPUT, 1.0, 50)])


def test_shares_are_rounded_down_in_words() -> None:
    assert "99 %" in words([Reason(0, Side.OUTPUT, 0.9999, 20_000)])


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
