"""Words without meaning are many, different and always the same; what they show by chance is no finding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conspect.analysis.concepts.meaningless import (
    Behaviour,
    Variation,
    length_in_words,
    meaningless_texts,
    meaningless_words,
    p_values_beyond,
    p_values_of_meaning,
    too_long,
)


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


@pytest.mark.parametrize("words", [3, 4, 8])
def test_longer_texts_have_the_words_asked_for_and_share_none(words: int) -> None:
    texts = meaningless_texts(50, words, 0)
    each = [text.split() for text in texts]
    assert (len(texts), {len(text) for text in each}) == (50, {words})
    assert len({word for text in each for word in text}) == 50 * words
    assert texts == meaningless_texts(50, words, 0)


def test_two_words_at_most_are_the_words_themselves() -> None:
    assert meaningless_texts(30, 2, 4) == meaningless_texts(30, 1, 4) == meaningless_words(30, 4)


def test_phrases_count_by_words_and_without_spaces_by_letters() -> None:
    assert length_in_words(["wheels", "a hairy body"]) == 2.0
    assert length_in_words(["x" * 240]) == 10.0
    assert not too_long(["eyes with a striking color"])
    assert too_long(["x" * 240])
    assert too_long(["na " * 40])


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_behaviour_is_that_of_the_strengths_of_the_images() -> None:
    rng = np.random.default_rng(0)
    images, labels = unit(rng.normal(size=(90, 6)) + 1), rng.integers(0, 3, 90)
    directions, variants = unit(rng.normal(size=(4, 6))), [unit(rng.normal(size=(n, 6))) for n in (1, 2, 3, 4)]
    behaviour = Behaviour.of(directions, variants, images, labels)
    strengths = images @ directions.T
    np.testing.assert_allclose(behaviour.within, Variation.of(strengths, labels).within)
    expected = [
        np.mean([stats.pearsonr(images @ variant, strengths[:, k]).statistic for variant in variants[k]])
        for k in range(4)
    ]
    np.testing.assert_allclose(behaviour.stability, expected)


def drawn(rng: np.random.Generator, count: int, more: float = 0.0) -> Behaviour:
    """Texts near one place in 40 dimensions; `more`: by so many deviations they vary more and are steadier."""
    within, stability = np.exp(rng.normal(more, 1, count)), np.tanh(rng.normal(more, 1, count))
    return Behaviour(within, stability, unit(np.ones(40) + rng.normal(size=(count, 40))))


def test_texts_without_meaning_have_even_p_values_and_texts_that_vary_steadily_small_ones() -> None:
    rng = np.random.default_rng(3)
    null = drawn(rng, 400)
    p_values = p_values_of_meaning(drawn(rng, 4000), null)
    assert 0.03 < (p_values < 0.05).mean() < 0.07
    assert 0.45 < p_values.mean() < 0.55
    assert np.median(p_values_of_meaning(drawn(rng, 100, 4.0), null)) < 1e-3


def test_a_text_elsewhere_than_those_without_meaning_is_told_from_them() -> None:
    rng = np.random.default_rng(4)
    null, usual = drawn(rng, 300), drawn(rng, 1)
    elsewhere = Behaviour(usual.within, usual.stability, -usual.directions)
    assert p_values_of_meaning(elsewhere, null)[0] < 1e-6 < p_values_of_meaning(usual, null)[0]


def test_where_texts_without_meaning_are_all_the_same_another_is_no_such_text_and_the_same_is_one() -> None:
    same = Behaviour(np.full(20, 0.1), np.ones(20), np.tile(np.eye(3)[:1], (20, 1)))
    other = Behaviour(np.array([0.1, 0.3]), np.ones(2), np.eye(3)[[0, 0]])
    assert p_values_of_meaning(other, same).tolist() == [0.5, 0.0]
