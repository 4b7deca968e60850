"""Concepts are graded by what is measured of them: planted strengths whose grade is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from conspect.analysis.concepts.grades import ConceptEvidence, Grade, GradedConcept, grade_concepts
from conspect.analysis.concepts.groups import identifiability
from conspect.core.concepts import ClassAttributes

IMAGES, CLASSES = 600, 3
TABLE = ClassAttributes(("a", "b", "c"), ("w",), np.array([[1.0], [0.0], [0.0]]))


def evidence(**changes: object) -> ConceptEvidence:
    """One concept that class a carries, seen in the same way by both, in two phrases, and varying within classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % CLASSES
    strength = 3.0 * (labels == 0) + rng.normal(size=IMAGES)
    given = {
        "by_vlm": strength[:, None],
        "by_model": strength[:, None] + 0.1 * rng.normal(size=(IMAGES, 1)),
        "labels": labels,
        "classes": np.eye(CLASSES)[labels] + 0.1 * rng.normal(size=(IMAGES, CLASSES)),
        "variants": [np.stack([strength + 0.1 * rng.normal(size=IMAGES) for _ in range(2)], axis=1)],
        "table": TABLE,
        "presence": None,
    }
    return ConceptEvidence(**(given | changes))


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(IMAGES, 1))


def test_a_concept_that_passes_every_measure_is_seen_and_has_no_reasons() -> None:
    graded = grade_concepts(evidence())[0]
    assert graded.grade is Grade.SEEN
    assert graded.reasons == ()
    assert graded.measures.separation == pytest.approx(0.98, abs=0.02)
    assert graded.measures.agreement > 0.99
    assert graded.measures.r2 > 0.99


@pytest.mark.parametrize(
    ("changes", "grade", "reason"),
    [
        (
            {"by_vlm": noise(), "by_model": noise(), "variants": [np.tile(noise(), 2)]},
            Grade.NOT_SEEN,
            "separates the classes",
        ),
        ({"variants": [np.concatenate([noise(2), noise(3)], axis=1)]}, Grade.NOT_SEEN, "other phrases"),
        ({"by_model": noise()}, Grade.NOT_SEEN, "read off the model"),
        ({"table": None}, Grade.PARTLY, "nothing says which"),
    ],
)
def test_a_concept_that_fails_one_measure_says_which(changes: dict[str, object], grade: Grade, reason: str) -> None:
    graded = grade_concepts(evidence(**changes))[0]
    assert graded.grade is grade
    assert any(reason in text for text in graded.reasons)


def test_a_concept_that_only_restates_class_scores_is_partly_seen() -> None:
    rng = np.random.default_rng(4)
    labels = np.arange(IMAGES) % CLASSES
    scores = np.eye(CLASSES)[labels] + 0.1 * rng.normal(size=(IMAGES, CLASSES))
    strength = scores @ np.array([[2.0], [0.5], [0.0]])
    graded = grade_concepts(
        evidence(by_vlm=strength, by_model=strength, classes=scores, variants=[np.tile(strength, 2)])
    )[0]
    assert graded.grade is Grade.PARTLY
    assert graded.measures.beyond_classes == pytest.approx(0.0, abs=1e-9)
    assert graded.reasons == ("within a class it only restates how much an image looks like other classes",)


def test_labels_of_images_count_within_classes_only() -> None:
    labels = np.arange(IMAGES) % CLASSES
    presence = (labels == 0).astype(float)[:, None]
    assert grade_concepts(evidence(presence=presence))[0].measures.shown is None
    shown = (np.arange(IMAGES) // CLASSES % 2).astype(float)
    strength = (shown + 5.0 * (labels == 0))[:, None]
    graded = grade_concepts(evidence(by_vlm=strength, by_model=strength, presence=shown[:, None]))[0]
    assert graded.measures.shown == 1.0


def test_directions_that_rise_and_fall_together_are_one_group() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(IMAGES, 3))
    strengths = np.column_stack([base[:, 0], base[:, 1], -2.0 * base[:, 0], base[:, 2]])
    groups = identifiability(strengths)
    assert groups.group.tolist() == [0, 1, 0, 2]
    assert groups.members(2) == (0, 2)
    np.testing.assert_allclose(groups.tolerance, 1.0, atol=0.03)


