"""The best assignment against all assignments."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conspect.statistics.assignment import best_assignment


@given(arrays(np.int64, (5, 5), elements=st.integers(0, 9)))
def test_no_assignment_has_a_larger_total_and_the_diagonal_breaks_ties(counts: np.ndarray) -> None:
    assigned = best_assignment(counts)
    rows = np.arange(5)
    every = [np.asarray(order) for order in itertools.permutations(range(5))]
    most = max(int(counts[rows, order].sum()) for order in every)
    assert counts[rows, assigned].sum() == most
    fixed = max(int((order == rows).sum()) for order in every if counts[rows, order].sum() == most)
    assert (assigned == rows).sum() == fixed
