"""Chains are their parts in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.datasets.views.chained import ChainedImages
from tests.fakes import colour_dataset


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any))
def test_a_chain_is_its_parts_in_order(sizes: list[int]) -> None:
    parts = [colour_dataset(size) for size in sizes]
    chain = ChainedImages("all", parts)
    wanted = [(name, part.image(row)) for part in parts for row, name in enumerate(part.ids)]
    assert chain.ids == tuple(name for name, _ in wanted)
    assert all(np.array_equal(chain.image(row), image) for row, (_, image) in enumerate(wanted))
    assert chain.starts.tolist() == [0, *np.cumsum(sizes)]
    assert len(chain) == len(chain.labels) == sum(sizes)


def test_a_chain_of_nothing_or_of_other_classes_is_refused() -> None:
    data = colour_dataset(2)
    other = type(data)("x", "test", ("another",), data.ids, data.labels, data.pixels)
    for parts in ([], [data, other]):
        with pytest.raises(ValueError, match="classes"):
            ChainedImages("all", parts)
