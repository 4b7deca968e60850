import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import special
from scipy.spatial import distance

from conspect.core.vectors import confidences, cosines, log_softmax, softmax, unit

ROWS = arrays(np.float64, array_shapes(min_dims=2, max_dims=3, max_side=5), elements=st.floats(-800, 800))


def test_unit_vectors_keep_their_direction_and_have_length_one() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, -2.0]])), [[0.6, 0.8], [0.0, -1.0]])


def test_a_vector_that_vanishes_stays_zero() -> None:
    assert unit(np.zeros((2, 3))).tolist() == np.zeros((2, 3)).tolist()


def test_lengths_that_overflow_float32_are_measured() -> None:
    assert unit(np.array([[3e30, 4e30]], dtype=np.float32)).dtype == np.float64
    np.testing.assert_allclose(unit(np.array([[3e30, 4e30]], dtype=np.float32)), [[0.6, 0.8]], rtol=1e-7)
    assert cosines(np.array([3e30, 0], dtype=np.float32), np.array([5.0, 0])) == pytest.approx(1)


def test_cosines_are_scipys_row_by_row_and_zero_where_a_vector_vanishes() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 4))
    expected = [1 - distance.cosine(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(cosines(first, second), expected, rtol=1e-12)
    assert cosines(first, np.zeros(4)).tolist() == [0.0] * 6


@given(ROWS)
def test_softmax_and_its_logarithm_are_scipys(logits: np.ndarray) -> None:
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=-1), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(log_softmax(logits), special.log_softmax(logits, axis=-1), rtol=1e-12, atol=1e-12)


def test_one_vector_of_logits_needs_no_batch() -> None:
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75])


def test_confidences_add_up_to_one_and_say_neither_all_nor_nothing() -> None:
    logits = np.array([[0.0, np.log(3.0)], [1000.0, 0.0], [-1e100, 1e100]])
    shares = confidences(logits)
    assert shares[0] == pytest.approx([0.25, 0.75])
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-7)
    assert ((shares.astype(np.float32) > 0) & (shares.astype(np.float32) < 1)).all()
    assert confidences(np.array([3.0])).tolist() == [1.0]
    assert confidences(np.array([1.0, 1.0])).tolist() == [0.5, 0.5]
