"""Folders, tables and arrays as people have them: read as they are meant, or refused with the true cause."""

import dataclasses
import io
import json
import re
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
from conspect.adapters.preprocessing import read_preprocessing
from conspect.adapters.sources.classes import read_classes
from conspect.core.capabilities import omissions_of
from conspect.core.diagnostics import OutsideError, UserError
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


def test_pixels_that_go_up_to_1_are_refused_and_black_is_not() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (2, 4, 4, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="DATA007: pixels of 'a' go from 0 to 1 of 255"):
        ArrayDataset("a", "test", ("cat", "dog"), ("0", "1"), np.array([0, 1]), pixels)
    black = ArrayDataset("a", "test", ("cat", "dog"), ("0", "1"), np.array([0, 1]), pixels * 0)
    assert black.image(0).max() == 0


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


@pytest.mark.parametrize("given", [[[1.0, 0.0]], [[0.5], [1.0]], [["yes"], ["no"]], [[2], [0]]])
def test_concept_labels_that_are_no_labels_of_the_images_are_refused(given: Any) -> None:
    pixels = np.full((2, 4, 4, 3), 9, np.uint8)
    with pytest.raises(UserError, match=r"DATA007: concept labels of 'a' are"):
        ArrayDataset(
            "a",
            "test",
            ("cat", "dog"),
            ("0", "1"),
            np.array([0, 1]),
            pixels,
            concept_names=("tail",),
            concept_labels=given,
        )


def test_concept_labels_of_images_in_memory_are_kept_and_leave_the_digest_alone() -> None:
    pixels = np.full((2, 4, 4, 3), 9, np.uint8)
    plain = ArrayDataset("a", "test", ("cat", "dog"), ("0", "1"), np.array([0, 1]), pixels)
    labelled = dataclasses.replace(plain, concept_names=("tail",), concept_labels=np.array([[1.0], [np.nan]]))
    np.testing.assert_array_equal(labelled.concept_labels, [[1.0], [np.nan]])
    assert plain.concept_labels.shape == (2, 0)
    assert labelled.digest == plain.digest


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
    dataset = image_folder.load(tmp_path)
    assert (dataset.ids, dataset.class_names) == (("cat/a.png",), ("cat", "empty"))
    told = " | ".join(omissions_of(dataset))
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
    picture(tmp_path / "apart" / "c.png")
    (root / "eel").mkdir()
    (root / "eel" / "linked").symlink_to(tmp_path / "apart")
    dataset = image_folder.load(root)
    assert dataset.ids == ("cat/b.png", "dog/a.png", "eel/linked/c.png")
    told = " | ".join(omissions_of(dataset))
    assert "links lead to a folder that is read already: cat/linked, cat/loop, dog/back" in told


def test_an_image_is_of_the_class_in_whose_folder_it_lies_whatever_links_there_are(tmp_path: Path) -> None:
    root = tmp_path / "data" / "root"
    for name in ("cat/a.png", "dog/deep/b.png"):
        picture(root / name)
    picture(tmp_path / "data" / "other" / "cat" / "c.png")
    (root / "ant").symlink_to(root / "cat")
    (root / "cat" / "all").symlink_to(tmp_path)
    (root / "cat" / "dogs").symlink_to(root / "dog" / "deep")
    (root / "dog" / "up").symlink_to("..")
    dataset = image_folder.load(root)
    assert dataset.ids == ("cat/a.png", "dog/deep/b.png")
    told = " | ".join(omissions_of(dataset))
    assert "2 links lead to a folder that holds the data set itself: cat/all, dog/up" in told
    assert "2 links lead to a folder that is read already: ant, cat/dogs" in told


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


@pytest.mark.parametrize("split", [("0", "1", "2"), ("1", "2"), ("1", "2", "3")])
def test_folders_called_by_numbers_that_are_classes_too_are_asked_about_in_every_split(
    tmp_path: Path, split: Any
) -> None:
    for folder in split:
        picture(tmp_path / folder / "a.png")
    with pytest.raises(UserError, match="DATA007: a folder called 1 is class '1' by name, and '2' counted from 0"):
        image_folder.load(tmp_path, classes=("1", "2", "3"))
    if "3" not in split:
        numbers = image_folder.load(tmp_path, classes=("1", "2", "3"), labels="numbers")
        assert numbers.class_names == tuple(str(int(folder) + 1) for folder in split)
    if "0" not in split:
        assert image_folder.load(tmp_path, classes=("1", "2", "3"), labels="names").class_names == split


