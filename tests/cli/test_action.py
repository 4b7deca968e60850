"""The GitHub Action's own steps, run one after the other as a runner does, and the example repository that uses it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conspect.results.files import encoded
from conspect.study import Study, inputs
from tests.comparison.studies import with_failures
from tests.documentation import ROOT
from tests.fakes import FakeModel, FakeVlm, write_study

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's folder, with a study in it and a `conspect` on the path that opens the fakes."""
    write_study(tmp_path / "study")
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "conspect"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m tests.study.fake_cli \"$@\"\n")
    command.chmod(0o755)
    return tmp_path


def baseline(folder: Path, place: Path, *, perfect: bool) -> None:
    """Results of the same study of another model, wrong on the same images; `perfect`: of one that fails nowhere."""
    copy = shutil.copytree(folder, place.parent / "baseline-study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", lambda request: FakeModel())
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        results = Study.open(copy).run()
    failures = [] if perfect else results.localization.images
    place.write_bytes(encoded(with_failures(results, failures)))


def due(condition: str, values: dict[str, str], outcomes: dict[str, str], *, failed: bool) -> bool:
    """Whether a runner takes a step: without a word about it, only where none before it has failed."""
    inside = re.fullmatch(r"\$\{\{ (.*) \}\}", condition)
    assert inside is not None, condition
    parts = inside.group(1).split(" && ")
    wanted = []
    for part in parts:
        given = re.fullmatch(r"inputs\.(\w+) != ''", part)
        after = re.fullmatch(r"steps\.(\w+)\.outcome == 'success'", part)
        assert given or after or part in ("!cancelled()", "success()"), part
        wanted.append(
            bool(values[given.group(1)]) if given else outcomes.get(after.group(1)) == "success" if after else True
        )
    return all(wanted) and ("!cancelled()" in parts or not failed)


def run_steps(folder: Path, **given: str) -> tuple[int, dict[str, str], str]:
    """Exit code of the first step that fails (0: none does), the outputs, and the summary of the job."""
    values = {name: str(entry.get("default", "")) for name, entry in ACTION["inputs"].items()} | given
    assert not [name for name, entry in ACTION["inputs"].items() if entry.get("required") and not values[name]]
    output, summary = folder / "output", folder / "summary"
    for file in (output, summary):
        file.touch()
    code, ran = 0, 0
    outcomes: dict[str, str] = {}
    for step in ACTION["runs"]["steps"]:
        if not due(step.get("if", "${{ success() }}"), values, outcomes, failed=bool(code)):
            continue
        own = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: values[match.group(1)], text)
            for name, text in step["env"].items()
        }
        environment = {
            **os.environ,
            **own,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
        }
        ran += 1
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env=environment,
            check=False,
        ).returncode
        outcomes[step.get("id", "")] = "failure" if ended else "success"
        code = code or ended
    assert ran
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return code, outputs, summary.read_text()


@pytest.mark.parametrize(("perfect", "code", "verdict"), [(True, 1, "fail"), (False, 0, "investigate")])
def test_the_action_gates_a_study(runner: Path, perfect: bool, code: int, verdict: str) -> None:
    baseline(runner / "study", runner / "baseline.json", perfect=perfect)
    done = run_steps(runner, study="study", baseline="baseline.json", install="")
    assert done[:2] == (code, {"verdict": verdict})
    assert f" {verdict}" in done[2]
    written = {path.name for path in (runner / "conspect-reports").iterdir()}
    assert written == {
        "report.html",
        "results.json",
        "failures.arrows",
        "orders.arrows",
        "gate.xml",
        "gate.sarif",
        "gate.md",
    }


def test_a_violated_property_fails_the_job_and_the_gate_is_in_its_summary_all_the_same(runner: Path) -> None:
    baseline(runner / "study", runner / "baseline.json", perfect=False)
    (runner / "claims.cspec").write_text("property p: for all x in focus(red, gamma = 9): greenish > reddish\n")
    given = {"study": "study", "baseline": "baseline.json", "specifications": "claims.cspec", "install": ""}
    code, outputs, summary = run_steps(runner, **given)
    assert (code, outputs) == (1, {"verdict": "investigate"})
    assert "investigate" in summary
    assert {"properties.xml", "gate.md"} <= {path.name for path in (runner / "conspect-reports").iterdir()}


def test_no_gate_judges_a_study_that_did_not_run(runner: Path) -> None:
    (runner / "study" / "study.toml").write_text("[model")
    code, outputs, summary = run_steps(runner, study="study", baseline="nowhere.json", install="")
    assert (code, outputs, summary) == (2, {}, "")


def test_a_step_that_cannot_work_fails_with_conspects_exit_code(runner: Path) -> None:
    assert run_steps(runner, study="study", baseline="nowhere.json", install="")[0] == 2


def test_the_example_repository_names_what_the_action_and_the_hooks_have() -> None:
    example = ROOT / "examples" / "ci"
    workflow = yaml.safe_load((example / ".github/workflows/model.yml").read_text(encoding="utf-8"))
    (given,) = [step["with"] for step in workflow["jobs"]["gate"]["steps"] if "conspect" in str(step.get("uses"))]
    assert set(given) <= set(ACTION["inputs"])
    assert (example / given["study"] / "study.toml").is_file()
    assert (example / given["specifications"]).is_file()
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    used = yaml.safe_load((example / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in used["repos"][0]["hooks"]] == [hook["id"] for hook in hooks]


def test_every_workflow_is_yaml_whose_commands_exist() -> None:
    commands = []
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        commands += [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert len(commands) >= 6
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands:
        first, *rest = command.split()
        assert (ROOT / first).is_file() if first.startswith(".ci/") else first == "make" and f"\n{rest[0]}:" in targets
