"""What the files of CIFAR-10 and CIFAR-100 share: rows of 3,072 bytes, channel by channel, and the python version's dicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.plain_pickle import read_plain_pickle
from conspect.core.diagnostics import SourceLocation, outside_error

BYTES_PER_IMAGE = 3 * 32 * 32


@dataclass(frozen=True, eq=False)
class PythonBatch:
    """Pixels `[image, y, x, channel]` uint8 and the label lists that were asked for, by key, each `[image]` int64."""

    pixels: NDArray[np.uint8]
    labels: dict[str, NDArray[np.int64]]


def from_planes(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images `[image, 32, 32, 3]` of rows `[image, 3072]`: red, green, blue, each row by row."""
    return np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def read_python_batch(path: Path, *keys: str) -> PythonBatch:
    """A batch of the python version, read without unpickling. Raises OutsideError DATA002 when it is no such batch."""
    content = read_plain_pickle(path)
    try:
        table = {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}
        planes = table["data"]
        if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != BYTES_PER_IMAGE:
            raise ValueError(f"data of shape {planes.shape} and type {planes.dtype}")
        labels = {key: _whole_numbers(table[key], len(planes)) for key in keys}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise wrong_content(path, f"{type(error).__name__}: {error}") from error
    return PythonBatch(from_planes(planes), labels)


def wrong_content(path: Path, why: str) -> Exception:
    """OutsideError DATA002 for a file of CIFAR that is not what its name says."""
    fix = "unpack the archive of the CIFAR page again"
    return outside_error(
        "DATA002", f"{path.name} is not what CIFAR holds there ({why[:200]})", fix, SourceLocation(str(path))
    )


def _whole_numbers(values: list[object], rows: int) -> NDArray[np.int64]:
    if not isinstance(values, list) or len(values) != rows or not all(type(value) is int for value in values):
        raise ValueError(f"labels that are not {rows} whole numbers")
    return np.asarray(values, dtype=np.int64)
