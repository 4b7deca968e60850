"""What a data set leaves out is told where the study is run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from conspect.adapters.runtimes.torch_runtime import need
from conspect.cli.study import run
from conspect.core.diagnostics import OutsideError
from conspect.study import inputs
from tests.fakes import FakeModel, FakeVlm, write_study


def test_the_run_says_what_was_left_out_of_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "load_model", lambda name, **_: FakeModel())
    monkeypatch.setattr(inputs, "load_vlm", lambda name, **_: FakeVlm())
    folder = write_study(tmp_path)
    classes = next(path.parent for path in sorted(folder.rglob("*.png")))
    (classes / "phone.HEIC").write_bytes(b"x")
    found = CliRunner().invoke(run, [str(folder)])
    assert found.exit_code == 0, found.output
    assert "1 files of another ending are not read (.heic 1)" in found.stderr


def test_all_packages_that_are_missing_are_named_at_once() -> None:
    with pytest.raises(OutsideError, match=r"needs no_such_a and no_such_b\n  fix: pip install 'conspect\[x\]'"):
        need("no_such_a, numpy, no_such_b", "MODEL001", "this model", "x")
