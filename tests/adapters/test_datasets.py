"""One contract for every kind of data: what each must be, whatever tool wrote it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.datasets import KINDS, DataSource, open_split
from conspect.adapters.datasets.maite import MaiteDataset, from_maite
from conspect.adapters.datasets.views.subsets import sample
from conspect.adapters.store.embeddings import embed
from conspect.core.diagnostics import UserError
from conspect.core.protocols import ImageDataset, UnreadableImage
from tests.adapters.data_layouts import LAYOUTS, SIDE, Layout, Picture, pictures
from tests.fakes import FakeModel

NEEDS = {
    "parquet": "pyarrow",
    "huggingface": "datasets",
    "huggingface, streamed": "datasets",
    "webdataset": "webdataset",
}


@pytest.fixture(params=[*LAYOUTS, "maite"])
def kind(request) -> str:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return str(request.param)


def opened(source: DataSource, folder: Path) -> ImageDataset:
    return open_split(source, "test", folder=folder, cache=folder / "cache")


def built(kind: str, folder: Path, some: list[Picture]) -> ImageDataset:
    """The pictures in the layout of `kind`, opened; as MAITE: a folder, handed over and taken back."""
    layout: Layout = LAYOUTS["image-folder" if kind == "maite" else kind]
    dataset = opened(layout(folder, some), folder)
    return from_maite(MaiteDataset(dataset), split="test") if kind == "maite" else dataset


def row_of(dataset: ImageDataset, picture: Picture) -> int:
    """The row whose label and pixels are the picture's; files are found by their name or number."""
    (row,) = [
        row
        for row, name in enumerate(dataset.ids)
        if picture.name in name
        or (dataset.name == "rival10" and name.endswith(f"_{picture.name.removeprefix('image-')}"))
    ]
    return row


def test_every_kind_but_cifar_is_here() -> None:
    assert {name.split(",")[0] for name in LAYOUTS} == set(KINDS) - {"cifar10", "cifar100"}


def test_images_labels_and_ids_are_those_that_were_written(kind: str, tmp_path: Path) -> None:
    some = pictures()
    dataset = built(kind, tmp_path, some)
    assert len(dataset) == len(dataset.ids) == len(set(dataset.ids)) == len(dataset.labels) == len(some)
    assert dataset.split == "test"
    assert dataset.labels.dtype == np.int64
    for picture in some:
        row = row_of(dataset, picture)
        image = dataset.image(row)
        assert (image.shape, image.dtype) == ((SIDE, SIDE, 3), np.dtype(np.uint8))
        assert picture.pixels is not None
        assert np.array_equal(image, picture.pixels)
        assert dataset.class_names[dataset.labels[row]] == picture.label


def test_images_can_be_read_in_any_order_by_several_threads(kind: str, tmp_path: Path) -> None:
    dataset = built(kind, tmp_path, pictures(12))
    rows = list(np.random.default_rng(0).permutation(12)) * 5
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(dataset.image, map(int, rows)))
    assert len(read) == 60
    assert all(np.array_equal(image, dataset.image(int(row))) for row, image in zip(rows, read, strict=True))


def test_the_digest_is_of_the_content_and_not_of_the_place(kind: str, tmp_path: Path) -> None:
    some = pictures()
    first = built(kind, tmp_path / "one", some)
    again = built(kind, tmp_path / "elsewhere" / "two", some)
    assert first.digest == again.digest
    assert len(first.digest) == 64
    moved = [p if n else replace(p, pixels=np.asarray(p.pixels) ^ np.uint8(1)) for n, p in enumerate(some)]
    relabelled = [p if n else replace(p, label="dog") for n, p in enumerate(some)]
    others = [built(kind, tmp_path / str(n), changed).digest for n, changed in enumerate((moved, relabelled, some[1:]))]
    assert len({first.digest, *others}) == 4


def test_a_folder_that_is_moved_is_the_same_data_set(kind: str, tmp_path: Path) -> None:
    source = LAYOUTS["image-folder" if kind == "maite" else kind](tmp_path / "here", pictures())
    before = opened(source, tmp_path / "here")
    (ids, digest) = before.ids, before.digest
    shutil.move(tmp_path / "here", tmp_path / "there")
    after = opened(source, tmp_path / "there")
    assert (after.ids, after.digest) == (ids, digest)


def test_an_unreadable_image_stays_and_is_named(kind: str, tmp_path: Path) -> None:
    some = pictures(broken=2)
    if kind == "maite":
        pytest.skip("a MAITE data set holds decoded images")
    dataset = built(kind, tmp_path, some)
    row = row_of(dataset, some[2])
    assert len(dataset) == len(some)
    with pytest.raises(UnreadableImage, match="DATA006"):
        dataset.image(row)
    embeddings = embed(FakeModel(), dataset, tmp_path / "store")
    assert set(embeddings.unreadable) == {dataset.ids[row]}
    assert "0x" not in embeddings.unreadable[dataset.ids[row]], "a reason is the same in every run"
    assert embeddings.readable.sum() == len(some) - 1


def test_what_is_known_of_images_follows_them_into_a_sample(kind: str, tmp_path: Path) -> None:
    some = pictures(12)
    whole = built(kind, tmp_path, some)
    drawn = sample(whole, 5, seed=3)
    assert len(drawn) == 5
    for row, name in enumerate(drawn.ids):
        origin = whole.ids.index(name)
        for column, values in whole.metadata.items():  # type: ignore[attr-defined]
            assert drawn.metadata[column][row] == values[origin]  # type: ignore[attr-defined]
    named = getattr(whole, "concept_names", ())
    assert drawn.concept_names == tuple(named)  # type: ignore[attr-defined]
    assert drawn.concept_labels.shape == (5, len(named))  # type: ignore[attr-defined]


def test_metadata_and_concepts_are_those_that_were_written(kind: str, tmp_path: Path) -> None:
    some = pictures()
    dataset = built(kind, tmp_path, some)
    assert len(dataset) == len(some) > 0
    columns = {"image-folder": "subfolder", "maite": "subfolder", "rival10": None}
    for picture in some:
        row = row_of(dataset, picture)
        column = columns.get(kind, "weather")
        if column is not None:
            expected = str(picture.weather) if column == "subfolder" else picture.weather
            assert dataset.metadata[column][row] == expected  # type: ignore[attr-defined]
        if kind not in ("image-folder", "maite"):
            place = dataset.concept_names.index("hairy" if kind == "rival10" else "fur")  # type: ignore[attr-defined]
            value = dataset.concept_labels[row, place]  # type: ignore[attr-defined]
            assert value == picture.fur or (np.isnan(value) and picture.fur is None)


@pytest.mark.parametrize("kind", ["csv", "parquet", "huggingface", "webdataset"])
def test_an_id_that_stands_for_two_images_is_refused(kind: str, tmp_path: Path) -> None:
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])
    source = replace(LAYOUTS[kind](tmp_path, pictures()), id_column="label")
    with pytest.raises(UserError, match=r"DATA007.*more than one image"):
        opened(source, tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet", "huggingface", "huggingface, streamed", "webdataset"])
def test_a_column_that_is_not_there_is_named_with_a_suggestion(kind: str, tmp_path: Path) -> None:
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])
    source = replace(LAYOUTS[kind](tmp_path, pictures()), slices=("wether",))
    with pytest.raises(UserError, match=r"(?s)DATA007: there is no column 'wether'.*did you mean 'weather'"):
        opened(source, tmp_path)
