"""The page in a real browser, and that its types are those of the server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conspect.web.explorer.document import text

EXPLORER = Path(__file__).parents[2] / "explorer"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")


def test_the_front_ends_types_come_from_the_records_as_they_are() -> None:
    """After a change of the records: python -m conspect.web.explorer.document >explorer/openapi.json; npm run types."""
    assert (EXPLORER / "openapi.json").read_text() == text()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None or NODE is None, reason="needs chromium and node")
@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_every_view_shows_what_it_counts_in_a_real_browser(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not (EXPLORER / "node_modules/playwright-core").is_dir():
        pytest.skip("the page is not built here: make explorer")
    names = ("finished_folder", "earlier_folder") if kind == "plain" else ("hostile_folder", "hostile_earlier")
    finished, earlier = (request.getfixturevalue(name) for name in names)
    study = shutil.copytree(finished, tmp_path / finished.name)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.explorer.fake_server", str(study), str(earlier)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=EXPLORER.parent,
    )
    try:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "http://" in line)
        walked = subprocess.run(
            [str(NODE), "tests/browser.mjs", address, str(CHROMIUM)],
            cwd=EXPLORER,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert walked.returncode == 0, walked.stderr
        assert json.loads(walked.stdout)["problems"] == [], walked.stdout
    finally:
        server.terminate()
        server.wait(20)
