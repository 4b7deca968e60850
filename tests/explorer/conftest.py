import shutil
from pathlib import Path

import pytest

from conspect.study import Study, inputs
from conspect.study.exploration.opening import OpenedStudy, opened
from tests.fakes import EarlierModel, FakeVlm, fake_model, write_study


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a study.toml names, the fakes are loaded."""
    monkeypatch.setattr(inputs, "load_model", fake_model)
    monkeypatch.setattr(inputs, "load_vlm", lambda name, cache: FakeVlm())


def run(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "load_model", fake_model)
        patch.setattr(inputs, "load_vlm", lambda name, cache: FakeVlm())
        Study.open(folder).run()
    return folder


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study after a run; to be copied, not changed."""
    return run(write_study(tmp_path_factory.mktemp("explored")))


@pytest.fixture(scope="session")
def earlier_folder(tmp_path_factory: pytest.TempPathFactory, finished_folder: Path) -> Path:
    """The same images with the model before it broke; to be read, not changed."""
    folder = tmp_path_factory.mktemp("earlier") / "earlier"
    shutil.copytree(finished_folder, folder)
    config = folder / "study.toml"
    config.write_text(config.read_text().replace('name = "planted"', f'name = "{EarlierModel.name}"'))
    return run(folder)


@pytest.fixture
def study(finished_folder: Path, tmp_path: Path) -> OpenedStudy:
    """The finished study, opened, in a folder of its own."""
    return opened(shutil.copytree(finished_folder, tmp_path / "study"))


@pytest.fixture
def compared(finished_folder: Path, earlier_folder: Path, tmp_path: Path) -> OpenedStudy:
    """The finished study beside the earlier one."""
    return opened(shutil.copytree(finished_folder, tmp_path / "study"), before=earlier_folder)
