import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.image_folder import load
from conspect.adapters.datasets.views.subsets import sample
from conspect.adapters.store.embeddings import embed
from conspect.core.diagnostics import UserError
from tests.fakes import COLOURS, FakeModel, colour_dataset, picture


def put(path: Path, colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(COLOURS[colour])).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    put(root / "red" / "b.png")
    put(root / "red" / "a.PNG", "murky")
    put(root / "green" / "deep" / "c.png", "green")
    return root


def test_classes_are_folders_and_ids_are_paths_in_alphabetical_order(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.class_names == ("green", "red")
    assert dataset.ids == ("green/deep/c.png", "red/a.PNG", "red/b.png")
    assert dataset.labels.tolist() == [0, 1, 1]
    assert (dataset.name, dataset.split, len(dataset)) == ("photos", "test", 3)
    assert dataset.image(1)[8, 8].tolist() == list(COLOURS["murky"])


def test_hidden_files_and_other_files_are_no_images(folder: Path) -> None:
    before = load(folder).ids
    for name in ("red/.hidden.png", "red/notes.txt", "red/.cache/x.png", ".git/x.png", "loose.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert load(folder).ids == before
    assert load(folder).class_names == ("green", "red")


def test_a_class_folder_without_images_is_still_a_class(folder: Path) -> None:
    (folder / "blue").mkdir()
    assert load(folder).class_names == ("blue", "green", "red")
    assert load(folder).labels.tolist() == [1, 2, 2]


def test_the_digest_sees_content_and_names(folder: Path) -> None:
    digests = [load(folder).digest, load(folder).digest]
    put(folder / "red" / "b.png", "blue")
    digests.append(load(folder).digest)
    (folder / "red" / "b.png").rename(folder / "red" / "d.png")
    digests.append(load(folder).digest)
    (folder / "red").rename(folder / "rouge")
    digests.append(load(folder).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_files_that_cannot_be_opened_stay_in_the_counts_and_are_listed(folder: Path, tmp_path: Path) -> None:
    (folder / "red" / "c.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "red" / "d.png")
    (folder / "green" / "e.jpg").write_bytes(b"")
    dataset = load(folder)
    assert len(dataset) == 6
    embeddings = embed(FakeModel(), dataset, tmp_path / "store")
    assert set(embeddings.unreadable) == {"red/c.png", "red/d.png", "green/e.jpg"}
    assert embeddings.readable.tolist() == [True, False, True, True, False, False]


def test_names_that_are_no_utf8_are_printable_ids(folder: Path) -> None:
    raw = os.fsencode(folder / "red") + b"/z\xff.png"
    os.rename(folder / "red" / "b.png", raw)
    dataset = load(folder)
    assert dataset.ids[-1] == "red/z\\xff.png"
    assert dataset.image(2)[8, 8].tolist() == list(COLOURS["red"])
    assert dataset.digest


@pytest.mark.parametrize("content", [[], ["red/notes.txt"], ["loose.png"], ["red/"]])
def test_a_folder_without_images_in_classes_is_refused(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(b"x")
    with pytest.raises(UserError, match="DATA003"):
        load(tmp_path)


def test_a_file_or_nothing_is_no_image_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="DATA003"):
        load(tmp_path / "nowhere")


def test_a_sample_is_drawn_by_the_seed_without_repetition_and_in_order() -> None:
    whole = colour_dataset(100)
    first, same, other = (sample(whole, 30, seed=seed) for seed in (1, 1, 2))
    assert first.ids == same.ids != other.ids
    assert len(set(first.ids)) == 30
    assert list(first.ids) == sorted(first.ids)
    assert first.digest == same.digest != other.digest
    assert np.array_equal(first.image(7), whole.image(int(first.ids[7])))
    assert (first.name, first.split, first.class_names, len(first)) == ("noise", "test", ("thing",), 30)


@pytest.mark.parametrize("images", [None, 100, 101])
def test_a_sample_of_all_is_the_whole(images: int | None) -> None:
    whole = colour_dataset(100)
    assert sample(whole, images, seed=0) is whole


def test_a_sample_has_the_labels_of_its_images() -> None:
    labels = np.arange(50) % 3
    base = colour_dataset(50)
    whole = ArrayDataset("noise", "test", ("a", "b", "c"), base.ids, labels, base.pixels)
    dataset = sample(whole, 20, seed=0)
    assert dataset.labels.tolist() == [int(name) % 3 for name in dataset.ids]


def test_the_digest_of_arrays_sees_pixels_labels_ids_and_classes() -> None:
    base = colour_dataset(4)
    parts: dict[str, Any] = {
        "class_names": ("thing", "more"),
        "ids": base.ids,
        "labels": base.labels,
        "pixels": base.pixels,
    }
    changes: dict[str, Any] = {
        "class_names": ("other", "more"),
        "ids": base.ids[::-1],
        "labels": base.labels + 1,
        "pixels": base.pixels[::-1],
    }
    digests = {ArrayDataset("n", "s", **parts | {name: value}).digest for name, value in changes.items()}
    assert len(digests | {base.digest}) == 5
