"""Slices and concept labels of a study: a CSV whose columns hold what the fakes have planted."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from conspect.comparison.compare import compare
from conspect.core.diagnostics import UserError
from conspect.study import Study
from conspect.study.finished import finished_study
from tests.documentation import leaves
from tests.records import plain
from tests.report.pages import Page

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def table_study(folder: Path) -> Path:
    """The fakes' images through a CSV: column `planted` names the fault, `place` is hostile text, `reddish` is 1 for red."""
    for split in ("train", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["path", "label", "planted", "place", "reddish", "bluish", "shiny"])
            for number, path in enumerate(sorted((folder / "images" / split).glob("*/*.png"))):
                label, planted = path.parent.name, path.stem.rsplit("-", 1)[0]
                shown = "" if number % 7 == 0 else int(label == "red")
                place = HOSTILE if number % 2 else ""
                row = [path.relative_to(folder), label, planted, place, shown, int(label == "blue"), 1]
                writer.writerow(row)
    (folder / "study.toml").write_text(
        '[data]\nkind = "csv"\ntrain = "train.csv"\ntest = "test.csv"\nslices = ["planted", "place"]\n'
        'concept_columns = ["reddish", "bluish", "shiny"]\n[model]\nname = "planted"\n'
        '[concepts]\nfile = "concepts.toml"\nclass_attributes = "attributes.csv"\n'
    )
    return folder


def test_the_planted_fault_is_the_worst_slice(table_study: Path) -> None:
    results = plain(Study.open(table_study).run())
    slices = results["slices"]
    by_value = {group["value"]: group for group in slices["slices"]}
    assert {group["value"] for group in slices["slices"][:3]} == {"head", "encoder", "undecided"}
    for value, images in (("head", 6), ("encoder", 4), ("undecided", 3)):
        group = by_value[value]
        assert (group["column"], group["accuracy"]["n"], group["accuracy"]["successes"]) == ("planted", images, 0)
        assert group["failures"] == {"head": 0, "encoder": 0, "undecided": 0} | {value: images}
        assert group["p_value"] < 0.05
    assert by_value["right"]["accuracy"]["value"] == 1.0
    assert by_value["right"]["satisfied"] == 1.0
    assert by_value["encoder"]["satisfied"] < 1.0
    assert slices["columns"] == [{"name": "planted", "unknown": 0}, {"name": "place", "unknown": 37}]
    assert json.loads((table_study / "results.json").read_text())["slices"] == slices


def test_the_table_of_failures_says_which_slices_each_lies_in(table_study: Path) -> None:
    Study.open(table_study).run()
    finished = finished_study(table_study)
    assert finished.failures is not None
    planted, places = finished.failures.values["planted"], finished.failures.values["place"]
    assert len(planted) == len(finished.failures.images) == 13
    assert all(image.id.rsplit("/", 1)[-1].startswith(f"{planted[image.id]}-") for image in finished.failures.images)
    assert set(places.values()) <= {HOSTILE, None}
    same = compare(
        finished.results, finished.results, names=("a", "b"), failures=(finished.failures, finished.failures)
    )
    assert same.accuracy is not None
    assert {change.pairing for change in same.accuracy.by_slice} == {"paired"}


def test_labelled_concepts_are_detected_through_the_lens_and_by_the_vlm(table_study: Path) -> None:
    labels = plain(Study.open(table_study).run())["concept_labels"]
    assert [concept["concept"] for concept in labels["concepts"]] == ["reddish", "bluish"]
    assert labels["not_asked"] == ["shiny"]
    for concept in labels["concepts"]:
        assert concept["lens"]["low"] <= concept["lens"]["auroc"] <= concept["lens"]["high"]
        assert concept["lens"]["within_classes"] is None, "no class is red in part"
    red, blue = labels["concepts"]
    # The VLM takes two reds for blue; the model's encoder takes seven greens for blue.
    assert (red["shown"], red["not_shown"]) == (19, 46)
    assert red["vlm"]["auroc"] < 1.0 == red["lens"]["auroc"]
    assert blue["lens"]["auroc"] < 1.0
    assert labels["mean_lens"] == pytest.approx((red["lens"]["auroc"] + blue["lens"]["auroc"]) / 2)


def test_the_report_shows_both_sections_and_escapes_what_the_columns_hold(table_study: Path) -> None:
    Study.open(table_study).run()
    text = (table_study / "report.html").read_text()
    page = Page(text)
    assert HOSTILE not in text
    assert HOSTILE in page.words
    assert {"slices", "concepts"} <= set(page.ids)
    for words in ("Where in the data", "Does the lens see the concept?", "37 images have no value in place", "shiny"):
        assert words in page.words


def test_every_field_of_both_is_on_the_page_of_data(table_study: Path) -> None:
    results = plain(Study.open(table_study).run())
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    sections = {"slices": "## Slices", "concept_labels": "## Concept labels"}
    for name, title in sections.items():
        rows = [
            line.split("|")[1] for line in page.split(title)[1].split("\n## ")[0].splitlines() if line.startswith("| `")
        ]
        documented = {field for row in rows for field in re.findall(r"`([^`]+)`", row)}
        fields = {path for path in leaves(results[name]) if not path.startswith("slices[].accuracy.")}
        assert fields | {"slices[].accuracy"} & documented == documented


def test_training_labels_make_the_table_of_relevant_concepts(table_study: Path) -> None:
    text = (table_study / "study.toml").read_text()
    (table_study / "study.toml").write_text(text.replace('class_attributes = "attributes.csv"\n', ""))
    (table_study / "concepts.toml").write_text('[concepts]\nreddish = ["reddish"]\nbluish = ["bluish"]\n')
    attributes = Study.open(table_study).inputs.attributes
    assert attributes is None, "no training image is yellow, so the table does not cover the model's classes"
    with (table_study / "train.csv").open("a") as out:
        out.write("images/train/nowhere.png,yellow,right,,0.0,no,1\n")
    attributes = Study.open(table_study).inputs.attributes
    assert attributes is not None
    assert attributes.class_names == ("red", "green", "blue", "yellow")
    assert attributes.shares.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("slices", "message"), [('["planet"]', "no column 'planet'"), ('["path"]', "has 76 different values")]
)
def test_a_column_that_is_no_slice_is_refused_before_anything_is_computed(
    table_study: Path, monkeypatch, slices: str, message: str
) -> None:
    monkeypatch.setattr("conspect.study.inputs.MOST_SLICES", 50)
    path = table_study / "study.toml"
    path.write_text(path.read_text().replace('["planted", "place"]', slices))
    with pytest.raises(UserError, match=message):
        Study.open(table_study).run()
    assert not (table_study / "embeddings").exists()


def test_folders_have_the_slices_of_their_sub_folders_and_no_others(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("[model]", 'slices = ["weather"]\n[model]', 1))
    with pytest.raises(UserError, match=r"(?s)no column 'weather'.*columns of this data set: subfolder"):
        Study.open(folder).run()
