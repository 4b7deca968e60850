"""Exact products of integer matrices by float64 matrix products of their digits."""

from hypothesis import given
from hypothesis import strategies as st

from conspect.verification.engine.integers import dot, products


@given(st.data())
def test_products_are_those_of_pythons_integers(data):
    width = data.draw(st.integers(1, 5))
    bits = data.draw(st.sampled_from([3, 16, 17, 60, 300, 3000]))
    rows = st.lists(
        st.lists(st.integers(-(1 << bits), 1 << bits), min_size=width, max_size=width), min_size=1, max_size=4
    )
    left, right = data.draw(rows), data.draw(rows)
    assert products(left, right) == [[dot(a, b) for b in right] for a in left]


def test_the_largest_digits_add_up_without_rounding():
    row = [(1 << 160) - 1] * 2048
    assert products([row, [-v for v in row]], [row]) == [[2048 * row[0] ** 2], [-2048 * row[0] ** 2]]


def test_no_rows_have_no_products():
    assert products([], [[1]]) == []
    assert products([[1]], []) == [[]]
