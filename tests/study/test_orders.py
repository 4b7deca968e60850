"""The table of orders beside the results: it gives back every count of the ground-truth heatmaps."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conspect.adapters.exports.arrow import Columns, read_ranks, write_stream
from conspect.comparison.compare import compare
from conspect.comparison.orders import PairedOrders
from conspect.core.diagnostics import OutsideError
from conspect.study import Study
from conspect.study.finished import finished_study
from conspect.study.recording.orders import ranks


@given(
    arrays(
        np.float64, st.tuples(st.integers(0, 5), st.integers(2, 7)), elements=st.sampled_from([-1.0, 0.0, 0.25, 7.5])
    )
)
def test_ranks_order_concepts_as_strengths_do_equal_ones_alike(strengths: np.ndarray) -> None:
    places = ranks(strengths)
    assert np.array_equal(places[:, :, None] > places[:, None, :], strengths[:, :, None] > strengths[:, None, :])


def test_the_table_of_a_run_gives_the_counts_of_its_heatmaps(finished: Study) -> None:
    whole = finished_study(finished.folder)
    assert whole.orders is not None
    assert len(whole.orders.ids) == whole.results.dataset.readable
    maps = whole.results.heatmaps
    pairs = PairedOrders.of(whole.orders, whole.orders, maps.concepts)
    assert pairs is not None
    first, second = np.triu_indices(len(maps.concepts), 1)
    for name, matrix in zip(whole.results.classes, maps.ground_truth, strict=True):
        assert np.array_equal(pairs.exchanged(name).after, np.asarray(matrix.greater)[first, second])


def test_a_finished_study_against_itself_is_paired_in_every_cell(finished: Study) -> None:
    whole = finished_study(finished.folder)
    orders = whole.orders, whole.orders
    comparison = compare(whole.results, whole.results, names=("a", "b"), failures=(whole.failures,) * 2, orders=orders)
    assert comparison.heatmaps is not None
    assert comparison.heatmaps.paired == comparison.heatmaps.tested
    assert comparison.not_compared == ()


def test_ranks_are_written_and_read_a_batch_at_a_time(tmp_path) -> None:
    path, first, second = tmp_path / "x.arrows", np.array([3, 0, 255], np.uint8), np.array([1], np.uint8)
    batches: Iterator[Columns] = iter([{"id": ["a", "b", "c"], "k": first}, {"id": ["d"], "k": second}])
    write_stream(path, {"id": "text", "k": "rank"}, batches)
    assert read_ranks(path, ["k"]).tolist() == [[3], [0], [255], [1]]


@pytest.mark.parametrize("wanted", ["id", "missing"])
def test_a_column_that_holds_no_ranks_is_refused(tmp_path, wanted: str) -> None:
    path = tmp_path / "x.arrows"
    write_stream(path, {"id": "text"}, iter([{"id": ["a"]}]))
    with pytest.raises(OutsideError, match="STORE002"):
        read_ranks(path, [wanted])


def test_a_broken_table_of_orders_is_refused(tmp_path) -> None:
    path = tmp_path / "x.arrows"
    write_stream(path, {"k": "rank"}, iter([{"k": np.arange(200, dtype=np.uint8)}]))
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(OutsideError, match="STORE002"):
            read_ranks(path, ["k"])
