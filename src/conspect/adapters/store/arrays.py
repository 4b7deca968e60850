"""Embeddings that another program left on disk as .npy or .safetensors files, read a part at a time through memory maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from conspect.core.diagnostics import outside_error


@dataclass(frozen=True)
class ArrayFiles:
    """The rows of several files, one after the other: `.npy` arrays or the tensor `embeddings` of safetensors files.

    A file is mapped while a part of it is read and no longer, so that what was read does not stay in memory.
    """

    paths: tuple[Path, ...]

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Number of rows up to the end of each file."""
        return np.cumsum([_shape(path)[0] for path in self.paths], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.paths) else 0

    def read(self, rows: range) -> NDArray[np.float32]:
        """`[image, D]` float32 of consecutive `rows`. Raises OutsideError STORE002."""
        pieces = []
        start = rows.start
        while start < rows.stop:
            file = int(np.searchsorted(self.ends, start, side="right"))
            first = int(self.ends[file - 1]) if file else 0
            stop = min(rows.stop, int(self.ends[file]))
            pieces.append(_rows(self.paths[file], start - first, stop - first))
            start = stop
        if not pieces:
            return np.zeros((0, _shape(self.paths[0])[1]), dtype=np.float32)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@dataclass(frozen=True)
class PairedFiles:
    """Embeddings of the same images by the model, `z`, and by the VLM, `y`. Fulfils `PairedRows`."""

    z: ArrayFiles
    y: ArrayFiles

    def __len__(self) -> int:
        return len(self.z)

    def read(self, rows: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`[image, D]` and `[image, E]` of consecutive `rows`. Raises OutsideError STORE002."""
        return self.z.read(rows), self.y.read(rows)


def paired_files(z: Sequence[Path], y: Sequence[Path]) -> PairedFiles:
    """Files of both spaces. Raises OutsideError STORE002 for one that cannot be read, or when one space has more rows."""
    pair = PairedFiles(ArrayFiles(tuple(z)), ArrayFiles(tuple(y)))
    if len(pair.z) != len(pair.y):
        problem = f"{len(pair.z):,} embeddings of the model against {len(pair.y):,} of the VLM"
        raise outside_error("STORE002", problem, "give files of the same images in the same order")
    return pair


def _shape(path: Path) -> tuple[int, int]:
    try:
        if path.suffix == ".npy":
            mapped = _mapped(path)
            shape, kind = tuple(mapped.shape), str(mapped.dtype)
        else:
            with safe_open(path, framework="numpy") as stored:
                part = stored.get_slice("embeddings")
                shape, kind = tuple(part.get_shape()), {"F32": "float32"}.get(part.get_dtype(), part.get_dtype())
        if len(shape) != 2 or kind != "float32":
            raise ValueError(f"{kind} {shape}, expected float32 [image, dimension]")
    except (SafetensorError, OSError, ValueError, KeyError, EOFError) as error:
        raise _damaged(path, error) from error
    return int(shape[0]), int(shape[1])


def _rows(path: Path, start: int, stop: int) -> NDArray[np.float32]:
    try:
        if path.suffix == ".npy":
            return np.array(_mapped(path)[start:stop])
        with safe_open(path, framework="numpy") as stored:
            return np.asarray(stored.get_slice("embeddings")[start:stop])
    except (SafetensorError, OSError, ValueError, KeyError, EOFError) as error:
        raise _damaged(path, error) from error


def _mapped(path: Path) -> NDArray[np.float32]:
    mapped: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def _damaged(path: Path, error: Exception) -> Exception:
    fix = "give .npy or .safetensors files of float32 arrays [image, dimension]"
    return outside_error("STORE002", f"{path} cannot be read as embeddings: {error}", fix)
