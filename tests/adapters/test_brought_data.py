"""Folders, tables and arrays as people have them: read as they are meant, or refused with the true cause."""

import io
import tarfile
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets import csv_table, image_folder, webdataset
from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.columns import Columns
from conspect.adapters.datasets.image_files import as_rgb
from conspect.core.capabilities import omissions_of
from conspect.core.diagnostics import UserError
from conspect.core.files import decoded_text, read_text

NAMED = Columns("path", "label", classes=("cat", "dog"))


def picture(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path, format="PNG")
    return path


def png(colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(stream, "PNG")
    return stream.getvalue()


# --- arrays


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), "float32.*multiply by 255"),
        (np.full((2, 4, 4, 3), 200.0), "float64.*scale to 0..255"),
        (np.full((2, 4, 4, 3), -1.0), "float64.*scale to 0..255"),
        (np.zeros((2, 3, 4, 5), np.uint8), "channels last"),
        (np.zeros((2, 4, 4, 1), np.uint8), "repeat the one channel"),
        (np.zeros((2, 4, 4), np.uint8), "red, green and blue"),
        (np.zeros((2, 4, 4, 3), np.uint16), "scale uint16 to uint8"),
        (np.zeros((2, 4, 4, 4), np.uint8), "red, green and blue"),
    ],
)
def test_pixels_of_another_range_type_or_layout_are_refused_with_what_to_do(pixels: Any, told: str) -> None:
    with pytest.raises(UserError, match=f"(?s)DATA007.*{told}"):
        ArrayDataset("a", "test", ("cat", "dog"), ("0", "1"), np.array([0, 1]), pixels)
    with pytest.raises(UserError, match=r"(?s)DATA007.*image 'x' is"):
        as_rgb(pixels[0], "x")


@pytest.mark.parametrize(
    ("names", "ids", "labels"),
    [
        (("cat", "cat"), ("0", "1"), [0, 1]),
        (("cat", "dog"), ("0", "0"), [0, 1]),
        (("cat", "dog"), ("0", "1"), [0, 2]),
        (("cat", "dog"), ("0", "1"), [0, -1]),
        (("cat", "dog"), ("0", "1"), [0.0, 1.0]),
        (("cat", "dog"), ("0", "1"), [0]),
    ],
)
def test_names_ids_and_labels_that_do_not_fit_are_refused(names: Any, ids: Any, labels: Any) -> None:
    with pytest.raises(UserError, match="DATA007"):
        ArrayDataset("a", "test", names, ids, np.array(labels), np.zeros((2, 4, 4, 3), np.uint8))


# --- image folders


def test_what_an_image_folder_leaves_out_is_counted_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png")
    for name in ("b.HEIC", "c.heic", "none", "d.txt"):
        (tmp_path / "cat" / name).write_bytes(b"x")
    for name in ("cat/@eaDir/a.png", "cat/._a.png", "__MACOSX/cat/a.png", "lost+found/a.png", "cat/.thumbs/a.png"):
        picture(tmp_path / name)
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").write_text("x")
    found = image_folder.load(tmp_path)
    assert (found.ids, found.class_names) == (("cat/a.png",), ("cat", "empty"))
    told = " | ".join(omissions_of(found))
    for words in (
        "4 files of another ending are not read (.heic 2",
        "6 hidden files, thumbnails and leftovers",
        "1 class folders have no image: empty",
        "1 files beside the class folders are not read: readme.txt",
    ):
        assert words in told, told


def test_linked_folders_are_read_and_loops_end(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "a.png")
    root = tmp_path / "root"
    picture(root / "cat" / "b.png")
    (root / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "loop").symlink_to(root / "cat")
    (root / "cat" / "nowhere").symlink_to(root / "missing")
    (tmp_path / "elsewhere" / "back").symlink_to(root / "cat")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    found = image_folder.load(root)
    assert set(found.ids) >= {"cat/b.png", "cat/linked/a.png", "dog/a.png"}
    assert any("read already" in line for line in omissions_of(found))


@pytest.mark.parametrize(
    ("folders", "classes", "names"),
    [
        (("0", "1", "10", "2"), tuple("abcdefghijk"), ("a", "b", "k", "c")),
        (("n01440764", "n01443537"), ("tench", "goldfish"), ("tench", "goldfish")),
        (("cat", "dog"), ("dog", "cat", "bird"), ("cat", "dog")),
    ],
)
def test_folders_called_by_number_or_synset_get_their_names(
    tmp_path: Path, folders: Any, classes: Any, names: Any
) -> None:
    for folder in folders:
        picture(tmp_path / folder / "a.png")
    assert image_folder.load(tmp_path, classes=classes).class_names == names


@pytest.mark.parametrize(("folders", "told"), [(("1", "2"), "numbered from 1"), (("cat", "fox"), "folder 'fox'")])
def test_folders_that_do_not_fit_the_classes_are_refused(tmp_path: Path, folders: Any, told: str) -> None:
    for folder in folders:
        picture(tmp_path / folder / "a.png")
    with pytest.raises(UserError, match=f"DATA007.*{told}"):
        image_folder.load(tmp_path, classes=("cat", "dog"))


