import numpy as np
import pytest

from conspect.analysis.heatmaps import by_group
from conspect.analysis.lens_quality import pair_agreement, zero_shot
from conspect.analysis.tallies import agreements_by_group
from conspect.analysis.validation import ExpectedPair, agreement, expected_pairs
from conspect.core.concepts import ClassAttributes

# Class a: concept 0 is relevant, 2 irrelevant (1 is neither). Class b: 1 and 2 relevant, 0 irrelevant. Class c: nothing.
TABLE = ClassAttributes(
    ("a", "b", "c"), ("k", "l", "m"), np.array([[0.5, 0.3, 0.0], [0.09, 0.9, 0.6], [0.1, 0.4, 0.2]])
)


def test_zero_shot_picks_the_largest_cosine() -> None:
    directions = np.array([[1.0, 0.0], [0.6, 0.8]])
    assert zero_shot(np.array([[5.0, 0.1], [0.1, 0.2], [-1.0, 0.0]]), directions).tolist() == [0, 1, 1]


def test_pair_agreement_by_hand() -> None:
    strengths = np.array(
        [
            [0.3, 0.9, 0.1],  # a: 0 > 2 right: 1 of 1
            [0.1, 0.9, 0.1],  # a: a tie is not right: 0 of 1
            [0.2, 0.3, 0.1],  # b: 1 > 0 right, 2 > 0 wrong: 1 of 2
            [0.5, 0.1, 0.2],  # c has no pairs and does not count
        ]
    )
    agreed = pair_agreement(by_group(strengths, np.array([0, 0, 1, 2]), 3), TABLE)
    np.testing.assert_allclose(agreed.by_class, [0.5, 0.5, np.nan])
    assert agreed.mean == pytest.approx((1 + 0 + 0.5) / 3)
    assert agreed.images == 3
    scaled = pair_agreement(by_group(strengths * [[2], [3], [0.1], [9]], np.array([0, 0, 1, 2]), 3), TABLE)
    np.testing.assert_array_equal(scaled.by_class, agreed.by_class)


def test_pair_agreement_without_a_pair_is_nan() -> None:
    agreed = pair_agreement(by_group(np.ones((2, 3)), np.array([2, 2]), 3), TABLE)
    assert np.isnan(agreed.mean)
    assert agreed.images == 0


VLM = np.array([[0.3, 0.2, 0.1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.3, 0.3, 0.1]])
LENS = np.array([[0.3, 0.1, 0.2], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.3, 0.2, 0.1]])


def test_validation_counts_on_how_many_predicates_both_ways_agree() -> None:
    labels = np.array([0, 0, 1, 2])
    shares = agreement(agreements_by_group(LENS, VLM, labels, 4), np.bincount(labels, minlength=4))
    # Image 0: 2 of 3 pairs alike; image 1: 3; image 2: 0; image 3: a tie is not the same as "greater", so 2 of 3.
    np.testing.assert_allclose(shares, [5 / 6, 0, 2 / 3, np.nan])


def test_expected_pairs_are_relevant_over_irrelevant_weakest_first() -> None:
    by_lens = by_group(LENS, np.array([0, 0, 1, 1]), 3)
    assert expected_pairs(by_lens, TABLE) == [
        ExpectedPair(1, 1, 0, 0, 2),
        ExpectedPair(1, 2, 0, 0, 2),
        ExpectedPair(0, 0, 2, 1, 2),
    ]
