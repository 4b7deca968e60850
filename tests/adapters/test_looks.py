"""Looks change what is shown by a mirror and a move; chains are their parts in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.datasets.views.chained import Chained
from conspect.adapters.datasets.views.looks import LOOKS, Look, Looked
from tests.fakes import colour_dataset


def test_a_look_moves_by_a_sixteenth_of_the_side_repeats_the_edge_and_then_mirrors() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    moved = Look(False, 1, -1)(image)
    assert np.array_equal(moved[2:, :-1], image[:-2, 1:])
    assert np.array_equal(moved[:2, :-1], image[[0, 0], 1:])
    assert np.array_equal(moved[2:, -1], image[:-2, -1])
    assert np.array_equal(Look(True, 1, -1)(image), moved[:, ::-1])
    assert np.array_equal(Look(True, 0, 0)(Look(True, 0, 0)(image)), image)


def test_a_looked_at_data_set_has_the_same_ids_and_another_digest() -> None:
    data = colour_dataset(3)
    digests = {Looked(data, look).digest for look in LOOKS} | {data.digest}
    assert len(digests) == len(LOOKS) + 1
    seen = Looked(data, LOOKS[0])
    assert (seen.ids, seen.class_names, seen.split, len(seen)) == (data.ids, data.class_names, data.split, 3)
    assert np.array_equal(seen.image(1), data.image(1)[:, ::-1])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any))
def test_a_chain_is_its_parts_in_order(sizes: list[int]) -> None:
    parts = [colour_dataset(size) for size in sizes]
    chain = Chained("all", parts)
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
            Chained("all", parts)
