"""What every question is answered from: labels, outputs and the lens in memory, embeddings in the store's shards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.pairs import StoredPairs
from conspect.core.spaces import AffineMap, Float64, Head, Lens

# Rows read at once: 64 MB of 512 float32 dimensions.
CHUNK = 32_768
# Numerators of so many directions are kept: 8 bytes an image each, 256 MB for a million images.
KEPT_COLUMNS = 32
# Embeddings that take no more than this stay in memory once they were read.
KEPT_BYTES = 256 * 2**20
# Embeddings `[image, D]` and their squared lengths `[image]`.
MeasuredPoints: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class StudyIndex:
    """The readable test images of a study. Class indices are the model's.

    `labels`, `outputs [image]`; `confidence [image]`: softmax of the output; `pairs`: embeddings in both spaces, in the store.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    outputs: NDArray[np.int64]
    confidence: NDArray[np.float32]
    class_names: tuple[str, ...]
    head: Head
    lens: Lens
    class_directions: Float64
    pairs: StoredPairs
    _columns: OrderedDict[bytes, Float64] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)
    _kept: list[MeasuredPoints] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """`[image]`: the output is not the label."""
        return np.asarray(self.outputs != self.labels)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row by image id."""
        return {name: row for row, name in enumerate(self.ids)}

    def chunks(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Embeddings `[image, D]` and `[image, E]`, a bounded number of rows at a time, in the order of the images."""
        for start in range(0, len(self.pairs), CHUNK):
            yield self.pairs.read(range(start, min(start + CHUNK, len(self.pairs))))

    def points(self) -> Iterator[NDArray[np.float32]]:
        """Embeddings `[image, D]` alone, a bounded number of rows at a time, in the order of the images."""
        for start in range(0, len(self.pairs), CHUNK):
            yield self.pairs.z.rows(self.pairs.rows[start : start + CHUNK])

    def measured_points(self) -> Iterator[MeasuredPoints]:
        """Embeddings `[image, D]` with their squared lengths `[image]`, in order; kept in memory where they are few."""
        if not self._kept:
            parts = ((z, np.square(z).sum(axis=1)) for z in self.points())
            if len(self) * self.lens.alignment.weight.shape[1] * 4 > KEPT_BYTES:
                yield from parts
                return
            whole = list(parts)
            with self._lock:
                self._kept[:] = whole
        yield from self._kept

    @cached_property
    def norms(self) -> Float64:
        """||M z + d|| `[image]`: what turns a numerator into a strength."""
        alignment = self.lens.alignment
        parts = [np.linalg.norm(alignment(z), axis=1) for z, _ in self.measured_points()]
        return np.concatenate(parts) if parts else np.zeros(0)

    def numerators(self, directions: Float64, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> Float64:
        """(M z + d)'q `[image, direction]` of unit text directions `[direction, E]`: strengths times ||M z + d||.

        The same quantity that the study's heatmaps compare; `rows`: of these images alone. One pass over the store for the
        directions that an earlier question did not ask for.
        """
        keys = [np.ascontiguousarray(direction).tobytes() for direction in directions]
        with self._lock:
            columns = {key: self._columns[key] for key in keys if key in self._columns}
        missing = [k for k, key in enumerate(keys) if key not in columns]
        if missing:
            asked = np.asarray(directions)[missing]
            alignment = self.lens.alignment
            folded = AffineMap(asked @ alignment.weight, asked @ alignment.offset)
            parts = [folded(z) for z, _ in self.measured_points()]
            read = np.concatenate(parts) if parts else np.zeros((0, len(missing)))
            columns |= {keys[k]: np.ascontiguousarray(column) for k, column in zip(missing, read.T, strict=True)}
        with self._lock:
            for key in keys:
                self._columns[key] = columns[key]
                self._columns.move_to_end(key)
            while len(self._columns) > max(KEPT_COLUMNS, len(self.lens.concept_names) + KEPT_COLUMNS // 2):
                self._columns.popitem(last=False)
        return np.stack([columns[key] if rows is None else columns[key][rows] for key in keys], axis=1)

    def readings(self, rows: NDArray[np.int64], directions: Float64) -> Float64:
        """As `numerators`, of a few `rows`, read from the store for this once."""
        alignment = self.lens.alignment
        folded = AffineMap(directions @ alignment.weight, directions @ alignment.offset)
        return folded(self.pairs.z.rows(self.pairs.rows[rows]))

    def strengths(self, directions: Float64, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> Float64:
        """cos(M z + d, q) `[image, direction]`, higher = more present; 0 where M z + d vanishes. `rows`: of these alone."""
        norms = (self.norms if rows is None else self.norms[rows])[:, None]
        return np.asarray(self.numerators(directions, rows) / np.where(norms > 0, norms, 1.0))

    def embedding(self, row: int) -> NDArray[np.float32]:
        """`[D]` of one image in the model's space."""
        return np.asarray(self.pairs.read(range(row, row + 1))[0][0])

    def vlm_embedding(self, row: int) -> NDArray[np.float32]:
        """`[E]` of one image, by the VLM itself."""
        return np.asarray(self.pairs.read(range(row, row + 1))[1][0])
