from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from conspect.analysis.dominance import count, count_agreeing, count_agreeing_reference, count_reference, has_numba

KERNELS = ["numpy", *(["numba"] if has_numba() else [])]
# Few distinct values, so that ties are common; NaN and infinities among them.
VALUES = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 1e-300, 1.0, 1.0 + 2**-52, 7.0, np.inf, np.nan])
MATRICES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24), elements=VALUES)


@pytest.mark.parametrize("kernel", KERNELS)
@given(values=MATRICES, threads=st.integers(1, 5))
def test_kernels_equal_the_reference_to_the_bit(
    kernel: Literal["numpy", "numba"], values: np.ndarray, threads: int
) -> None:
    for typed in (values, values.astype(np.float32)):
        counts = count(typed, threads=threads, kernel=kernel)
        assert counts.dtype == np.int64
        assert np.array_equal(counts, count_reference(typed))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [0, 1, 254, 255, 256, 1021])
@pytest.mark.parametrize("ties", [False, True])
def test_kernels_equal_the_reference_across_blocks(kernel: Literal["numpy", "numba"], rows: int, ties: bool) -> None:
    values = np.random.default_rng(rows).normal(size=(rows, 13))
    values = np.round(values, 1) if ties else values
    for threads in (1, 2, 7):
        assert np.array_equal(count(values, threads=threads, kernel=kernel), count_reference(values))


@given(st.lists(st.integers(0, 600), max_size=4), st.integers(0, 3))
def test_any_split_of_the_rows_adds_up_to_the_same_counts(cuts: list[int], seed: int) -> None:
    values = np.round(np.random.default_rng(seed).normal(size=(600, 6)), 2)
    shards = np.split(values, sorted(cuts))
    assert np.array_equal(sum(count(shard) for shard in shards), count(values))


@given(MATRICES)
def test_both_directions_and_the_ties_make_up_all_rows(values: np.ndarray) -> None:
    counts = count(values)
    equal = (values[:, :, None] == values[:, None, :]).sum(0)
    unknown = (np.isnan(values)[:, :, None] | np.isnan(values)[:, None, :]).sum(0)
    assert np.array_equal(counts + counts.T + equal + unknown, np.full(counts.shape, len(values)))


def test_views_and_one_column_are_counted_as_they_are() -> None:
    values = np.random.default_rng(0).normal(size=(50, 40))
    assert np.array_equal(count(values[::3, ::4]), count_reference(values[::3, ::4]))
    assert np.array_equal(count(values[:, :1]), [[0]])


@pytest.mark.parametrize("kernel", KERNELS)
@given(seed=st.integers(0, 2**16), rows=st.integers(0, 500), columns=st.integers(1, 12), digits=st.integers(0, 3))
def test_agreements_equal_the_reference_to_the_bit(
    kernel: Literal["numpy", "numba"], seed: int, rows: int, columns: int, digits: int
) -> None:
    """Few digits: many ties, in one of the arrays or in both."""
    first, second = np.round(np.random.default_rng(seed).normal(size=(2, rows, columns)), digits)
    counts = count_agreeing(first, second, kernel=kernel)
    assert np.array_equal(counts, count_agreeing_reference(first, second))
    assert np.array_equal(np.diag(counts), [rows] * columns)
