"""What people bring that has two readings: keys twice, classes called by numbers, arrays, system folders, strays in shards."""

import dataclasses
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets import csv_table, image_folder, webdataset
from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.columns import Columns
from conspect.adapters.datasets.names import LabelKind
from conspect.adapters.preprocessing.configuration import read_preprocessing
from conspect.adapters.sources.classes import read_classes
from conspect.core.diagnostics import UserError

# A key that stands twice in JSON that people bring, in each kind of file ------------------------------


def test_a_key_twice_in_json_is_refused_wherever_people_bring_it(tmp_path: Path) -> None:
    steps = tmp_path / "preprocessor_config.json"
    steps.write_text(
        '{"size": 32, "size": 224, "do_normalize": false, "feature_extractor_type": "CLIPFeatureExtractor"}'
    )
    with pytest.raises(UserError, match=r"MODEL002.*the key 'size' stands twice"):
        read_preprocessing(steps)
    classes = tmp_path / "config.json"
    for table, why in (
        ('{"0": "ant", "0": "bee"}', "the key '0' stands twice"),
        ('{"0": "ant", "00": "bee"}', "a number stands twice"),
    ):
        classes.write_text(f'{{"id2label": {table}}}')
        with pytest.raises(UserError, match=rf"MODEL002.*{why}"):
            read_classes(classes)


# Classes that are called by numbers, however numbers are written ---------------------------------------


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (("1.0", "2.0", "3.0"), ("1", "2")),
        (("1", "2", "3"), ("1.0", "2.0")),
        (("1,0", "2,0", "3,0"), ("1", "2")),
        (("1.0", "2.0", "3.0"), ("1.0", "2.0")),
        (("01", "02", "03"), ("1", "2")),
    ],
)
def test_a_class_called_by_a_number_in_any_writing_has_two_readings(
    classes: tuple[str, ...], labels: tuple[str, ...], tmp_path: Path
) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label\n" + "".join(f'a.png,"{label}"\n' for label in labels))
    columns = Columns(image="path", label="label", classes=classes)
    with pytest.raises(UserError, match=rf"DATA007.*'{classes[0]}' by name, and '{classes[1]}' counted from 0"):
        csv_table.load(table, split="test", columns=replace_id(columns, table))
    readings: tuple[tuple[LabelKind, list[int]], ...] = (("names", [0, 1]), ("numbers", [1, 2]))
    for said, wanted in readings:
        dataset = csv_table.load(table, split="test", columns=replace_id(columns, table, said))
        assert dataset.labels.tolist() == wanted
    (tmp_path / "folders" / "1").mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(tmp_path / "folders" / "1" / "a.png")
    with pytest.raises(UserError, match="by name, and"):
        image_folder.load(tmp_path / "folders", classes=classes)


