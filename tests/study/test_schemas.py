"""The schemas that ship are those of the records, and say the same of a file as its reader."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from conspect.cli.main import main
from conspect.core.diagnostics import UserError
from conspect.results.files import encoded
from conspect.study.config import TEMPLATE, read_config
from conspect.study.study import Study
from tests import schemas

NAMES = ("results.schema.json", "study.schema.json")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", schemas.FOLDERS, ids=lambda folder: folder.parent.name)
def test_a_schema_has_not_drifted_from_the_records(folder: Path, name: str) -> None:
    assert (folder / name).read_text(encoding="utf-8") == schemas.files()[name], "run: python -m tests.schemas"


@pytest.mark.parametrize("name", ["results", "study"])
def test_the_command_prints_the_schema(name: str) -> None:
    done = CliRunner().invoke(main, ["schema", name])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads(schemas.files()[f"{name}.schema.json"])


def test_a_fresh_study_names_a_schema_that_lies_beside_it_and_that_it_fits(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert CliRunner().invoke(main, ["init", str(folder)]).exit_code == 0
    first, *_ = (folder / "study.toml").read_text().splitlines()
    assert first == "#:schema study.schema.json"
    schema = json.loads((folder / "study.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(TEMPLATE), schema)


@pytest.mark.parametrize(
    "text",
    [
        "[modle]\n",
        "[model]\nnaem = 'x'\n",
        "[settings]\nconfidence = 1\n",
        "[settings]\nseed = -1\n",
        "[data]\nkind = 'folder'\n",
        "[data]\nslices = 3\n",
        "[model]\nprecision = 'fp8'\n",
        "[properties]\nfiles = [1]\n",
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(text: str, tmp_path: Path) -> None:
    schema = json.loads(schemas.files()["study.schema.json"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema)
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(UserError, match="STUDY002"):
        read_config(tmp_path / "study.toml")


def test_the_results_of_a_run_fit_their_schema(finished: Study) -> None:
    schema = json.loads(schemas.files()["results.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads(encoded(finished.results()))
    jsonschema.validate(content, schema)
    content["localization"]["images"][0]["cause"] = "nobody"
    with pytest.raises(jsonschema.ValidationError, match="nobody"):
        jsonschema.validate(content, schema)
