"""CIFAR-100 (Krizhevsky, 2009) from the python or the binary version of the original archive. Never downloaded.

What is checked: the number of images, the shape, the range of both labels, and that every class is in one superclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.cifar_files import BYTES_PER_IMAGE, from_planes, read_python_batch, wrong_content
from conspect.adapters.datasets.plain_pickle import read_plain_pickle
from conspect.core.diagnostics import outside_error, user_error

IMAGES = {"train": 50_000, "test": 10_000}
FINE, COARSE = "fine_label_names", "coarse_label_names"
CLASSES, SUPERCLASSES = 100, 20

Labels = NDArray[np.int64]
Names = tuple[str, ...]


def load(split: str, *, directory: Path) -> ArrayDataset:
    """A split, with the hundred classes as labels and the twenty superclasses as metadata "superclass".

    Raises UserError DATA005 for an unknown split, OutsideError DATA004 when `directory` holds neither version, DATA002 when
    a file is not what CIFAR-100 holds there.
    """
    if split not in IMAGES:
        raise user_error("DATA005", f"CIFAR-100 has no split {split!r}", "use 'train' or 'test'")
    for folder in (directory, directory / "cifar-100-python"):
        if (folder / split).is_file():
            batch = read_python_batch(folder / split, "fine_labels", "coarse_labels")
            rows = _Rows(batch.pixels, batch.labels["fine_labels"], batch.labels["coarse_labels"])
            return _checked(split, folder / split, rows, *_python_names(folder / "meta"))
    for folder in (directory, directory / "cifar-100-binary"):
        if (folder / f"{split}.bin").is_file():
            rows = _binary_rows(folder / f"{split}.bin")
            return _checked(split, folder / f"{split}.bin", rows, _lines(folder, FINE), _lines(folder, COARSE))
    raise outside_error(
        "DATA004",
        f"{directory} holds neither {split} nor {split}.bin",
        "give a folder with cifar-100-python or cifar-100-binary of the CIFAR page unpacked",
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    pixels: NDArray[np.uint8]
    fine: Labels
    coarse: Labels


def _binary_rows(path: Path) -> _Rows:
    raw = np.fromfile(path, dtype=np.uint8)
    if raw.size % (BYTES_PER_IMAGE + 2):
        raise wrong_content(path, f"{raw.size} bytes")
    rows = raw.reshape(-1, BYTES_PER_IMAGE + 2)
    return _Rows(from_planes(rows[:, 2:]), rows[:, 1].astype(np.int64), rows[:, 0].astype(np.int64))


def _checked(split: str, path: Path, rows: _Rows, names: Names, superclasses: Names) -> ArrayDataset:
    fine, coarse = rows.fine, rows.coarse
    if len(fine) != IMAGES[split]:
        raise wrong_content(path, f"{len(fine):,} images, expected {IMAGES[split]:,}")
    if (len(names), len(superclasses)) != (CLASSES, SUPERCLASSES):
        raise wrong_content(path, f"{len(names)} classes and {len(superclasses)} superclasses")
    for labels, number in ((fine, CLASSES), (coarse, SUPERCLASSES)):
        if labels.min() < 0 or labels.max() >= number:
            raise wrong_content(path, f"a label outside 0..{number - 1}")
    if len(np.unique(np.stack([fine, coarse]), axis=1).T) != len(np.unique(fine)):
        raise wrong_content(path, "a class in two superclasses")
    ids = tuple(f"{split}/{row:05d}" for row in range(len(fine)))
    metadata = {"superclass": tuple(superclasses[index] for index in coarse)}
    return ArrayDataset("cifar100", split, names, ids, fine, rows.pixels, metadata)


def _python_names(path: Path) -> tuple[Names, Names]:
    content = read_plain_pickle(path)
    try:
        table = {_text(key): value for key, value in content.items()}
        return tuple(map(_text, table[FINE])), tuple(map(_text, table[COARSE]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise wrong_content(path, f"{type(error).__name__}: {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str | bytes):
        raise TypeError("a name that is no text")
    return value.decode() if isinstance(value, bytes) else value


def _lines(folder: Path, name: str) -> Names:
    path = folder / f"{name}.txt"
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise wrong_content(path, str(error)) from error
