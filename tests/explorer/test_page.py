"""The page in a real browser, and that its types are those of the server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conspect.study import Study
from conspect.web.explorer.document import text

EXPLORER = Path(__file__).parents[2] / "explorer"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")


def test_the_front_ends_types_come_from_the_records_as_they_are() -> None:
    """After a change of the records: python -m conspect.web.explorer.document >explorer/openapi.json; npm run types."""
    assert (EXPLORER / "openapi.json").read_text() == text()


# No window is opened on the desktop of whoever runs the tests.
WITHOUT_DESKTOP = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or NODE is None or not (EXPLORER / "node_modules/playwright-core").is_dir(),
    reason="needs chromium, node and the page: make explorer",
)


def walked(script: str, study: Path, earlier: Path | None, *options: str) -> list[str]:
    """The problems that a script of the page's tests finds in an explorer on `study`, beside `earlier`."""
    named = [str(study), *([] if earlier is None else [str(earlier)])]
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.explorer.fake_server", *named],
        stderr=subprocess.PIPE,
        text=True,
        cwd=EXPLORER.parent,
        env=WITHOUT_DESKTOP,
    )
    try:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "http://" in line)
        done = subprocess.run(
            [str(NODE), f"tests/{script}", address, str(CHROMIUM), *options],
            cwd=EXPLORER,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        problems: list[str] = json.loads(done.stdout)["problems"]
        return problems
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize(
    ("kind", "script", "options"),
    [
        ("plain", "browser.mjs", ()),
        ("plain", "accessible.mjs", ()),
        ("plain", "addresses.mjs", ()),
        ("plain", "keyboard.mjs", ()),
        ("plain", "keyboard.mjs", ("400",)),
        ("hostile", "browser.mjs", ()),
        ("hostile", "accessible.mjs", ("400,1280",)),
    ],
)
def test_every_view_shows_what_it_counts_to_everybody_in_a_real_browser(
    kind: str, script: str, options: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    names = ("finished_folder", "earlier_folder") if kind == "plain" else ("hostile_folder", "hostile_earlier")
    finished, earlier = (request.getfixturevalue(name) for name in names)
    study = shutil.copytree(finished, tmp_path / finished.name)
    assert walked(script, study, earlier, *options) == []


@pytest.mark.slow
@in_a_browser
def test_a_webcam_is_judged_and_what_is_wrong_with_it_is_said(finished_folder: Path, tmp_path: Path) -> None:
    assert walked("webcam.mjs", shutil.copytree(finished_folder, tmp_path / "study"), None) == []


@pytest.mark.slow
@in_a_browser
def test_two_tabs_a_run_underneath_and_a_killed_server_lose_nothing(finished_folder: Path, tmp_path: Path) -> None:
    study = shutil.copytree(finished_folder, tmp_path / "study")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.explorer.fake_server", str(study)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=EXPLORER.parent,
        env=WITHOUT_DESKTOP,
    )
    assert server.stderr is not None
    address = next(line.split()[-1] for line in server.stderr if "http://" in line)
    script = subprocess.Popen(
        [str(NODE), "tests/tabs.mjs", address, str(CHROMIUM), str(server.pid)],
        cwd=EXPLORER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert script.stderr is not None
        assert next(script.stderr, "") == "decided\n"
        config = study / "study.toml"
        config.write_text(config.read_text() + "\n[settings]\nconfidence = 0.9\n")
        Study.open(study).run()
        told, wrong = script.communicate(timeout=200)
        assert script.returncode == 0, wrong
        assert json.loads(told)["problems"] == []
        decisions = (study / "label_decisions.csv").read_text().splitlines()
        assert (decisions[0], len(decisions)) == ("id,decision,label", 3)
    finally:
        script.kill()
        server.kill()
        script.wait(20)
        server.wait(20)
