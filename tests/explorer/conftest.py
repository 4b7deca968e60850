import shutil
from pathlib import Path

import pytest

from conspect.study import Study, inputs
from conspect.study.exploration.opening import OpenedStudy, opened
from tests.fakes import FakeModel, FakeVlm, write_study


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a study.toml names, the fakes are loaded."""
    monkeypatch.setattr(inputs, "load_model", lambda name, path: FakeModel())
    monkeypatch.setattr(inputs, "load_vlm", lambda name, cache: FakeVlm())


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study after a run; to be copied, not changed."""
    folder = write_study(tmp_path_factory.mktemp("explored"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "load_model", lambda name, path: FakeModel())
        patch.setattr(inputs, "load_vlm", lambda name, cache: FakeVlm())
        Study.open(folder).run()
    return folder


@pytest.fixture
def study(finished_folder: Path, tmp_path: Path) -> OpenedStudy:
    """The finished study, opened, in a folder of its own."""
    return opened(shutil.copytree(finished_folder, tmp_path / "study"))
