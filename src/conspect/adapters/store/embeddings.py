"""The embedding store: content-addressed shards on disk or at a URL, resumable after a kill at any moment.

    STORE/<key>/about.json           what the key stands for
    STORE/<key>/<start>-<stop>.safetensors   rows start..stop-1: "embeddings" and "readable"

The key is a digest of encoder, data set and batch size. A shard is written so that what exists is whole, by this process
or by a worker (`places`). Batches never cross shards and always have the same rows in them, unreadable ones as zeros,
so that an interrupted run gives the same bits as an uninterrupted one.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from conspect.adapters.datasets.image_files import as_rgb
from conspect.adapters.store.places import LocalPlace, Place, Store
from conspect.core.diagnostics import outside_error
from conspect.core.digests import digest_arrays, digest_json
from conspect.core.protocols import ImageDataset, ImageEncoder, Progress, UnreadableImage, unseen

BATCH = 64
BATCHES_PER_SHARD = 16
# Batches decoded ahead of the model: enough to hide decoding, few enough that memory stays bounded by the batch.
BATCHES_AHEAD = 3
FORMAT = 1
# What the reason of an image says whose embedding is NaN or infinite: it could be read, the model has no answer to it.
NOT_FINITE = "is not finite"
# What reading a shard that is not one raises.
DAMAGE = (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings `[image, D]` float32 of one data set in one space; rows of unreadable images are zero.

    `space` is the encoder's digest and `data` the data set's: arrays of different spaces or data refuse to be mixed.
    `shards`: the same as they lie in the store.
    """

    values: NDArray[np.float32]
    readable: NDArray[np.bool_]
    unreadable: dict[str, str]
    space: str
    data: str
    shards: Shards


Part = tuple[NDArray[np.float32], NDArray[np.bool_], dict[int, str]]


