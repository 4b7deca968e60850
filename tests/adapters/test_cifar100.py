"""The reader of CIFAR-100 against small stand-ins of both versions of its archive."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.datasets import DataSource, cifar100, open_split
from conspect.core.diagnostics import ConspectError

SIZES = {"train": 300, "test": 120}
FINE = [f"class_{n}" for n in range(100)]
COARSE = [f"group_{n}" for n in range(20)]
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def small(monkeypatch) -> dict[str, Batch]:
    monkeypatch.setattr(cifar100, "IMAGES", SIZES)
    rng = np.random.default_rng(0)
    splits = {}
    for split, size in SIZES.items():
        fine = rng.integers(0, 100, size)
        splits[split] = (rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8), fine, fine // 5)
    return splits


def write_python(folder: Path, batches: dict[str, Batch]) -> Path:
    root = folder / "cifar-100-python"
    root.mkdir(parents=True)
    for split, (pixels, fine, coarse) in batches.items():
        rows = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(len(pixels), 3072)
        batch = {b"data": rows, b"fine_labels": fine.tolist(), b"coarse_labels": coarse.tolist(), b"filenames": []}
        (root / split).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"fine_label_names": [n.encode() for n in FINE], b"coarse_label_names": [n.encode() for n in COARSE]}
    (root / "meta").write_bytes(pickle.dumps(names, protocol=2))
    return root


def write_binary(folder: Path, batches: dict[str, Batch]) -> Path:
    root = folder / "cifar-100-binary"
    root.mkdir(parents=True)
    for split, (pixels, fine, coarse) in batches.items():
        planes = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), 3072)
        rows = np.column_stack([coarse.astype(np.uint8), fine.astype(np.uint8), planes])
        (root / f"{split}.bin").write_bytes(rows.tobytes())
    (root / "fine_label_names.txt").write_text("\n".join(FINE) + "\n")
    (root / "coarse_label_names.txt").write_text("\n".join(COARSE) + "\n\n")
    return root


@pytest.mark.parametrize("writer", [write_python, write_binary])
def test_both_versions_give_the_same_data_set(tmp_path: Path, small, writer) -> None:
    inner = writer(tmp_path, small)
    for directory in (tmp_path, inner):
        dataset = cifar100.load("test", directory=directory)
        pixels, fine, coarse = small["test"]
        assert np.array_equal(dataset.pixels, pixels)
        assert np.array_equal(dataset.labels, fine)
        assert dataset.class_names == tuple(FINE)
        assert dataset.metadata["superclass"] == tuple(COARSE[c] for c in coarse)
        assert len(set(dataset.ids)) == len(dataset) == 120
    source = DataSource("cifar100", directory=".")
    assert open_split(source, "train", folder=tmp_path, cache=tmp_path).digest != dataset.digest


def changed(batches: dict[str, Batch], what: str) -> dict[str, Batch]:
    pixels, fine, coarse = (part.copy() for part in batches["test"])
    if what == "a label too large":
        fine[0] = 100
    elif what == "a class in two superclasses":
        coarse[fine == fine[0]] = [n % 2 for n in range((fine == fine[0]).sum())]
        fine[1], coarse[1] = fine[0], 7
    else:
        pixels, fine, coarse = pixels[1:], fine[1:], coarse[1:]
    return {**batches, "test": (pixels, fine, coarse)}


@pytest.mark.parametrize("what", ["a label too large", "a class in two superclasses", "an image too few"])
@pytest.mark.parametrize("writer", [write_python, write_binary])
def test_what_cannot_be_cifar_100_is_refused(tmp_path: Path, small, writer, what: str) -> None:
    writer(tmp_path, changed(small, what))
    with pytest.raises(ConspectError, match=r"test.*: DATA002"):
        cifar100.load("test", directory=tmp_path)


@pytest.mark.parametrize("name", ["test", "meta"])
@pytest.mark.parametrize("content", [b"cos\nsystem\n(S'touch PWNED'\ntR.", b"\x80\x02}.", b"\x80\x02]K\x01a.", b""])
def test_a_hostile_or_other_file_is_refused_and_runs_nothing(
    tmp_path: Path, small, monkeypatch, name: str, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (write_python(tmp_path, small) / name).write_bytes(content)
    with pytest.raises(ConspectError, match="DATA002"):
        cifar100.load("test", directory=tmp_path)
    assert not (tmp_path / "PWNED").exists()


def test_an_unknown_split_layout_or_length_and_missing_names_are_refused(tmp_path: Path, small) -> None:
    with pytest.raises(ConspectError, match="DATA005"):
        cifar100.load("val", directory=tmp_path)
    with pytest.raises(ConspectError, match="DATA004"):
        cifar100.load("test", directory=tmp_path)
    root = write_binary(tmp_path, small)
    (root / "fine_label_names.txt").unlink()
    with pytest.raises(ConspectError, match="DATA002"):
        cifar100.load("test", directory=tmp_path)
    (root / "test.bin").write_bytes(b"xyz")
    with pytest.raises(ConspectError, match="DATA002"):
        cifar100.load("test", directory=tmp_path)
