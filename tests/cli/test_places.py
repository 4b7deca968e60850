"""A place that cannot be written is refused before anything long is begun, by every command that names one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from conspect.cli.main import main
from conspect.core.diagnostics import UserError
from conspect.core.files import require_place
from conspect.study import Study

# Each command, with the words before the place.
COMMANDS: dict[str, list[str]] = {
    "concepts suggest --out": ["concepts", "suggest", "STUDY", "--out"],
    "spec generate mined --output": ["spec", "generate", "mined", "STUDY", "--output"],
    "verify --certificate": ["verify", "p.cspec", "--study", "STUDY", "--certificate"],
    "verify --junit": ["verify", "p.cspec", "--study", "STUDY", "--junit"],
    "verify --sarif": ["verify", "p.cspec", "--study", "STUDY", "--sarif"],
    "doctor --junit": ["doctor", "--study", "STUDY", "--junit"],
    "fingerprint --out": ["fingerprint", "STUDY", "--out"],
    "monitor export --onnx": ["monitor", "export", "--study", "STUDY", "--onnx"],
    "export --to csv": ["export", "--study", "STUDY", "--to", "csv"],
    "export --to parquet": ["export", "--study", "STUDY", "--to", "parquet"],
    "export --to fiftyone": ["export", "--study", "STUDY", "--to", "fiftyone"],
    "compare --html": ["compare", "STUDY", "STUDY", "--html"],
    "gate --junit": ["gate", "STUDY", "--against", "STUDY", "--junit"],
    "gate --sarif": ["gate", "STUDY", "--against", "STUDY", "--sarif"],
    "gate --markdown": ["gate", "STUDY", "--against", "STUDY", "--markdown"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_below_a_file_is_refused_before_the_study_is_opened(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the study was opened")

    monkeypatch.setattr(Study, "open", opened)
    monkeypatch.setattr("conspect.study.finished.finished_study", opened)
    (tmp_path / "file").write_text("precious")
    words = [str(tmp_path) if word == "STUDY" else word for word in COMMANDS[command]]
    done = CliRunner().invoke(main, [*words, str(tmp_path / "file" / "x" / "y")])
    told = done.output + str(done.exception)
    assert "CLI004" in told, told
    assert "the study was opened" not in told
    assert isinstance(done.exception, UserError) or done.exit_code == 2
    assert os.listdir(tmp_path) == ["file"]


def test_places_that_can_be_written_are_none_of_its_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_text("")
    monkeypatch.chdir(tmp_path)
    for place in ("there", "new", tmp_path / "new", "/dev/stdout", "./new"):
        require_place(Path(place))
    require_place(Path("a/b/c"), making_folders=True)
    assert os.listdir(tmp_path) == ["there"]


def test_places_that_cannot_be_are_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place, options, why in (
        (tmp_path, {}, "it is a folder"),
        (tmp_path / "a" / "b", {}, "there is no folder"),
        (tmp_path / "there" / "b", {"making_folders": True}, "is no folder"),
        (tmp_path / ("x" * 300), {}, "name too long"),
        (tmp_path / "there", {"new": True}, "CLI001: .* already exists"),
        (tmp_path / "link", {"new": True}, "CLI001: .* already exists"),
    ):
        with pytest.raises(UserError, match=f"(?i){why}"):
            require_place(place, **options)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="does not allow it"):
        require_place(tmp_path / "new")