@dataclass(frozen=True, eq=False)
class Shards(Sequence[Part]):
    """The shards of one data set in one space, each read when it is taken; can be sent to workers.

    A part: embeddings `[image, D]` float32, which are readable `[image]`, and reasons by row for those that are not.
    Raises OutsideError STORE002 for a shard that is not what its name says, STORE001 when its place cannot be reached.
    """

    place: Place
    ranges: tuple[range, ...]
    size: int
    space: str
    data: str

    def __len__(self) -> int:
        return len(self.ranges)

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> list[Part]: ...
    def __getitem__(self, index: int | slice) -> Part | list[Part]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        return _read(self.place, self.ranges[index], self.size)

    def path_of(self, index: int) -> Path | None:
        """The file of one shard, None where it lies elsewhere than on this machine."""
        return self.place.folder / _name(self.ranges[index]) if isinstance(self.place, LocalPlace) else None

    def readable(self) -> NDArray[np.bool_]:
        """Which images `[image]` could be read; no embedding is read for this."""
        flags = [_read_flags(self.place, rows)[0] for rows in self.ranges]
        return np.concatenate(flags) if flags else np.zeros(0, dtype=bool)

    def unreadable(self) -> dict[int, str]:
        """By row, why an image could not be read."""
        return {row: reason for rows in self.ranges for row, reason in _read_flags(self.place, rows)[1].items()}

    def rows(self, wanted: NDArray[np.integer]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` of the chosen rows, in that order; shards are read one at a time."""
        values = np.zeros((len(wanted), self.size), dtype=np.float32)
        starts = np.asarray([rows.start for rows in self.ranges], dtype=np.int64)
        owners = np.searchsorted(starts, wanted, side="right") - 1
        order = np.argsort(owners, kind="stable")
        for own in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1) if len(order) else []:
            shard = int(owners[own[0]])
            values[own] = self[shard][0][np.asarray(wanted)[own] - starts[shard]]
        return values


def embed(
    encoder: ImageEncoder,
    dataset: ImageDataset,
    store: Path | Store,
    *,
    workers: int = 2,
    progress: Progress = unseen,
) -> Embeddings:
    """Embeddings of all images, from the store where they are already there, else computed by its engine and stored.

    `progress(rows)` is called as rows become available. Unreadable images are listed in `unreadable` (id to reason) and
    marked in `readable`; they never stop the run. Raises OutsideError STORE001 when the store cannot be written, STORE002
    when a stored shard is not what its name says.
    """
    shards = embedded_shards(encoder, dataset, store, workers=workers, progress=progress)
    parts = list(shards)
    reasons = {dataset.ids[row]: reason for _, _, unread in parts for row, reason in unread.items()}
    values = np.concatenate([part[0] for part in parts]) if parts else np.zeros((0, encoder.embedding_size), np.float32)
    readable = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0, bool)
    return Embeddings(values, readable, reasons, encoder.digest, dataset.digest, shards)


def embedded_shards(
    encoder: ImageEncoder,
    dataset: ImageDataset,
    store: Path | Store,
    *,
    workers: int = 2,
    progress: Progress = unseen,
) -> Shards:
    """As `embed`, with the embeddings left in the store: memory does not grow with the number of images."""
    where = Store.at(store)
    place = place_of_embeddings(encoder, dataset, where)
    about = {"format": FORMAT, "encoder": encoder.digest, "dataset": dataset.digest, "images": len(dataset)}
    place.write("about.json", json.dumps(about, indent=1).encode())
    ranges = shard_ranges(len(dataset))
    there = [place.has(_name(rows)) for rows in ranges]
    progress(sum(len(rows) for rows, stored in zip(ranges, there, strict=True) if stored))
    missing = [rows for rows, stored in zip(ranges, there, strict=True) if not stored]
    for _ in where.engine.map(partial(_compute, _Order(encoder, dataset, place, workers)), missing, progress):
        pass
    return Shards(place, ranges, encoder.embedding_size, encoder.digest, dataset.digest)


def place_of_embeddings(encoder: ImageEncoder, dataset: ImageDataset, store: Store) -> Place:
    """Where the shards of one data set in one space lie."""
    key = digest_json([FORMAT, encoder.digest, dataset.digest, BATCH, BATCHES_PER_SHARD])
    return store.place.below(key[:32])


def shard_ranges(images: int) -> tuple[range, ...]:
    """The rows of each shard."""
    size = BATCH * BATCHES_PER_SHARD
    return tuple(range(start, min(start + size, images)) for start in range(0, images, size))


def _name(rows: range) -> str:
    return f"{rows.start:09d}-{rows.stop:09d}.safetensors"


@dataclass(frozen=True, eq=False)
class _Order:
    """What a shard is made of, where it goes, and how many threads decode."""

    encoder: ImageEncoder
    dataset: ImageDataset
    place: Place
    workers: int


def _compute(order: _Order, rows: range, progress: Progress) -> None:
    """Computes one shard and writes it."""
    encoder, dataset = order.encoder, order.dataset
    values = np.zeros((len(rows), encoder.embedding_size), dtype=np.float32)
    reasons: dict[int, str] = {}
    with closing(_prepared_batches(encoder, dataset, rows, order.workers)) as batches:
        for batch_rows, batch, unread in batches:
            values[batch_rows.start - rows.start : batch_rows.stop - rows.start] = encoder.embed(batch)
            reasons.update(unread)
            progress(len(batch_rows))
    for offset in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        reasons.setdefault(rows[offset], f"its embedding in {encoder.name} {NOT_FINITE} (NaN or infinity)")
    write_shard(order.place, rows, values, reasons)


def write_shard(place: Place, rows: range, values: NDArray[np.float32], reasons: Mapping[int, str]) -> None:
    """Writes the embeddings `[image, D]` of `rows`; those with a reason are unreadable."""
    readable = np.asarray([row not in reasons for row in rows], dtype=bool)
    kept = np.where(readable[:, None], values, np.float32(0))
    metadata = {"unreadable": json.dumps({str(row): reason for row, reason in reasons.items()})}
    # As an array: safetensors writes several texts of metadata in any order, and the same shard must have the same bytes.
    arrays = {"embeddings": kept, "readable": readable.astype(np.uint8), "sha256": _digest(kept)}
    place.write(_name(rows), save(arrays, metadata))


def _prepared_batches(
    encoder: ImageEncoder, dataset: ImageDataset, rows: range, workers: int
) -> Generator[tuple[range, NDArray[np.float32], dict[int, str]]]:
    """Batches in order, decoded and preprocessed by threads a few batches ahead of the model. Closed early, it stops them."""

    def prepare(row: int) -> NDArray[np.float32] | str:
        try:
            return encoder.prepare(as_rgb(dataset.image(row), dataset.ids[row]))
        except UnreadableImage as error:
            return error.diagnostics[0].problem

    def collect(
        pending: list[Future[NDArray[np.float32] | str]], batch_rows: range
    ) -> tuple[NDArray[np.float32], dict[int, str]]:
        results = [future.result() for future in pending]
        unread = {row: item for row, item in zip(batch_rows, results, strict=True) if isinstance(item, str)}
        good = [item for item in results if not isinstance(item, str)]
        filler = (
            np.zeros_like(good[0])
            if good
            else np.zeros(encoder.prepare(np.zeros((8, 8, 3), np.uint8)).shape, np.float32)
        )
        return np.stack([filler if isinstance(item, str) else item for item in results]), unread

    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    pool = ThreadPoolExecutor(workers)
    queue: list[tuple[range, list[Future[NDArray[np.float32] | str]]]] = []
    try:
        for batch_rows in batches:
            queue.append((batch_rows, [pool.submit(prepare, row) for row in batch_rows]))
            if len(queue) > BATCHES_AHEAD:
                first, pending = queue.pop(0)
                yield first, *collect(pending, first)
        for first, pending in queue:
            yield first, *collect(pending, first)
    finally:  # an interrupted run does not decode what is still waiting
        pool.shutdown(cancel_futures=True)


def _read_flags(place: Place, rows: range) -> tuple[NDArray[np.bool_], dict[int, str]]:
    """Which rows of a shard are readable, and by row why not. Raises OutsideError STORE002."""
    name = _name(rows)
    try:
        with place.opened(name) as path, safe_open(path, framework="numpy") as stored:
            return _flags(stored, rows)
    except DAMAGE as error:
        raise _damaged(place, name, error) from error


def _flags(stored: safe_open, rows: range) -> tuple[NDArray[np.bool_], dict[int, str]]:
    readable: NDArray[np.bool_] = stored.get_tensor("readable").astype(bool)  # type: ignore[no-untyped-call]
    unreadable = json.loads(stored.metadata()["unreadable"])  # type: ignore[no-untyped-call]
    reasons = {int(row): str(why) for row, why in unreadable.items()}
    if readable.shape != (len(rows),):
        raise ValueError(f"{readable.shape} marks of which rows are readable")
    if sorted(reasons) != [rows[offset] for offset in np.flatnonzero(~readable)]:
        raise ValueError("other rows have a reason than are marked unreadable")
    return readable, reasons


def _read(place: Place, rows: range, size: int) -> Part:
    name = _name(rows)
    try:
        with place.opened(name) as path, safe_open(path, framework="numpy") as stored:
            values, (readable, reasons) = stored.get_tensor("embeddings"), _flags(stored, rows)
            # Shards of earlier versions have no digest.
            declared = stored.get_tensor("sha256") if "sha256" in stored.keys() else None  # noqa: SIM118 (no mapping)
        if values.shape != (len(rows), size) or values.dtype != np.float32:
            raise ValueError(f"shape {values.shape}, expected {(len(rows), size)}")
        if not np.isfinite(values).all():
            raise ValueError("values that are not finite")
        if declared is not None and declared.tobytes() != _digest(values).tobytes():
            raise ValueError("its values are not those that were written")
    except DAMAGE as error:
        raise _damaged(place, name, error) from error
    return values, readable, reasons


def _digest(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(digest_arrays({"": values})), dtype=np.uint8)


def _damaged(place: Place, name: str, error: Exception) -> Exception:
    fix = f"delete {name} and run again; it is computed anew"
    return outside_error("STORE002", f"{place}/{name} is damaged: {error}", fix)
