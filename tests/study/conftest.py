import shutil
from pathlib import Path

import pytest

from conspect.study import Study, inputs
from tests.fakes import FakeModel, FakeVlm, write_study


@pytest.fixture(autouse=True)
def fakes(monkeypatch) -> None:
    """Whatever a study.toml names, the fakes are loaded."""
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """A study that was never run, with two images that cannot be read."""
    folder = write_study(tmp_path_factory.mktemp("pristine"))
    whole = next((folder / "images/test/blue").glob("*.png")).read_bytes()
    (folder / "images/test/blue/broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "images/test/green/empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy to run and to change."""
    return shutil.copytree(pristine, tmp_path / "study")


@pytest.fixture(scope="session")
def finished(pristine: Path, tmp_path_factory) -> Study:
    """The same study after a run; to be read, not changed."""
    copy = shutil.copytree(pristine, tmp_path_factory.mktemp("finished") / "study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", lambda request: FakeModel())
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        study = Study.open(copy)
        study.run()
    return study