def test_a_sum_of_others_has_no_tolerance_and_a_constant_neither() -> None:
    base = np.random.default_rng(6).normal(size=(IMAGES, 2))
    strengths = np.column_stack([base, base.sum(axis=1), np.full(IMAGES, 3.0)])
    groups = identifiability(strengths)
    np.testing.assert_allclose(groups.tolerance, 0.0, atol=1e-7)


def test_tolerance_is_one_less_the_r2_of_a_regression_on_the_others() -> None:
    rng = np.random.default_rng(7)
    strengths = rng.normal(size=(IMAGES, 4)) @ rng.normal(size=(4, 4))
    groups = identifiability(strengths)
    centred = strengths - strengths.mean(axis=0)
    for k in range(4):
        others = np.delete(centred, k, axis=1)
        residual = centred[:, k] - others @ np.linalg.lstsq(others, centred[:, k], rcond=None)[0]
        assert groups.tolerance[k] == pytest.approx(residual.var() / centred[:, k].var(), rel=1e-6)


def test_a_class_name_that_nothing_checks_takes_no_part_and_a_negation_is_not_seen() -> None:
    names = tuple(f"class {k}" for k in range(CLASSES))
    named = grade_concepts(evidence(table=None, phrases=[("a Class-0",)], class_names=names))[0]
    assert named.names_class
    assert not named.speaks
    assert "it says no more than the class name “class 0”, so that it takes no part" in named.reasons
    by_strength = grade_concepts(
        evidence(table=None, phrases=[("kitty",)], class_names=names, classes=np.tile(evidence().by_vlm, (1, CLASSES)))
    )[0]
    assert by_strength.names_class
    other = grade_concepts(evidence(table=None, phrases=[("wheels",)], class_names=names, classes=noise(7)))[0]
    assert other.speaks
    assert not other.checked
    denied = grade_concepts(evidence(table=None, phrases=[("no wheels",)], class_names=names, classes=noise(7)))[0]
    assert denied.grade is Grade.NOT_SEEN
    assert "“no wheels” is a negation" in denied.reasons[0]
    checked = grade_concepts(evidence(phrases=[("no class 0",)], class_names=names))[0]
    assert checked.grade is Grade.SEEN


def test_few_labels_doubt_a_concept_and_many_fail_it() -> None:
    rng = np.random.default_rng(8)
    shown = (rng.random(IMAGES) < 0.5).astype(float)[:, None]
    few = np.where(np.arange(IMAGES)[:, None] < 30, shown, np.nan)
    doubted, failed = (grade_concepts(evidence(presence=presence))[0] for presence in (few, shown))
    assert doubted.measures.shown_images == 30
    assert doubted.grade is Grade.PARTLY
    assert "30 images" in doubted.reasons[0]
    assert failed.grade is Grade.NOT_SEEN
    assert "600 images" in failed.reasons[0]


def two_unchecked(meaning: object, **changes: object) -> list[GradedConcept]:
    rng = np.random.default_rng(9)
    strengths = rng.normal(size=(IMAGES, 2))
    return grade_concepts(
        evidence(
            by_vlm=strengths,
            by_model=strengths,
            variants=[np.tile(column[:, None], 2) for column in strengths.T],
            table=None,
            meaning=meaning,
            phrases=[("wheels",), ("xyzzy",)],
            **changes,
        )
    )


def test_of_concepts_that_nothing_checks_one_that_behaves_like_no_word_at_all_is_not_seen() -> None:
    wheels, xyzzy = two_unchecked(lambda concepts: np.array([0.004, 0.7])[list(concepts)])
    assert (wheels.grade, wheels.measures.meaning) == (Grade.PARTLY, 0.008)
    assert (xyzzy.grade, xyzzy.measures.meaning, xyzzy.speaks) == (Grade.NOT_SEEN, 0.7, False)
    assert xyzzy.reasons[0] == "on these images it behaves like a word without meaning (p = 0.7)"