def test_two_folders_of_the_same_letters_are_one_class(tmp_path: Path) -> None:
    picture(tmp_path / unicodedata.normalize("NFC", "Käfer") / "0.png")
    picture(tmp_path / unicodedata.normalize("NFD", "Käfer") / "1.png")
    dataset = image_folder.load(tmp_path)
    assert (dataset.class_names, dataset.labels.tolist()) == (("Käfer",), [0, 0])


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
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=\t"\n' + PLAIN.replace(",", "\t"),
        "\n \n" + PLAIN + "\n,\n  \n",
        PLAIN.replace("\n", "\r"),
        "path,label,\na/0.png,cat,\na/1.png,dog,\n",
    ],
)
def test_tables_are_read_as_other_programs_write_them(tmp_path: Path, content: str | bytes) -> None:
    dataset = csv_table.load(table(tmp_path, content), split="test", columns=NAMED)
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.image(1).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("labels", "row"),
    [(("cat", "fox", "cat"), 3), (("cat", "dog", "1"), 4), (("0", "fox", "1"), 3), (("0", "1", "9" * 5000), 4)],
)
def test_a_wrong_label_is_told_at_its_own_row(tmp_path: Path, labels: tuple[str, ...], row: int) -> None:
    content = "path,label\n" + "".join(f"a/0.png,{label}\n" for label in labels)
    with pytest.raises(UserError, match=f"DATA007: row {row}: 'label' is"):
        csv_table.load(table(tmp_path, content), split="test", columns=NAMED)


def test_rows_without_a_word_count_as_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row 5: 'label' is 'fox'"):
        csv_table.load(table(tmp_path, "path,label\na/0.png,cat\n\n,\na/1.png,fox\n"), split="test", columns=NAMED)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (PLAIN.encode("utf-16-le"), "null bytes, as UTF-16 without a byte order mark"),
        ("path,label\n" + "iVBORw0KGgo" * 20 + ",cat\n", "holds images as base64 text, such as 'iVBORw0"),
        ("path,label\n" + "A" * 140_000 + ",cat\n", "a cell is longer than 131,072 letters"),
        ("path,label\nhttps://a.org/0.png,cat\n", "holds addresses, such as 'https://a.org/0.png'"),
        ("path,label\nx/0.png,cat\nC:\\d\\1.png,dog\n", "none of its 2 images is there"),
        ("path,label\na/0.png,cat\n./a/0.png,dog\n", "the id 'a/0.png' stands for more than one image"),
        ("# by x\n" + PLAIN, "the header 1 (# by x)"),
    ],
)
def test_a_table_that_holds_something_else_is_one_error_that_says_so(
    tmp_path: Path, content: str | bytes, told: str
) -> None:
    with pytest.raises(UserError, match=f"DATA007.*{re.escape(told)}"):
        csv_table.load(table(tmp_path, content), split="test", columns=NAMED)


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_path_is_found_however_its_letters_are_written(tmp_path: Path, form: Any, other: Any) -> None:
    picture(tmp_path / unicodedata.normalize(form, "Käfer") / unicodedata.normalize(other, "Mücke.png"))
    path = tmp_path / "t.csv"
    path.write_text(f"path,label\n{unicodedata.normalize(other, 'Käfer/Mücke.png')},cat\n")
    assert csv_table.load(path, split="test", columns=NAMED).image(0).shape == (4, 4, 3)


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("1", "2"), ("1",), ("3",)])
def test_numbers_that_are_names_too_are_refused_by_one_rule_and_can_be_said(tmp_path: Path, labels: Any) -> None:
    content = "id,path,label\n" + "".join(f"{k},a/0.png,{label}\n" for k, label in enumerate(labels))
    columns = Columns("path", "label", "id", classes=("1", "2", "3"))
    with pytest.raises(UserError, match=r"(?s)DATA007.*by name, and .* counted from 0.*labels = \"names\""):
        csv_table.load(table(tmp_path, content), split="test", columns=columns)
    as_names = Columns("path", "label", "id", classes=("1", "2", "3"), labels="names")
    if set(labels) <= {"1", "2", "3"}:
        dataset = csv_table.load(table(tmp_path, content), split="test", columns=as_names)
        assert tuple(dataset.class_names[k] for k in dataset.labels) == labels


def test_numbers_that_mean_the_same_both_ways_are_read(tmp_path: Path) -> None:
    columns = Columns("path", "label", classes=("0", "1"))
    assert csv_table.load(
        table(tmp_path, "path,label\na/0.png,1\na/1.png,0\n"), split="t", columns=columns
    ).labels.tolist() == [1, 0]


def test_names_of_one_look_are_one_name_and_classes_called_none_or_nan_are_classes(tmp_path: Path) -> None:
    spelled = unicodedata.normalize("NFD", "café")
    columns = Columns("path", "label", classes=(unicodedata.normalize("NFC", "café"), "None", "NaN"))
    content = f"path,label\na/0.png,{spelled}\na/1.png,None\n"
    dataset = csv_table.load(table(tmp_path, content), split="test", columns=columns)
    assert dataset.labels.tolist() == [0, 1]


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


def test_a_label_in_two_files_that_disagree_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", [*GOOD, ("0.json", b'{"cls": "dog"}')])
    with pytest.raises(UserError, match="key '0' has two values of 'cls', 'cat' and 'dog'"):
        webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))
    path = shard(tmp_path / "t.tar", [*GOOD, ("0.json", b'{"cls": "cat"}')])
    assert len(webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))) == 2


def test_a_key_that_stands_twice_in_a_json_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", [("0.png", png()), ("0.json", b'{"cls": "cat", "cls": "dog"}')])
    with pytest.raises(OutsideError, match="the key 'cls' stands twice"):
        webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))