# --- tables


def table(folder: Path, content: str | bytes) -> Path:
    for name in ("0.png", "1.png"):
        picture(folder / "a" / name)
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


PLAIN = "path,label\na/0.png,cat\na/1.png,dog\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ", "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("/", "\\"),
        'path;"label";size\n"a/0.png";cat;1,5\na/1.png;dog;"2;5"\n',
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        b"\xff\xfe" + PLAIN.replace("\n", "\r\n").encode("utf-16-le"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        "path,label\na/0.png,0\na/1.png,1\n",
        "path,label\na/0.png,0.0\na/1.png,1.0\n",
        "path;label\na/0.png;0,0\na/1.png;1,0\n",
    ],
)
def test_tables_are_read_as_other_programs_write_them(tmp_path: Path, content: str | bytes) -> None:
    found = csv_table.load(table(tmp_path, content), split="test", columns=NAMED)
    assert found.labels.tolist() == [0, 1]
    assert found.image(1).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("labels", "row"),
    [(("cat", "fox", "cat"), 3), (("cat", "dog", "1"), 4), (("0", "fox", "1"), 3), (("0", "1", "9" * 5000), 4)],
)
def test_a_wrong_label_is_told_at_its_own_row(tmp_path: Path, labels: tuple[str, ...], row: int) -> None:
    content = "path,label\n" + "".join(f"a/0.png,{label}\n" for label in labels)
    with pytest.raises(UserError, match=f"DATA007: row {row}: 'label' is"):
        csv_table.load(table(tmp_path, content), split="test", columns=NAMED)


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("1", "2"), ("1",), ("3",)])
def test_numbers_that_are_names_too_are_refused_by_one_rule_and_can_be_said(tmp_path: Path, labels: Any) -> None:
    content = "id,path,label\n" + "".join(f"{k},a/0.png,{label}\n" for k, label in enumerate(labels))
    columns = Columns("path", "label", "id", classes=("1", "2", "3"))
    with pytest.raises(UserError, match=r"(?s)DATA007.*by name, and .* counted from 0.*labels = \"names\""):
        csv_table.load(table(tmp_path, content), split="test", columns=columns)
    as_names = Columns("path", "label", "id", classes=("1", "2", "3"), labels="names")
    if set(labels) <= {"1", "2", "3"}:
        found = csv_table.load(table(tmp_path, content), split="test", columns=as_names)
        assert tuple(found.class_names[k] for k in found.labels) == labels


def test_numbers_that_mean_the_same_both_ways_are_read(tmp_path: Path) -> None:
    columns = Columns("path", "label", classes=("0", "1"))
    assert csv_table.load(
        table(tmp_path, "path,label\na/0.png,1\na/1.png,0\n"), split="t", columns=columns
    ).labels.tolist() == [1, 0]


def test_names_of_one_look_are_one_name_and_classes_called_none_or_nan_are_classes(tmp_path: Path) -> None:
    spelled = unicodedata.normalize("NFD", "café")
    columns = Columns("path", "label", classes=(unicodedata.normalize("NFC", "café"), "None", "NaN"))
    content = f"path,label\na/0.png,{spelled}\na/1.png,None\n"
    found = csv_table.load(table(tmp_path, content), split="test", columns=columns)
    assert found.labels.tolist() == [0, 1]


# --- shards


def shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


GOOD = [("0.png", png()), ("0.cls", b"cat"), ("1.png", png("lime")), ("1.cls", b"dog")]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([("0.png", png("lime"))], "key '0' has a second .png"),
        ([("0.cls", b"dog")], "key '0' has a second .cls"),
        ([("0.PNG", png("lime"))], "key '0' has a second .png"),
        ([("0.jpg", png("lime"))], "key '0' has an image beside another"),
        ([("./0.cls", b"dog")], "key '0' has a second .cls"),
    ],
)
def test_a_key_twice_in_a_shard_is_refused_by_name(tmp_path: Path, more: list[tuple[str, bytes]], told: str) -> None:
    path = shard(tmp_path / "s.tar", GOOD + more)
    with pytest.raises(UserError, match=rf"s\.tar: DATA007: the {told}"):
        webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))


def test_stray_members_of_a_shard_are_skipped_and_named(tmp_path: Path) -> None:
    strays = [("README", b"x"), ("README.md", b"x"), ("__MACOSX/._0.png", b"x"), ("._1.png", b"x"), (".DS_Store", b"x")]
    path = shard(tmp_path / "s.tar", GOOD + strays)
    found = webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))
    assert found.labels.tolist() == [0, 1]
    assert "5 members of shards belong to no sample" in omissions_of(found)[0]


# --- text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_the_encoding_of_its_mark(encoding: str) -> None:
    assert decoded_text("ä\r\n猫".encode(encoding)) == "ä\r\n猫"


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", "pipe"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, name: str) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe" if name == "pipe" else name)
    with pytest.raises(OSError, match="not a regular file"):
        read_text(tmp_path / "link")