def test_numbers_that_are_their_own_places_have_one_reading(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label\na.png,1\na.png,0\n")
    columns = Columns(image="path", label="label", classes=("0.0", "1.0"))
    assert csv_table.load(table, split="test", columns=replace_id(columns, table)).labels.tolist() == [1, 0]


def replace_id(columns: Columns, table: Path, labels: LabelKind | None = None) -> Columns:
    """The columns with an id column, since one image stands in several rows."""
    lines = table.read_text().splitlines()
    if not lines[0].endswith(",id"):
        table.write_text("\n".join([f"{lines[0]},id", *(f"{line},{row}" for row, line in enumerate(lines[1:]))]) + "\n")
    return dataclasses.replace(columns, id="id", labels=labels)


# Arrays as people hold them ---------------------------------------------------------------------------


def array_data(**changes: object) -> ArrayDataset:
    pixels = np.random.default_rng(0).integers(2, 256, (12, 4, 4, 3), dtype=np.uint8)
    ids = tuple(str(k) for k in range(12))
    whole = {"class_names": ("a", "b"), "ids": ids, "labels": np.arange(12) % 2, "pixels": pixels}
    return ArrayDataset("mine", "test", **(whole | changes))  # type: ignore[arg-type]


def test_an_array_data_set_takes_tensors_and_lists_of_labels() -> None:
    import torch

    own = array_data()
    for changes in (
        {"labels": own.labels.tolist()},
        {"labels": torch.from_numpy(own.labels)},
        {"pixels": torch.from_numpy(own.pixels)},
        {"labels": own.labels.astype(np.uint8)},
    ):
        dataset = array_data(**changes)
        assert dataset.digest == own.digest
        assert isinstance(dataset.image(3), np.ndarray)
        assert (dataset.labels == own.labels).all()
    for wrong in (
        {"pixels": torch.from_numpy(own.pixels).permute(0, 3, 1, 2)},
        {"pixels": torch.from_numpy(own.pixels).to("meta")},
        {"pixels": torch.from_numpy(own.pixels) / 255},
        {"labels": [[0], [1, 0]]},
        {"pixels": own.pixels[:, :0, :0]},
        {"class_names": ("b\u00e4r", "ba\u0308r")},
    ):
        with pytest.raises(UserError, match="DATA007"):
            array_data(**wrong)


def test_an_array_data_set_with_more_than_a_handful_of_images_from_0_to_1_is_refused() -> None:
    pixels = np.array(array_data().pixels)
    pixels[:6] //= 128
    with pytest.raises(UserError, match="6 of its 12 images would be black"):
        array_data(pixels=pixels)


# Folders of systems, and strays in shards --------------------------------------------------------------


def test_folders_of_storage_systems_are_no_classes_and_names_that_differ_in_spaces_are_refused(tmp_path: Path) -> None:
    for name in ("ant", "bee", "@Recently-Snapshot", "#snapshot", "@tmp", ".zfs", "#recycle", "_thumbs"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), "red").save(tmp_path / name / "a.png")
    (tmp_path / "ant" / "@Recently-Snapshot").mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "ant" / "@Recently-Snapshot" / "a.png")
    dataset = image_folder.load(tmp_path)
    assert dataset.class_names == ("ant", "bee")
    assert len(dataset) == 2
    assert dataset.omissions[0].startswith("7 hidden files, thumbnails and leftovers of other programs")
    (tmp_path / "ant ").mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "ant " / "a.png")
    with pytest.raises(UserError, match="DATA007: the class folders 'ant' and 'ant ' differ in spaces alone"):
        image_folder.load(tmp_path)


def shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def test_a_text_without_an_image_or_a_class_is_a_stray_member_of_a_shard(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, "PNG")
    columns = Columns(image="image", label="cls", classes=("ant", "bee"))
    good = {"0.png": stream.getvalue(), "0.cls": b"ant", "1.png": stream.getvalue(), "1.cls": b"bee"}
    shard(tmp_path / "a.tar", good | {"zzz.txt": b"packed by me", "README.md": b"x", "1.seg.png": stream.getvalue()})
    dataset = webdataset.load("a.tar", folder=tmp_path, split="test", columns=columns)
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.omissions == ("2 members of shards belong to no sample: README (md), zzz (txt)",)
    # An image without a class is a mistake, and a class without an image is a loss that is listed.
    shard(tmp_path / "b.tar", good | {"2.png": stream.getvalue()})
    with pytest.raises(UserError, match=r"sample '2' of b\.tar: 'cls' is empty"):
        webdataset.load("b.tar", folder=tmp_path, split="test", columns=columns)
    shard(tmp_path / "c.tar", good | {"2.cls": b"ant"})
    assert len(webdataset.load("c.tar", folder=tmp_path, split="test", columns=columns)) == 3
    for ending in ("npy", "seg.png"):
        shard(tmp_path / "d.tar", {f"0.{ending}": b"x", "0.cls": b"ant", f"1.{ending}": b"x", "1.cls": b"bee"})
        with pytest.raises(UserError, match=rf"DATA003: no sample has an image.*\.cls, \.{ending}"):
            webdataset.load("d.tar", folder=tmp_path, split="test", columns=columns)