def test_texts_of_a_shard_may_bear_a_mark_and_images_any_ending_that_is_read(tmp_path: Path) -> None:
    members = [("0.jfif", png()), ("0.cls", b"\xef\xbb\xbfcat\n"), ("1.AVIF", png()), ("1.cls", "dog".encode("utf-16"))]
    dataset = webdataset.load(
        shard(tmp_path / "s.tar", members).name, folder=tmp_path, split="test", columns=Columns("image", "cls")
    )
    assert [dataset.class_names[label] for label in dataset.labels] == ["cat", "dog"]
    assert dataset.image(1).shape == (4, 4, 3)


def test_a_shard_of_names_with_dots_says_where_a_key_ends(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", [("a_0.1.png", png()), ("a_0.1.cls", b"cat")])
    with pytest.raises(UserError, match=r"(?s)DATA003: there is no sample in it: a_0 .*ends at the first dot"):
        webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))


def test_shards_of_one_name_in_two_folders_keep_their_samples_apart(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        shard(tmp_path / folder / "0.tar", GOOD)
    dataset = webdataset.load("*/0.tar", folder=tmp_path, split="test", columns=Columns("image", "cls"))
    assert dataset.ids == ("x/0/0", "x/0/1", "y/0/0", "y/0/1")


def test_stray_members_of_a_shard_are_skipped_and_named(tmp_path: Path) -> None:
    strays = [("README", b"x"), ("README.md", b"x"), ("__MACOSX/._0.png", b"x"), ("._1.png", b"x"), (".DS_Store", b"x")]
    path = shard(tmp_path / "s.tar", GOOD + strays)
    dataset = webdataset.load(path.name, folder=tmp_path, split="test", columns=Columns("image", "cls"))
    assert dataset.labels.tolist() == [0, 1]
    assert "5 members of shards belong to no sample" in omissions_of(dataset)[0]


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


# --- files that are something else


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04rest", "a workbook of a spreadsheet, or another zip archive; save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0rest", "an old workbook"),
        (b"\x1f\x8brest", "compressed by gzip; unpack it"),
        (b"PAR1rest", 'a Parquet file; say kind = "parquet"'),
        (b"SQLite format 3\0", "a database"),
    ],
)
def test_a_table_that_is_no_text_is_called_by_what_it_is(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=f"DATA007: the table cannot be read: it is {told}"):
        csv_table.load(tmp_path / "a.csv", split="train", columns=NAMED)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('["ant", "bee"]', ("ant", "bee")),
        ('{"id2label": {"1": "bee", "0": "ant"}}', ("ant", "bee")),
        ("[unknown]\r\nbee\r\n", ("[unknown]", "bee")),
        ("\ufeffant\nbee", ("ant", "bee")),
    ],
)
def test_a_text_of_classes_may_be_a_list_of_json(content: str, names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text(content, encoding="utf-8", newline="")
    assert read_classes(tmp_path / "classes.txt") == names


@pytest.mark.parametrize("content", ["ant\nbee".encode("utf-16-le"), b'{"ant": 0}', b'{"id2label": ', b""])
def test_a_text_that_is_no_list_of_classes_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UserError, match="MODEL002: not a list of classes"):
        read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image_std": [0.5, 0, 0.5]}, r"image_std is \[0.5, 0.0, 0.5\], by which is divided"),
        ({"image_std": [0.5, -1, 0.5]}, ".*by which is divided"),
        ({"image_mean": [float("nan"), 0, 0]}, "nan is not a number"),
        ({"rescale_factor": float("inf")}, "inf is not a number"),
        ({"rescale_factor": True}, "True is not a number"),
    ],
)
def test_a_preprocessing_that_gives_no_finite_values_is_refused(changes: Any, told: str, tmp_path: Path) -> None:
    steps = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "steps.json").write_text(json.dumps(steps | changes))
    with pytest.raises(UserError, match=f"MODEL002: not a preprocessing: {told}"):
        read_preprocessing(tmp_path / "steps.json")


# --- classes that differ in capital letters alone


def test_labels_that_differ_in_capitals_alone_are_refused_unless_they_are_listed(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    (tmp_path / "t.csv").write_text("path,label\na.png,Polish\nb.png,polish\n")
    with pytest.raises(
        UserError, match="DATA007: the labels in 'label' are 'Polish' and 'polish', which differ in cap"
    ):
        csv_table.load(tmp_path / "t.csv", split="train", columns=Columns("path", "label"))
    listed = Columns("path", "label", classes=("Polish", "polish"))
    assert csv_table.load(tmp_path / "t.csv", split="train", columns=listed).labels.tolist() == [0, 1]


def test_class_folders_that_differ_in_capitals_alone_are_refused_unless_they_are_listed(tmp_path: Path) -> None:
    for name in ("Cat", "cat", "dog"):
        picture(tmp_path / "images" / name / "a.png")
    with pytest.raises(UserError, match="DATA007: the class folders are 'Cat' and 'cat', which differ in capital"):
        image_folder.load(tmp_path / "images")
    assert image_folder.load(tmp_path / "images", classes=("Cat", "cat", "dog")).class_names == ("Cat", "cat", "dog")