def test_the_more_concepts_are_asked_the_less_is_one_p_value_worth() -> None:
    alone = two_unchecked(lambda concepts: np.array([0.008, 0.008])[list(concepts)])
    beside = two_unchecked(lambda concepts: np.array([0.008, 0.9])[list(concepts)])
    assert [concept.grade for concept in alone] == [Grade.PARTLY, Grade.PARTLY]
    assert beside[0].grade is Grade.NOT_SEEN


def test_a_concept_that_a_table_or_labels_check_is_not_asked_for_its_meaning() -> None:
    def never(concepts: object) -> np.ndarray:
        raise AssertionError("asked")

    assert grade_concepts(evidence(meaning=never))[0].grade is Grade.SEEN
    shown = np.stack([np.ones(IMAGES), np.ones(IMAGES)], axis=1)
    shown[::2] = 0
    graded = two_unchecked(never, presence=shown)
    assert [concept.measures.meaning for concept in graded] == [None, None]


def test_phrases_that_are_texts_are_not_seen_where_nothing_checks_them() -> None:
    asked: list[int] = []

    def meaning(concepts: Sequence[int]) -> np.ndarray:
        asked.extend(concepts)
        return np.zeros(len(asked))

    long = grade_concepts(evidence(table=None, meaning=meaning, phrases=[("na " * 40,)]))[0]
    assert asked == []
    assert long.grade is Grade.NOT_SEEN
    assert long.reasons[0].startswith("its phrases are too long")
    assert grade_concepts(evidence(phrases=[("na " * 40,)]))[0].grade is Grade.SEEN


def test_one_phrase_and_template_alone_says_nothing_of_others() -> None:
    strength = evidence().by_vlm
    alone, two = (grade_concepts(evidence(variants=[np.tile(strength, number)]))[0] for number in (1, 2))
    assert alone.measures.stability is None
    assert two.measures.stability == pytest.approx(1.0)


def test_a_concept_that_holds_a_class_name_takes_no_part_and_what_goes_with_it_may() -> None:
    # "Taken for a dog: looks like a dog" says nothing, but ears that go with a dog's ears may still be ears.
    own, table = evidence().by_vlm[:, 0], None
    strengths = np.column_stack([own, own])
    graded = grade_concepts(
        evidence(
            by_vlm=strengths, by_model=strengths, variants=[strengths, strengths], table=table, classes=noise(7),
            phrases=[("looks like a class 0",), ("ears",)], class_names=tuple(f"class {k}" for k in range(CLASSES)),
        )
    )  # fmt: skip
    assert not graded[0].speaks
    assert "it holds the class name “class 0”, so that it takes no part" in graded[0].reasons
    assert graded[1].speaks


def test_a_group_of_which_a_concept_is_not_seen_is_not_seen_as_one() -> None:
    # The table checks both; labels by eye find the second alone not seen, and the first cannot be told from it.
    own = evidence().by_vlm[:, 0]
    strengths = np.column_stack([own, own])
    both = evidence().table
    assert both is not None
    table = ClassAttributes(both.class_names, ("horns", "fur"), np.tile(both.shares[:, :1], (1, 2)))
    given = {"by_vlm": strengths, "by_model": strengths, "variants": [strengths, strengths], "table": table}
    assert [concept.seen_as_group for concept in grade_concepts(evidence(**given))] == [True, True]
    presence = np.column_stack([np.full(IMAGES, np.nan), np.random.default_rng(3).integers(0, 2, IMAGES)])
    first, second = grade_concepts(evidence(**given, presence=presence))
    assert second.grade is Grade.NOT_SEEN
    assert first.grade is Grade.PARTLY
    assert not first.seen_as_group
