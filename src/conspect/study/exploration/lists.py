"""Lists and counts of the images that pass a filter: rows of a gallery, a confusion matrix, a heatmap."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.heatmaps import by_group
from conspect.core.percentages import rounded_share
from conspect.core.spaces import Float64
from conspect.monitor.runtime import VERDICTS
from conspect.results.exploration import Confusion, HeatmapView, ImageList, ImageRow, Order
from conspect.study.exploration.filters import Annotations, Selection
from conspect.study.exploration.index import KEPT_NUMBERS, StudyIndex
from conspect.study.recording.shares import count_intervals

MOST_ROWS = 1000
# A heatmap compares every pair of concepts on every image: about a second's worth; never fewer images than an interval needs.
MOST_COMPARISONS, LEAST_COUNTED = 2_000_000_000, 1000
# Numbers of embeddings that are read from the store for one heatmap, where the concepts' columns are not kept.
MOST_READ = 16_000_000
# A spreadsheet runs a cell that begins with one of these.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def image_row(index: StudyIndex, annotations: Annotations, row: int, margin: Float64 | None) -> ImageRow:
    """The image in `row` as a list shows it."""
    return ImageRow(
        row=row,
        id=index.ids[row],
        label=index.class_names[index.labels[row]],
        output=index.class_names[index.outputs[row]],
        confidence=rounded_share(index.confidence[row]),
        diagnosis=annotations.diagnoses.get(row),
        margin=None if margin is None else round(float(margin[row]), 5),
        tags=annotations.tags.get(index.ids[row], ()),
        monitor=None if annotations.verdicts is None else VERDICTS[annotations.verdicts[row]],
    )


def ordered(index: StudyIndex, selection: Selection, order: Order) -> NDArray[np.int64]:
    """The selected rows in `order`; equal ones stay in the order of the images."""
    rows = selection.rows
    match order:
        case Order.STRONGEST | Order.WEAKEST if selection.margin is not None:
            keys = selection.margin[rows]
            return rows[np.argsort(-keys if order is Order.STRONGEST else keys, kind="stable")]
        case Order.CONFIDENT:
            return _passing(index.by_confidence, rows)
        case Order.DOUBTFUL:
            return _passing(index.by_doubt, rows)
        case _:
            return rows


def _passing(order: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of all images in their `order` that are among `rows`: nothing is sorted anew."""
    passing = np.zeros(len(order), dtype=bool)
    passing[rows] = True
    return order[passing[order]]


def image_list(
    index: StudyIndex, annotations: Annotations, selection: Selection, *, order: Order, offset: int, limit: int
) -> ImageList:
    """Rows `offset` to `offset + limit` of the selected images in `order`."""
    rows = ordered(index, selection, order)
    margin, pair = selection.margin, selection.reading is not None and selection.reading.second is not None
    return ImageList(
        total=len(rows),
        offset=offset,
        images=tuple(
            image_row(index, annotations, int(row), margin) for row in rows[offset : offset + min(limit, MOST_ROWS)]
        ),
        satisfying=int((margin[rows] > 0).sum()) if margin is not None and pair else None,
    )


def confusion(index: StudyIndex, selection: Selection) -> Confusion:
    """Counts `[true class][output]` of the selected images."""
    size = len(index.class_names)
    flat = index.labels[selection.rows] * size + index.outputs[selection.rows]
    counts = np.bincount(flat, minlength=size * size).reshape(size, size)
    return Confusion(index.class_names, tuple(tuple(int(n) for n in row) for row in counts))


def heatmap(
    index: StudyIndex,
    selection: Selection,
    names: tuple[str, ...],
    directions: Float64,
    unseen: tuple[str, ...],
    *,
    confidence: float,
) -> HeatmapView:
    """Counts of "row's concept is stronger" over the selected images, with intervals at `confidence`; exact, or of a sample where
    that takes too long.
    """
    rows, of = selection.rows, None
    kept = len(names) * len(index) <= KEPT_NUMBERS
    most = MOST_COMPARISONS // max(1, len(names) ** 2)
    most = max(LEAST_COUNTED, most if kept else min(most, MOST_READ // max(1, index.model_space.size)))
    if len(rows) > most:
        of, rows = len(rows), np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    strengths = index.numerators(directions, rows) if kept and of is None else index.readings(rows, directions)
    counts = by_group(strengths, np.zeros(len(strengths), dtype=np.int64), 1)[0]
    greater = tuple(tuple(row) for row in counts.greater.tolist())
    return HeatmapView(names, greater, len(strengths), count_intervals(counts, confidence), unseen, of)


def as_csv(rows: Iterable[ImageRow]) -> str:
    """A table for a spreadsheet, which must not take a hostile name for a formula."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["id", "label", "output", "confidence", "diagnosis", "margin", "tags", "monitor"])
    for row in rows:
        margin = "" if row.margin is None else row.margin
        texts = [row.id, row.label, row.output, row.confidence, row.diagnosis or "", margin]
        texts += [" ".join(row.tags), row.monitor or ""]
        writer.writerow([_plain(cell) if isinstance(cell, str) else cell for cell in texts])
    return table.getvalue()


def _plain(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA_STARTS) else cell
