"""The report in a real browser, in both themes, wide, narrow and on paper."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conspect.study import Study, inputs
from tests.fakes import FakeModel, FakeVlm, write_study

EXPLORER = Path(__file__).parents[2] / "explorer"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None or NODE is None, reason="needs chromium and node")
def test_a_report_is_whole_wherever_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (EXPLORER / "node_modules/playwright-core").is_dir():
        pytest.skip("what drives the browser is not installed here: make explorer")
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    study = Study.open(write_study(tmp_path))
    study.run()
    walked = subprocess.run(
        [str(NODE), "tests/report.mjs", str(study.folder / "report.html"), str(CHROMIUM)],
        cwd=EXPLORER,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert walked.returncode == 0, walked.stderr
    told = json.loads(walked.stdout)
    assert told["problems"] == []
    assert told["seen"]["cells"] == 12
    assert told["seen"]["dots"] > 0
    assert told["seen"]["pictures"] > 12
    assert told["seen"]["cards"] == 13
    assert told["seen"]["printed"] > 0
