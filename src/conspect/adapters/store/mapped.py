"""Embeddings that are read again and again: shards of this machine are mapped, checked the first time, and scanned by threads.

What a mapped page holds belongs to the system's file cache, which gives it up where memory is short: a process that asks
a million images holds none of them.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import DAMAGE, Shards
from conspect.core.diagnostics import outside_error

# Two threads saturate the memory of a small machine; the products of a shard are a tenth of a millisecond.
THREADS = 2
HEADER = 8


class MappedShards:
    """The rows `rows [image]` (ascending) of the shards of one data set in one space, for scans and for a few rows at a time.

    Shards elsewhere than on this machine are read anew each time. Safe to ask from several threads.
    """

    def __init__(self, shards: Shards, rows: NDArray[np.int64]) -> None:
        self._shards, self._rows = shards, rows
        self._starts = np.asarray([part.start for part in shards.ranges], dtype=np.int64)
        # Place in `rows` of the first image of each shard, and the end.
        self._first = np.searchsorted(rows, [*self._starts, shards.ranges[-1].stop if len(shards) else 0])
        self._parts: list[NDArray[np.float32] | None] = [None] * len(shards)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """Dimensions of an embedding."""
        return self._shards.size

    def scanned(self, act: Callable[[slice, NDArray[np.float32]], None]) -> None:
        """Calls `act(where, embeddings [image, D])` for each shard, by several threads; `where`: these images' places.

        Raises OutsideError STORE001 or STORE002.
        """

        def look(shard: int) -> None:
            where = slice(int(self._first[shard]), int(self._first[shard + 1]))
            if where.start < where.stop:
                act(where, self._chosen(shard, self._rows[where] - self._starts[shard]))

        shards, lock, failures = iter(range(len(self._shards))), Lock(), list[BaseException]()

        def work() -> None:
            while not failures:
                with lock:
                    shard = next(shards, None)
                if shard is None:
                    return
                try:
                    look(shard)
                except BaseException as error:  # told by the thread that asked
                    failures.append(error)

        # Threads that a process which is stopped does not wait for, as it would for those of a pool.
        others = [Thread(target=work, daemon=True) for _ in range(THREADS - 1)]
        for thread in others:
            thread.start()
        work()
        for thread in others:
            thread.join()
        if failures:
            raise failures[0]

    def taken(self, images: NDArray[np.integer]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` of the chosen places, in that order. Raises OutsideError STORE001 or STORE002."""
        values = np.zeros((len(images), self.size), dtype=np.float32)
        wanted = self._rows[images]
        owners = np.searchsorted(self._starts, wanted, side="right") - 1
        order = np.argsort(owners, kind="stable")
        for own in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1) if len(order) else []:
            shard = int(owners[own[0]])
            values[own] = self._part(shard)[wanted[own] - self._starts[shard]]
        return values

    def _chosen(self, shard: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        part = self._part(shard)
        return part if len(rows) == len(part) else part[rows]

    def _part(self, shard: int) -> NDArray[np.float32]:
        """The embeddings of one shard as they lie in its file; read and compared with its digest the first time."""
        kept = self._parts[shard]
        if kept is not None:
            return kept
        path = self._shards.path_of(shard)
        values, _, _ = self._shards[shard]  # what is wrong with it is told here
        if path is None:
            return values
        try:
            mapped = mapped_embeddings(path)
            if mapped.shape != values.shape:
                raise ValueError(f"shape {mapped.shape}, expected {values.shape}")
        except DAMAGE as error:
            fix = f"delete {path.name} and run again; it is computed anew"
            raise outside_error("STORE002", f"{path} is damaged: {error}", fix) from error
        with self._lock:
            self._parts[shard] = mapped
        return mapped


def mapped_embeddings(path: Path) -> NDArray[np.float32]:
    """The tensor `embeddings` of a safetensors file, `[image, D]`, mapped and read-only. Raises ValueError, KeyError or OSError.

    Source: the format's own description, an 8 byte length, so many bytes of JSON, then the tensors at the offsets it names.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER), "little")
        if length > path.stat().st_size - HEADER:
            raise ValueError("its header is longer than the file")
        about = json.loads(file.read(length))["embeddings"]
        start, stop = (HEADER + length + int(offset) for offset in about["data_offsets"])
        shape = tuple(int(n) for n in about["shape"])
        if about["dtype"] != "F32" or stop - start != 4 * int(np.prod(shape)) or stop > path.stat().st_size:
            raise ValueError("its embeddings are not float32 of the shape that it names")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, dtype="<f4", count=int(np.prod(shape)), offset=start).reshape(shape)
