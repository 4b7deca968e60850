"""Ranks of the right caption, by value."""

from __future__ import annotations

import numpy as np

from conspect.analysis.caption_retrieval import retrieval_ranks


def test_the_right_caption_of_a_picture_at_its_place_is_the_nearest() -> None:
    captions = np.eye(8)
    ranks = retrieval_ranks(3 * captions, captions, np.arange(8))
    assert (ranks.first, ranks.in_five, ranks.median_rank) == (8, 8, 1.0)


def test_ranks_count_the_captions_that_are_nearer() -> None:
    captions = np.array([[1.0, 0], [0.8, 0.6], [0, 1], [-1, 0], [0.6, 0.8], [0.9, 0.1], [-0.1, 1]])
    ranks = retrieval_ranks(np.array([[1.0, 0.0], [1.0, 0.0]]), captions, np.array([1, 3]))
    assert (ranks.first, ranks.in_five, ranks.median_rank) == (0, 1, 5.0)


def test_lengths_do_not_count() -> None:
    rng = np.random.default_rng(0)
    images, captions, right = rng.normal(size=(30, 5)), rng.normal(size=(12, 5)), rng.integers(0, 12, 30)
    ranks = retrieval_ranks(images, captions, right)
    assert (
        retrieval_ranks(images * rng.uniform(0.1, 9, (30, 1)), captions * rng.uniform(0.1, 9, (12, 1)), right) == ranks
    )
    assert 0 < ranks.first < ranks.in_five < 30


def test_ties_count_against_the_vlm() -> None:
    ranks = retrieval_ranks(np.ones((2, 4)), np.ones((6, 4)), np.array([0, 1]))
    assert (ranks.first, ranks.in_five, ranks.median_rank) == (0, 0, 6.0)
    zeros = retrieval_ranks(np.zeros((2, 4)), np.eye(4), np.array([0, 1]))
    assert zeros.first == 0
