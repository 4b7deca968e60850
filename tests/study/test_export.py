"""A study of the fakes, exported and read back by other readers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conspect.adapters.datasets.views.subsets import Subset
from conspect.adapters.exports.fiftyone import write_fiftyone
from conspect.adapters.exports.tables import Row
from conspect.cli.export import export as command
from conspect.core.diagnostics import UserError
from conspect.study import Study
from conspect.study.export import export, export_rows
from tests.fakes import CLASSES


def test_every_readable_image_is_exported_with_what_was_planted(finished: Study, tmp_path: Path) -> None:
    assert export(finished, "csv", tmp_path / "study.csv") == 75
    with (tmp_path / "study.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len({row["id"] for row in rows}) == 75
    verdicts = [row["paper_verdict"] for row in rows if row["correct"] == "False"]
    assert {v: verdicts.count(v) for v in set(verdicts)} == {"head": 6, "encoder": 4, "undecided": 3}
    for row in rows:
        planted = Path(row["path"]).stem.rsplit("-", 1)[0]
        assert row["id"] == Path(row["path"]).relative_to((finished.folder / "images/test").resolve()).as_posix()
        assert (row["label"] == row["output"]) == (row["correct"] == "True") == (planted in ("right", "vlm-blind"))
        assert row["paper_verdict"] == ("" if row["correct"] == "True" else planted)
        assert 1 / len(CLASSES) <= float(row["confidence"]) <= 1
        if planted == "encoder":
            assert "greenish > bluish" in row["broken"].split("; ")
            assert float(row["strength bluish"]) > float(row["strength greenish"])


def test_parquet_holds_the_same_with_types(finished: Study, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    export(finished, "parquet", tmp_path / "deep" / "study.parquet")
    assert pq.read_table(tmp_path / "deep" / "study.parquet").to_pylist() == export_rows(finished)


def test_fiftyone_gets_samples_with_classifications_and_plain_names(finished: Study, tmp_path: Path) -> None:
    export(finished, "fiftyone", tmp_path / "fo")
    samples = json.loads((tmp_path / "fo" / "samples.json").read_text())["samples"]
    assert "version" not in json.loads((tmp_path / "fo" / "metadata.json").read_text())
    assert len(samples) == 75
    for sample, row in zip(samples, export_rows(finished), strict=True):
        assert Path(sample["filepath"]).is_file()
        assert sample["ground_truth"] == {"_cls": "Classification", "tags": [], "label": row["label"]}
        assert sample["prediction"]["label"] == row["output"]
        assert sample["prediction"]["confidence"] == row["confidence"]
        assert sample["tags"] == ["right" if row["correct"] else "wrong"]
        assert sample["strength_reddish"] == row["strength reddish"]
        assert sample["image"] == row["id"]
        assert all(name.isidentifier() for name in sample if name != "_cls")


def test_images_without_a_file_are_written_beside_the_samples(tmp_path: Path) -> None:
    row = {"id": "a", "path": None, "label": "x", "output": "y", "confidence": 0.5, "correct": False}
    rows = [{**row, "strength a-b": 1.0, "strength a b": 2.0, "ground truth": 3.0, "7": 4.0, "filepath": 5.0}]
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    write_fiftyone(rows, list(rows[0]), tmp_path, name="n", pixels=lambda _: pixels)
    (sample,) = json.loads((tmp_path / "samples.json").read_text())["samples"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / sample["filepath"])), pixels)
    values = [value for value in sample.values() if isinstance(value, float)]
    assert sorted(values) == [1, 2, 3, 4, 5], "names that fall together are told apart"
    assert (sample["filepath"], sample["ground_truth"]["label"]) == ("data/000000.png", "x")


def test_a_subset_knows_where_its_files_are(finished: Study) -> None:
    test = finished.inputs.test
    part = Subset(test, np.array([5, 2]))
    assert [part.path(0), part.path(1)] == [test.path(5), test.path(2)]  # type: ignore[attr-defined]


def test_a_study_that_was_not_run_and_an_occupied_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="STUDY003"):
        export(Study.open(folder), "csv", tmp_path / "x.csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "metadata.json").write_text("precious")
    for to, out in (("fiftyone", tmp_path / "full"), ("csv", tmp_path / "full")):
        done = CliRunner().invoke(command, ["--study", str(folder), "--to", to, str(out)])
        assert isinstance(done.exception, UserError)
        assert "CLI001" in str(done.exception)
    assert (tmp_path / "full" / "metadata.json").read_text() == "precious"


def test_the_command_says_where_it_wrote(finished: Study, tmp_path: Path) -> None:
    out = tmp_path / "study.csv"
    done = CliRunner().invoke(command, ["--study", str(finished.folder), "--to", "csv", str(out)])
    assert done.exit_code == 0, done.output
    assert str(out) in done.output
    assert "75 images" in done.output


@pytest.mark.parametrize("to", ["csv", "parquet", "fiftyone"])
def test_an_export_holds_no_more_than_a_part_of_the_rows(
    to: str, finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if to == "parquet":
        pytest.importorskip("pyarrow.parquet")
    alive = most = 0

    class Counted(dict[str, object]):
        """A row that says when it comes and goes."""

        def __init__(self, *given: object) -> None:
            nonlocal alive, most
            super().__init__(*given)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    rows = export_rows(finished)
    monkeypatch.setattr("conspect.adapters.exports.tables.GROUP_ROWS", 8)
    monkeypatch.setattr("conspect.study.export.stream_rows", lambda study, bar: (Counted(row) for row in rows))
    assert export(finished, to, tmp_path / "out") == 75  # type: ignore[arg-type]
    assert 1 <= most <= 9


def test_what_does_not_end_well_leaves_the_old_file(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(finished, "csv", tmp_path / "study.csv")
    before, (first, *_) = (tmp_path / "study.csv").read_bytes(), export_rows(finished)

    def broken(study: Study, bar: object) -> Iterator[Row]:
        yield first
        raise RuntimeError("no more")

    monkeypatch.setattr("conspect.study.export.stream_rows", broken)
    with pytest.raises(RuntimeError):
        export(finished, "csv", tmp_path / "study.csv")
    assert (tmp_path / "study.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["study.csv"]
