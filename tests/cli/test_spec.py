import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conspect.cli.spec import spec
from conspect.language import parse

GOOD = "property p: for all x in focus(truck): predict(x, truck) => metallic > ears\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spec, [str(argument) for argument in arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.cspec"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.cspec"
    path.write_bytes(b"predict(x, truck) => metallic\n")
    return path


def test_check_exits_with_0_or_2_and_reports_every_file(good: Path, bad: Path) -> None:
    assert run("check", good).exit_code == 0
    done = run("check", good, bad, "--json")
    assert done.exit_code == 2
    first, second = json.loads(done.output)["files"]
    assert (first["ok"], first["properties"], first["diagnostics"]) == (True, 1, [])
    (problem,) = second["diagnostics"]
    assert (problem["code"], problem["line"], problem["column"]) == ("SPEC117", 1, 22)


def test_check_knows_the_names_of_a_table(good: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("class,metalic,ears\ntruck,1,0\n")
    done = run("check", good, "--table", table)
    assert done.exit_code == 2
    assert "unknown concept 'metallic', did you mean 'metalic'?" in done.output


def test_warnings_fail_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "trivial.cspec"
    path.write_text("a > a\n")
    assert run("check", path).exit_code == 0
    assert "warning: " in run("check", path).output
    assert run("check", path, "--warnings-as-errors").exit_code == 2


@pytest.mark.parametrize("command", ["check", "fmt", "explain"])
def test_a_missing_file_is_a_diagnostic(command: str) -> None:
    done = run(command, "nowhere.cspec")
    assert done.exit_code == 2
    assert "SPEC415" in done.output
    assert json.loads(run(command, "nowhere.cspec", "--json").output)["files"][0]["ok"] is False


def test_fmt_prints_checks_and_writes(good: Path) -> None:
    tidy = "property p:\n    for all x in focus(truck):\n        predict(x, truck) implies metallic > ears\n"
    assert run("fmt", good).output == tidy
    assert run("fmt", good, "--check").exit_code == 2
    assert good.read_text() == GOOD
    assert run("fmt", good, "--write").exit_code == 0
    assert good.read_text() == tidy
    assert run("fmt", good, "--check").exit_code == 0
    assert not list(good.parent.glob("*.new"))


def test_fmt_rewrites_in_another_spelling_and_says_what_is_lost(good: Path) -> None:
    good.write_text("# why\n" + GOOD)
    row = json.loads(run("fmt", good, "--to", "module", "--json").output)["files"][0]
    assert "E p ::> predict(truck) => >(truck, metallic, ears)" in row["text"]
    assert {note["code"] for note in row["diagnostics"]} == {"SPEC401"}
    assert "drops the 1 comments" in row["diagnostics"][0]["problem"]


def test_explain_tells_each_property(good: Path, bad: Path) -> None:
    done = run("explain", good)
    assert done.exit_code == 0
    assert "If the model assigns 'truck', then 'metallic' is stronger than 'ears'." in done.output
    row = json.loads(run("explain", good, "--json").output)["files"][0]["properties"][0]
    assert set(row) == {"name", "line", "claim", "quantifier", "region", "notes"}
    assert run("explain", bad).exit_code == 2


def test_generate_from_a_table_and_an_ontology(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("class,metallic,ears\ntruck,1,0\n")
    text = run("generate", "table", table, "--spelling", "paper").output
    assert text.splitlines()[-1].endswith("predict(x, truck) => >(x, metallic, ears)")
    output = tmp_path / "out.cspec"
    assert json.loads(run("generate", "table", table, "--output", output, "--json").output)["properties"] == 1
    assert parse(output.read_bytes()) == parse(text)
    assert run("generate", "table", table, "--relevant", "2").exit_code == 2
    assert run("generate", "ontology", tmp_path / "nowhere.ttl").exit_code == 2


def test_help_is_quick_and_loads_no_numpy() -> None:
    code = "import sys; from conspect.cli.spec import spec; assert 'numpy' not in sys.modules"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.perf_counter() - began < 2  # the target is 0.4 s of an idle machine
