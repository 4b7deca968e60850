"""Words without meaning are many, different and always the same; what they show by chance is no finding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conspect.analysis.concepts.meaningless import Variation, meaningless_words, p_values_beyond


@given(st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_words_are_as_many_as_asked_for_different_and_those_of_their_seed(count: int, seed: int) -> None:
    words = meaningless_words(count, seed)
    assert len(set(words)) == count
    assert words == meaningless_words(count, seed)


def test_there_are_single_words_pairs_of_words_and_letters_in_any_order() -> None:
    words = meaningless_words(300, 0)
    assert {len(word.split()) for word in words[1::3]} == {2}
    assert {len(word.split()) for word in (*words[::3], *words[2::3])} == {1}
    assert len(set(words) & set(meaningless_words(300, 1))) < 10


def test_variation_is_that_of_class_means_and_within_classes_each_counting_the_same() -> None:
    strengths = np.array([[0.0], [2.0], [5.0], [5.0], [5.0], [5.0]])
    variation = Variation.of(strengths, np.array([0, 0, 3, 3, 3, 3]))
    assert variation.between.tolist() == [2.0]
    assert np.allclose(variation.within, np.sqrt(0.5))


def test_a_word_has_to_vary_more_than_others_strictly() -> None:
    chance = Variation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    words = Variation(np.array([0.5, 4.0, 4.5]), np.array([1.0, 1.0, 0.0]))
    assert words.share_below(chance).tolist() == [0.0, 0.75, 1.0]


def test_shifts_that_words_without_meaning_share_are_no_finding() -> None:
    rng = np.random.default_rng(0)
    chance, words = rng.normal(-0.4, 0.1, 300), rng.normal(-0.4, 0.1, 2000)
    p_values = p_values_beyond(words, chance)
    assert 0.01 < (p_values < 0.05).mean() < 0.045, "of either direction only the one away from nothing counts"
    null = stats.norm(np.median(chance), stats.median_abs_deviation(chance, scale="normal"))
    assert np.allclose(p_values_beyond(np.array([-0.7, 0.1]), chance), [2 * null.cdf(-0.7), 2 * null.sf(0.1)])
    assert p_values_beyond(np.array([-0.1, -0.4]), chance).tolist() == [1.0, pytest.approx(1.0, abs=0.2)]


def test_where_nothing_without_meaning_shifts_at_all_nothing_is_significant() -> None:
    assert p_values_beyond(np.array([0.0, 0.3]), np.zeros(5)).tolist() == [1.0, 1.0]
