"""CSV tables, tar shards, copies of streams and Hugging Face folders: what is particular to each, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.datasets import DataSource, huggingface, open_split
from conspect.adapters.datasets import webdataset as shards
from conspect.adapters.datasets.columns import Columns, describe
from conspect.adapters.datasets.csv_table import load
from conspect.adapters.datasets.stream_copy import copy_of
from conspect.core.diagnostics import ConspectError, OutsideError, UserError
from conspect.core.protocols import UnreadableImage
from tests.adapters import data_layouts
from tests.adapters.data_layouts import pictures

COLUMNS = Columns("path", "label")


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "data" / "table.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "..\\secret.png", "/etc/passwd", "a/../../secret.png", "link/secret.png", "loop/x", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(pictures(1)[0].png)
    path = table(tmp_path, f'path,label\n"{name}",cat\n')
    (path.parent / "link").symlink_to(tmp_path)
    (path.parent / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=r"table\.csv: DATA00[79]: .*(row 2|null bytes)"):
        load(path, split="test", columns=COLUMNS)


def test_a_trusted_table_may_name_any_file(tmp_path: Path) -> None:
    (picture,) = pictures(1)
    (tmp_path / "outside.png").write_bytes(picture.png)
    path = table(tmp_path, f"path,label\n../outside.png,cat\n{tmp_path}/outside.png,cat\n")
    dataset = load(path, split="test", columns=COLUMNS, absolute_paths=True)
    assert picture.pixels is not None
    assert all(np.array_equal(dataset.image(row), picture.pixels) for row in range(2))
    assert dataset.ids == ("../outside.png", f"{tmp_path}/outside.png")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no header line"),
        ("path,label\n", "there is no row"),
        ("path,path\na,b\n", "two columns are called 'path'"),
        ("path,label\na.png,cat\nb.png\n", "row 3 has 1 cells, the header 2"),
        ("path,label\na.png,\n", "row 2: 'label' is empty"),
        ("path,label\n ,cat\n", "row 2: no image is named"),
        ("path,label\na.png,1\nb.png,0\n", "the labels in 'label' are numbers"),
        ("path,label\na.png,cat\na.png,cat\n", "'a.png'"),
        (b"path,label\n\xff.png,cat\n", "cannot be read"),
        ('path,label\n"a.png,cat\n', "cannot be read"),
    ],
)
def test_a_table_that_is_not_as_it_should_be_is_told_with_its_row(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    with pytest.raises(UserError) as caught:
        load(table(tmp_path, text), split="test", columns=COLUMNS)
    assert caught.value.diagnostics[0].code == "DATA007"
    assert problem in caught.value.diagnostics[0].problem


def test_numbers_stand_for_the_classes_that_are_named(tmp_path: Path) -> None:
    named = Columns("path", "label", classes=("cat", "dog", "bird"))
    (table(tmp_path, "").parent / "a").write_bytes(pictures(1)[0].png)
    dataset = load(table(tmp_path, "path,label\na,2\nb,0\n"), split="test", columns=named)
    assert (dataset.class_names, dataset.labels.tolist()) == (("cat", "dog", "bird"), [2, 0])
    dataset = load(table(tmp_path, "path,label\na,dog\nb,cat\n"), split="test", columns=named)
    assert dataset.labels.tolist() == [1, 0]
    for wrong in ("3", "-1", "fish", "1.5"):
        with pytest.raises(UserError, match="row 3: 'label' is"):
            load(table(tmp_path, f"path,label\na,1\nb,{wrong}\n"), split="test", columns=named)


def test_concepts_are_yes_no_or_unknown_and_nothing_else(tmp_path: Path) -> None:
    cells = [1, 0, True, "no", "", None, float("nan"), 1.0, "FALSE"]
    described = describe({"label": ["a"] * 9, "fur": cells}, Columns("x", "label", concepts=("fur",)), tmp_path)
    assert described.concept_labels[:, 0].tolist()[:4] == [1, 0, 1, 0]
    assert np.isnan(described.concept_labels[4:7, 0]).all()
    assert described.concept_labels[7:, 0].tolist() == [1, 0]
    with pytest.raises(UserError, match="row 1: concept 'fur' is 'maybe'"):
        describe({"label": ["a"], "fur": ["maybe"]}, Columns("x", "label", concepts=("fur",)), tmp_path)


@given(st.text(max_size=200))
def test_no_text_gets_anything_but_a_data_set_or_an_error_out_of_a_table(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_text("path,label\n" + text, encoding="utf-8", errors="surrogateescape")
    try:
        dataset = load(path, split="test", columns=COLUMNS)
    except UserError:
        return
    assert len(dataset) > 0
    with pytest.raises(UnreadableImage):
        dataset.image(0)


def tar(path: Path, members: dict[str, bytes], *, mode: str = "w", kind: bytes | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            if kind is not None:
                about.type, about.linkname = kind, "/etc/passwd"
            else:
                about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


SHARD = Columns("image", "cls")
GOOD = {"a.png": pictures(1)[0].png, "a.cls": b"cat"}


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "..\\a.png"])
def test_a_shard_with_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    tar(tmp_path / "s.tar", {**GOOD, name: b"x"})
    with pytest.raises(OutsideError, match=r"s\.tar: DATA009.*leads out"):
        shards.load("s.tar", folder=tmp_path, split="test", columns=SHARD)
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_devices_and_sparse_members_are_refused(tmp_path: Path, kind: bytes) -> None:
    tar(tmp_path / "s.tar", {"a.png": b""}, kind=kind)
    with pytest.raises(OutsideError, match=r"DATA00[29]"):
        shards.load("s.tar", folder=tmp_path, split="test", columns=SHARD)


def test_pickles_and_arrays_in_a_shard_are_never_opened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = b"cos\nsystem\n(S'touch PWNED'\ntR."
    tar(tmp_path / "s.tar", {**GOOD, "a.pyd": evil, "a.pickle": evil, "a.pth": evil, "a.npy": evil, "a.cls.pkl": evil})
    dataset = shards.load("s.tar", folder=tmp_path, split="test", columns=SHARD)
    assert (dataset.ids, dataset.class_names) == (("s/a",), ("cat",))
    assert np.array_equal(dataset.image(0), pictures(1)[0].pixels)  # type: ignore[arg-type]
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("content", [b"", b"no tar" * 200, None])
def test_a_damaged_or_compressed_shard_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tar(tmp_path / "s.tar", GOOD, mode="w:gz" if content is None else "w")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConspectError, match=r"DATA00[27]"):
        shards.load("s.tar", folder=tmp_path, split="test", columns=SHARD)


def test_a_sample_without_an_image_is_named_and_kept(tmp_path: Path) -> None:
    tar(tmp_path / "s.tar", {**GOOD, "b.cls": b"cat", "b.json": b'{"weather": ["a", 1], "n": 3}'})
    dataset = shards.load(
        "s.tar", folder=tmp_path, split="test", columns=Columns("image", "cls", slices=("weather", "n"))
    )
    assert dataset.ids == ("s/a", "s/b")
    assert dataset.metadata == {"weather": (None, '["a", 1]'), "n": (None, "3")}
    with pytest.raises(UnreadableImage, match="s/b: there is no image"):
        dataset.image(1)


@pytest.mark.parametrize("content", [b'{"a":', b"\xff", b"[" * 100_000])
def test_a_json_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    tar(tmp_path / "s.tar", {**GOOD, "a.json": content})
    with pytest.raises(OutsideError, match=r"DATA002.*'a\.json'"):
        shards.load("s.tar", folder=tmp_path, split="test", columns=SHARD)


def test_shards_are_named_by_braces_stars_folders_and_files(tmp_path: Path) -> None:
    for number in range(3):
        tar(tmp_path / "d" / f"s-{number:03d}.tar", {f"{number}.png": b"x", f"{number}.cls": b"cat"})

    def ids(pattern: str) -> tuple[str, ...]:
        return shards.load(pattern, folder=tmp_path, split="test", columns=SHARD).ids

    every = ("s-000/0", "s-001/1", "s-002/2")
    assert ids("d/s-{000..002}.tar") == ids("d/*.tar") == ids("d") == every
    assert ids("d/s-{001..002}.tar") == every[1:]
    assert ids("d/s-001.tar") == every[1:2]
    with pytest.raises(UserError, match="DATA003: 1 of the 4 shards"):
        ids("d/s-{000..003}.tar")
    for nothing in ("e", "d/x.tar", "d/x-*.tar", "d/y-{0..9}.tar"):
        with pytest.raises(UserError, match="DATA003: there is no shard"):
            ids(nothing)


def test_a_stream_is_read_once_and_its_copy_is_checked(tmp_path: Path) -> None:
    reads = []

    def rows():
        for row in range(3):
            reads.append(row)
            yield bytes([row]) * row, {"label": "cat", "n": row}

    copy = copy_of(rows(), ("label", "n"), tmp_path / "copy")
    again = copy_of(rows(), ("label", "n"), tmp_path / "copy")
    assert reads == [0, 1, 2]
    assert [again.fetch(row) for row in range(3)] == [copy.fetch(row) for row in range(3)] == [b"", b"\1", b"\2\2"]
    assert again.table == {"label": ["cat"] * 3, "n": [0, 1, 2]}
    (tmp_path / "copy" / "images.bin").write_bytes(b"short")
    with pytest.raises(OutsideError, match=r"STORE002.*another length"):
        copy_of(rows(), ("label", "n"), tmp_path / "copy")


def test_a_copy_that_breaks_off_leaves_nothing_and_begins_again(tmp_path: Path) -> None:
    def broken():
        yield b"x", {"label": "cat"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_of(broken(), ("label",), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
    assert copy_of(iter([(b"y", {"label": "dog"})]), ("label",), tmp_path / "copy").fetch(0) == b"y"


def test_a_stream_takes_no_more_rows_than_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    source = data_layouts.streamed(tmp_path, pictures())
    dataset = open_split(source, "test", folder=tmp_path, cache=tmp_path / "cache", images=4)
    assert len(dataset) == 4


def test_hugging_face_opens_folders_of_images_and_of_parquet(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    some = pictures()
    data_layouts.image_folder(tmp_path / "photos", some)
    (tmp_path / "photos" / "images").rename(tmp_path / "photos" / "train")
    for picture in some:  # one level of folders is what `imagefolder` takes for the class
        (tmp_path / "photos/train" / picture.label / f"{picture.name}.png").write_bytes(picture.png)
    data_layouts.parquet(tmp_path, some)
    (tmp_path / "rows" / "0.parquet").rename(tmp_path / "rows" / "train-0.parquet")
    (tmp_path / "rows" / "1.parquet").rename(tmp_path / "rows" / "train-1.parquet")
    dataset = open_split(
        DataSource("huggingface", test="train", directory="rows", id_column="name"),
        "test",
        folder=tmp_path,
        cache=tmp_path,
    )
    assert {name: dataset.class_names[label] for name, label in zip(dataset.ids, dataset.labels, strict=True)} == {
        made.name: made.label for made in some
    }
    assert np.array_equal(dataset.image(dataset.ids.index("image-3")), some[3].pixels)  # type: ignore[arg-type]


def test_a_path_in_a_hugging_face_row_is_followed_only_inside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "data" / "mine.png").write_bytes(b"mine")
    origin = huggingface.Origin(directory=tmp_path / "data")
    assert huggingface._content({"bytes": None, "path": str(tmp_path / "data" / "mine.png")}, origin) == b"mine"
    assert huggingface._content({"bytes": None, "path": str(tmp_path / "secret.png")}, origin) == b""
    assert huggingface._content({"bytes": None, "path": "/etc/passwd"}, huggingface.Origin(hub="a/b")) == b""


@pytest.mark.parametrize("where", [{"directory": "nowhere"}, {"directory": "."}, {"hub": "no such name at all"}])
def test_a_hugging_face_data_set_that_is_not_there_is_one_error(
    tmp_path: Path, monkeypatch, where: dict[str, str]
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(OutsideError, match=r"DATA00[14]"):
        open_split(DataSource("huggingface", **where), "test", folder=tmp_path, cache=tmp_path / "cache")  # type: ignore[arg-type]


def test_a_damaged_parquet_file_is_one_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing PAR1")
    source = DataSource("parquet", "a.parquet", "a.parquet")
    with pytest.raises(OutsideError, match="DATA002"):
        open_split(source, "test", folder=tmp_path, cache=tmp_path)
    with pytest.raises(UserError, match="DATA003"):
        open_split(DataSource("parquet", "b", "b"), "test", folder=tmp_path, cache=tmp_path)


def test_class_names_in_a_parquet_files_own_notes_are_used(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    (picture,) = pictures(1)
    for names, expected in ((["cat", "dog"], ("cat", "dog")), (None, None)):
        notes = json.dumps({"info": {"features": {"label": {"names": names} if names else {"dtype": "int64"}}}})
        rows = pa.Table.from_pylist([{"image": {"bytes": picture.png}, "label": 1}])
        pq.write_table(rows.replace_schema_metadata({"huggingface": notes}), tmp_path / "a.parquet")
        source = DataSource("parquet", "a.parquet", "a.parquet")
        if expected is None:
            with pytest.raises(UserError, match="DATA007: the labels in 'label' are numbers"):
                open_split(source, "test", folder=tmp_path, cache=tmp_path)
        else:
            assert open_split(source, "test", folder=tmp_path, cache=tmp_path).class_names == expected


def notes_of(names: object) -> str:
    return json.dumps({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}})


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        (['{"info": {"features": {"label": {"names": ["a"], "names": ["b"]}}}}'], "the key 'names' stands twice"),
        (['{"info": {"features": '], "cannot be read"),
        ([notes_of("evil")], "is a ClassLabel by its metadata, whose names are evil"),
        ([notes_of([])], "is a ClassLabel by its metadata"),
        ([notes_of(["cat", "dog"]), notes_of(["dog", "cat"])], "0 in 'label' is 'cat' in 0.parquet and 'dog' in 1"),
        ([notes_of(["cat", "dog"]), notes_of(["cat"])], "1 in 'label' is 'dog' in 0.parquet and nothing in 1"),
    ],
)
def test_notes_of_a_parquet_file_that_are_not_clear_are_refused(notes: list[str], told: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    (picture,) = pictures(1)
    (tmp_path / "rows").mkdir()
    for number, text in enumerate(notes):
        rows = pa.Table.from_pylist([{"image": {"bytes": picture.png}, "label": 0}])
        pq.write_table(rows.replace_schema_metadata({"huggingface": text}), tmp_path / "rows" / f"{number}.parquet")
    with pytest.raises(UserError, match=f"DATA007.*{told}"):
        open_split(DataSource("parquet", "rows", "rows"), "test", folder=tmp_path, cache=tmp_path)
