import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conspect.analysis.evidence import BrokenPair, UsualPairs, broken_pairs
from conspect.analysis.heatmaps import HeatmapCounts, aggregate

# Of 100 images of the class: how often row > column.
USUAL = HeatmapCounts(np.array([[0, 98, 90, 98], [2, 0, 60, 50], [10, 40, 0, 30], [2, 50, 70, 0]]), 100)


def test_the_most_reliable_pairs_that_the_image_breaks_come_first() -> None:
    # The image orders the concepts 1 > 3 > 0 > 2: it breaks 0 > 1 and 0 > 3, both kept by 98 %; 0 > 1 by more.
    assert broken_pairs(np.array([0.2, 0.9, 0.1, 0.4]), USUAL) == [BrokenPair(0, 1, 0.98)]


def test_each_concept_is_named_once_on_each_side() -> None:
    # Order 2 > 1 > 3 > 0 breaks 0 > 1, 0 > 3, 0 > 2 (one of them is enough), 3 > 2 and 1 > 2.
    pairs = broken_pairs(np.array([0.1, 0.6, 0.9, 0.4]), USUAL)
    assert pairs == [BrokenPair(0, 1, 0.98), BrokenPair(3, 2, 0.7)]
    assert broken_pairs(np.array([0.1, 0.6, 0.9, 0.4]), USUAL, limit=1) == pairs[:1]


def test_a_tie_breaks_a_pair() -> None:
    assert broken_pairs(np.array([0.5, 0.5]), HeatmapCounts(np.array([[0, 9], [1, 0]]), 10)) == [BrokenPair(0, 1, 0.9)]


def test_an_image_that_breaks_nothing_and_a_class_without_images_give_nothing() -> None:
    assert broken_pairs(np.array([0.9, 0.4, 0.1, 0.3]), USUAL) == []
    assert broken_pairs(np.array([0.1, 0.9]), HeatmapCounts(np.zeros((2, 2), dtype=np.int64), 0)) == []


def test_half_of_the_images_is_not_usual() -> None:
    assert broken_pairs(np.array([0.1, 0.9]), HeatmapCounts(np.array([[0, 5], [5, 0]]), 10)) == []


@given(
    seed=st.integers(0, 2**16),
    images=st.integers(0, 60),
    concepts=st.integers(1, 14),
    digits=st.integers(0, 2),
    limit=st.integers(1, 5),
)
def test_pairs_sorted_once_are_those_of_a_sort_for_each_image(
    seed: int, images: int, concepts: int, digits: int, limit: int
) -> None:
    """Few digits: ties in reliability and in gaps."""
    rng = np.random.default_rng(seed)
    usual = aggregate(np.round(rng.normal(size=(images, concepts)) + np.arange(concepts) / 4, digits))
    pairs = UsualPairs(usual)
    examples = np.round(rng.normal(size=(5, concepts)), digits)
    assert len(examples) == 5
    for strengths in examples:
        assert pairs.broken(strengths, limit=limit) == broken_pairs(strengths, usual, limit=limit)
