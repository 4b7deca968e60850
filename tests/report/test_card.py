"""The model card: its metadata are those of the hub's own reader, and nothing from outside is markup."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from msgspec.structs import replace

from conspect.cli.main import main
from conspect.report.card import model_card
from conspect.results.results import Results


def test_the_metadata_are_read_by_the_hubs_own_library(before: Results) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="could not run: huggingface_hub")
    data = hub.ModelCard(model_card(before)["README.md"]).data
    assert data.pipeline_tag == "image-classification"
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", pytest.approx(before.model.accuracy, abs=1e-6))
    assert (result.dataset_name, result.dataset_split) == (before.dataset.name, before.dataset.split)


@pytest.mark.parametrize(
    "sign", ["\x7f", "\x85", "\x9b", "\u2028", "\ufeff", "\uffff", "\U0001f600", "\n", "\t", "'", ": ", "#", "…"]
)
def test_a_name_with_any_sign_comes_back_from_the_metadata_as_it_is(before: Results, sign: str) -> None:
    name = f"a{sign}b"
    odd = replace(before, model=replace(before.model, name=name), dataset=replace(before.dataset, name=f"my {name}"))
    head = model_card(odd)["README.md"].split("\n---\n", 1)[0].removeprefix("---\n")
    (entry,) = yaml.safe_load(head)["model-index"]
    assert entry["name"] == name
    (result,) = entry["results"]
    assert result["dataset"]["name"] == f"my {name}"
    assert re.fullmatch(r"my-a[A-Za-z0-9._/-]*b", result["dataset"]["type"])


def test_every_picture_is_there_and_is_xml(before: Results) -> None:
    files = model_card(before)
    named = set(re.findall(r"\]\(([^)]+\.svg)\)", files["README.md"]))
    assert named == set(files) - {"README.md"}
    assert len(named) == 2
    assert all(ET.fromstring(files[name]).tag.endswith("svg") for name in named)


def test_hostile_names_stay_text(before: Results) -> None:
    name = '---\nevil: true\n| <img src=x onerror=alert(1)> ![a](b) "'
    classes = (name, *before.classes[1:])
    hostile = replace(before, model=replace(before.model, name=name), classes=classes)
    text = model_card(hostile)["README.md"]
    head, body = text.split("\n---\n", 1)
    assert yaml.safe_load(head.removeprefix("---\n"))["model-index"][0]["name"] == name
    assert "<img" not in body
    assert "![a]" not in body
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 4}


def test_the_command_writes_the_card(finished_folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["card", str(finished_folder), "--out", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, f"card: {tmp_path / 'README.md'}\n")
    assert (tmp_path / "README.md").read_text().startswith("---\npipeline_tag:")


def test_a_card_of_a_results_file_goes_beside_it(finished_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_bytes((finished_folder / "results.json").read_bytes())
    for command, name in (("card", "README.md"), ("evidence", "evidence.svg")):
        done = CliRunner().invoke(main, [command, str(tmp_path / "results.json")])
        assert done.exit_code == 0, done.output
        assert (tmp_path / command / name).is_file()
