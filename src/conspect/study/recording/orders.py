"""The order in which each image's embedding puts the concepts: two studies of the same images meet in it cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.exports.arrow import Columns, ColumnType, write_stream
from conspect.adapters.store.embeddings import Shards
from conspect.core.protocols import Engine, Progress, unseen
from conspect.core.spaces import Lens
from conspect.results.heatmaps import order_column
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.streaming import blocks, parts

ORDERS_FILE = "orders.arrows"


def write_orders(
    path: Path,
    measured: Measurements,
    shown: NDArray[np.int64],
    classes: tuple[str, ...],
    *,
    engine: Engine,
    progress: Progress = unseen,
) -> None:
    """Writes one row for each readable test image: id, class, and the rank of each of the concepts `shown`, 0 the weakest.

    The same blocks are read, and the same numerators compared, as when the heatmaps were counted; concepts of equal strength
    have the same rank. So the table gives back every count of the ground-truth heatmaps. The work is the engine's. Raises
    OutsideError STORE001.
    """
    names, test = [measured.lens.concept_names[k] for k in shown], measured.test

    def batches() -> Iterator[Columns]:
        wanted = [block for part in parts(len(test)) for block in blocks(part.stop, part.start)]
        tasks = (test.rows[block.start : block.stop] for block in wanted)
        ordered = engine.map(partial(_order, test.pairs.z, measured.lens, shown), tasks, progress)
        for block, order in zip(wanted, ordered, strict=True):
            labels = [classes[int(k)] for k in measured.labels[block.start : block.stop]]
            columns: Columns = {"id": measured.ids[block.start : block.stop], "label": labels}
            yield columns | {order_column(name): order[:, k] for k, name in enumerate(names)}

    types: dict[str, ColumnType] = {"id": "text", "label": "text"}
    write_stream(path, types | {order_column(name): "rank" for name in names}, batches())


def _order(
    shards: Shards, lens: Lens, shown: NDArray[np.int64], rows: NDArray[np.int64], progress: Progress
) -> NDArray[np.uint8]:
    """Ranks `[image, concept shown]` of the images at `rows`."""
    order = ranks(lens.folded(shards.rows(rows))[:, shown])
    progress(len(rows))
    return order


def ranks(strengths: NDArray[np.floating]) -> NDArray[np.uint8]:
    """`[image, concept]` of at most 256 concepts: how many different strengths of the image lie below that of the concept."""
    order = np.argsort(strengths, axis=1, kind="stable")
    ascending = np.take_along_axis(strengths, order, axis=1)
    steps = np.zeros(strengths.shape, dtype=np.uint8)
    np.cumsum(ascending[:, 1:] > ascending[:, :-1], axis=1, dtype=np.uint8, out=steps[:, 1:])
    ranked = np.empty_like(steps)
    np.put_along_axis(ranked, order, steps, axis=1)
    return ranked
