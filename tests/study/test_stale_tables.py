"""What a table says of its images beside their class: an edit of it makes results stale, whatever kind of table it is."""

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from conspect.adapters.datasets import DataSource
from conspect.adapters.datasets.states import state_of
from conspect.core.diagnostics import UserError
from conspect.study import Study
from tests.adapters import data_layouts
from tests.adapters.data_layouts import pictures


def edit_csv(folder: Path) -> None:
    path = folder / "table.csv"
    path.write_text(path.read_text().replace("sun", "sea", 1))


def edit_parquet(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "rows" / "1.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["weather"], rows[1]["weather"] = rows[1]["weather"], rows[0]["weather"]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)


def edit_shard(folder: Path) -> None:
    path = folder / "shards" / "000.tar"
    with tarfile.open(path) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as archive:
        for member, content in members:
            changed = content.replace(b'"sun"', b'"sea"') if member.name.endswith(".json") else content
            archive.addfile(member, BytesIO(changed))


def edit_saved(folder: Path) -> None:
    (state,) = (folder / "saved" / "train").glob("state.json")
    state.write_text(json.dumps(json.loads(state.read_text()) | {"_fingerprint": "another"}))
    os.utime(state, ns=(1, 1))


LAYOUTS: dict[str, tuple[Callable[..., DataSource], Callable[[Path], None], tuple[str, ...]]] = {
    "csv": (data_layouts.csv_table, edit_csv, ()),
    "parquet": (data_layouts.parquet, edit_parquet, ("pyarrow",)),
    "webdataset": (data_layouts.webdataset, edit_shard, ("webdataset",)),
    "huggingface": (data_layouts.huggingface, edit_saved, ("datasets",)),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_table_that_was_edited_is_another_state_and_one_that_was_not_is_the_same(kind: str, tmp_path: Path) -> None:
    write, edit, needs = LAYOUTS[kind]
    for package in needs:
        pytest.importorskip(package)
    source = write(tmp_path, pictures())
    before = state_of(source, tmp_path)
    assert before
    assert state_of(source, tmp_path) == before
    edit(tmp_path)
    assert state_of(source, tmp_path) != before


def test_a_parquet_file_that_was_copied_is_the_same_state(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    source = data_layouts.parquet(tmp_path / "a", pictures())
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert state_of(source, tmp_path / "a") == state_of(source, tmp_path / "b")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 4 + b"PAR1"])
def test_what_is_no_parquet_file_has_a_state_too(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    source = DataSource("parquet", "t.parquet", "gone.parquet")
    assert len(state_of(source, tmp_path)) == 2


def as_parquet(folder: Path, light: str) -> None:
    """The study's images in two Parquet files with a column `light`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split in ("train", "test"):
        rows = [
            {"image": path.read_bytes(), "label": path.parent.name, "light": light if row else "dark"}
            for row, path in enumerate(sorted((folder / "images" / split).rglob("*.png")))
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
    text = (folder / "study.toml").read_text()
    data = '[data]\nkind = "parquet"\ntrain = "train.parquet"\ntest = "test.parquet"\nslices = ["light"]\n'
    (folder / "study.toml").write_text(data + text[text.index("[model]") :])


def test_results_are_stale_after_the_metadata_of_a_parquet_file_were_edited(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    as_parquet(folder, "day")
    study = Study.open(folder)
    results = study.run()
    assert results.slices is not None
    assert Study.open(folder).results() == results
    config = (folder / "study.toml").read_text()
    as_parquet(folder, "sun")
    (folder / "study.toml").write_text(config)
    with pytest.raises(UserError, match="STUDY004"):
        Study.open(folder).results()


def test_results_of_objects_are_stale_after_their_metadata_changed(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    as_parquet(folder, "day")
    study = Study.open(folder)
    study.run()
    test = study.inputs.test
    opened = Study(folder, study.config, study.inputs)
    assert opened.results().slices is not None
    values = ("night", *test.metadata["light"][1:])  # type: ignore[attr-defined]
    object.__setattr__(test, "metadata", {"light": values})
    with pytest.raises(UserError, match=r"STUDY004: .* was made with another metadata"):
        opened.results()
