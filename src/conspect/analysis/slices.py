"""How a model does on the parts of a data set that share a value of a metadata column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64, Floats
from conspect.statistics.testing import fisher_two_sided, holm


@dataclass(frozen=True, slots=True)
class Slice:
    """The images whose `column` has `value`, and how the rest of the images with a value in that column do.

    `failures`: misclassified images by verdict. `satisfied`: mean share of the expected strength predicates that an image
    satisfies (None: nothing is expected of these images). `p_value`: that slice and rest have the same accuracy, exact,
    Holm-adjusted over all slices of all columns.
    """

    column: str
    value: str
    images: int
    correct: int
    rest_images: int
    rest_correct: int
    failures: dict[str, int]
    satisfied: float | None
    p_value: float


def by_slice(
    columns: Mapping[str, Sequence[str | None]],
    right: NDArray[np.bool_],
    verdicts: Sequence[str | None],
    satisfied: Float64,
) -> list[Slice]:
    """Every value of every column, lowest accuracy first.

    All per image: the columns' values (None: not known, in no slice), `right`, `verdicts` of the misclassified images,
    `satisfied` as `satisfied_shares` gives it.
    """
    named: dict[str, list[int]] = {}
    for row, verdict in enumerate(verdicts):
        if verdict is not None:
            named.setdefault(verdict, []).append(row)
    blamed = {name: np.asarray(rows, dtype=np.int64) for name, rows in sorted(named.items())}
    # The place of each image's value, -1 for none: a mask for each value of each column would be a byte an image each.
    places: dict[str, NDArray[np.int32]] = {}
    groups: list[tuple[str, str, int]] = []
    counts: list[tuple[int, int, int, int]] = []
    for column, values in columns.items():
        known: dict[str | None, int] = {
            value: k for k, value in enumerate(sorted({v for v in values if v is not None}))
        }
        codes = np.fromiter((known.get(value, -1) for value in values), dtype=np.int32, count=len(values))
        images, correct = (np.bincount(own[own >= 0], minlength=len(known)) for own in (codes, codes[right]))
        places[column] = codes
        groups += [(column, str(value), k) for value, k in known.items()]
        rest = images.sum() - images, correct.sum() - correct
        counts += zip(images.tolist(), correct.tolist(), rest[0].tolist(), rest[1].tolist(), strict=True)
    table = np.asarray(counts, dtype=np.int64).reshape(-1, 4)
    adjusted = holm(fisher_two_sided(table[:, 1], table[:, 0], table[:, 3], table[:, 2]))
    slices = [
        Slice(
            column=column,
            value=value,
            images=images,
            correct=correct,
            rest_images=rest,
            rest_correct=rest_correct,
            failures={name: int((places[column][of_verdict] == k).sum()) for name, of_verdict in blamed.items()},
            satisfied=_mean(satisfied[places[column] == k]),
            p_value=float(p_value),
        )
        for (column, value, k), (images, correct, rest, rest_correct), p_value in zip(
            groups, counts, adjusted, strict=True
        )
    ]
    return sorted(slices, key=lambda group: (group.correct / group.images, -group.images, group.column, group.value))


def satisfied_shares(strengths: Floats, labels: NDArray[np.int64], table: ClassAttributes | None) -> Float64:
    """Per image, the share 0..1 of its class's relevant-over-irrelevant predicates that it satisfies; NaN without any.

    `strengths [image, concept]` (any positive multiple per image will do), `labels [image]` index the table's classes.
    """
    shares = np.full(len(labels), np.nan)
    if table is None:
        return shares
    for index in range(len(table.class_names)):
        rows = np.flatnonzero(labels == index)
        relevant, irrelevant = (strengths[rows][:, kind[index]] for kind in (table.relevant, table.irrelevant))
        if relevant.shape[1] and irrelevant.shape[1]:
            shares[rows] = (relevant[:, :, None] > irrelevant[:, None, :]).mean(axis=(1, 2))
    return shares


def _mean(values: Float64) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
