"""In which images of a class two concepts changed places between two studies of the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Images whose pairs of concepts are held at once: 48 concepts make 1,128 pairs, a megabyte for each thousand images.
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Orders:
    """`ranks [image, concept]` of a study's images and shown concepts: one concept is the stronger where its rank is higher."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    concepts: tuple[str, ...]
    ranks: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PairExchanges:
    """Of the pairs of concepts of one class, arrays `[pair]`: images where the first is the stronger `before` and `after`, and
    those where it is so only after (`gained`) and only before (`lost`).
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairedOrders:
    """Two tables of the same images in one order: rows by class, `before` and `after [image, concept]` of the same concepts."""

    rows_of: dict[str, NDArray[np.int64]]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    @classmethod
    def of(cls, before: Orders | None, after: Orders | None, concepts: Sequence[str]) -> PairedOrders | None:
        """None where a table or one of the concepts is missing, or ids and classes are not the same in both."""
        if before is None or after is None or not set(concepts) <= set(before.concepts) & set(after.concepts):
            return None
        row_of = {name: row for row, name in enumerate(before.ids)}
        if len(row_of) != len(after.ids) or len(row_of) != len(before.ids) or set(after.ids) != row_of.keys():
            return None
        rows = np.asarray([row_of[name] for name in after.ids], dtype=np.int64)
        if any(before.labels[row] != label for row, label in zip(rows, after.labels, strict=True)):
            return None
        rows_of: dict[str, list[int]] = {}
        for row, label in enumerate(after.labels):
            rows_of.setdefault(label, []).append(row)
        old, new = ([orders.concepts.index(name) for name in concepts] for orders in (before, after))
        return cls(
            {label: np.asarray(own, dtype=np.int64) for label, own in rows_of.items()},
            before.ranks[rows][:, old],
            after.ranks[:, new],
        )

    def exchanged(self, label: str) -> PairExchanges:
        """Every pair of concepts, the first one before the second, over the images of a class."""
        rows = self.rows_of.get(label, np.zeros(0, dtype=np.int64))
        first, second = np.triu_indices(self.after.shape[1], 1)
        sums = np.zeros((4, len(first)), dtype=np.int64)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            then = self.before[part][:, first] > self.before[part][:, second]
            now = self.after[part][:, first] > self.after[part][:, second]
            sums += [then.sum(0), now.sum(0), (now & ~then).sum(0), (then & ~now).sum(0)]
        return PairExchanges(*sums)
