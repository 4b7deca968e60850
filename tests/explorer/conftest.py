import shutil
from pathlib import Path

import pytest

from conspect.study import Study, inputs
from conspect.study.exploration.opening import OpenedStudy, opened
from tests.fakes import EarlierModel, FakeVlm, fake_model, write_study


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a study.toml names, the fakes are loaded."""
    monkeypatch.setattr(inputs, "model_of", fake_model)
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())


def run(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", fake_model)
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        Study.open(folder).run()
    return folder


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study after a run; to be copied, not changed."""
    return run(write_study(tmp_path_factory.mktemp("explored")))


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\u202e\u2066gnp.exe",
    "a\u009b31m'\"&lt;b&gt;",
    "=HYPERLINK(1)",
    "%2e%2e%2f",
)


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same study with images and concepts whose names would run, turn or escape."""
    folder = write_study(tmp_path_factory.mktemp("hostile") / "study <b>\u202e")
    for label in sorted((folder / "images" / "test").iterdir()):
        # Of each class right ones and wrong ones: the last are those with faults planted in them.
        files = sorted(label.iterdir())
        for number, name in enumerate(HOSTILE):
            files[number if number < 3 else -number].rename(label / f"{name} {number}.png")
        # Nothing to break the line at, on a mistake and on a right one.
        for place in (-5, 3):
            files[place].rename(label / f"{'W' * 200}{place}.png")
    concepts = folder / "concepts.toml"
    concepts.write_text(concepts.read_text().replace("bluish = ", '"<b onclick=alert(1)>blu\u202eish" = '))
    attributes = folder / "attributes.csv"
    attributes.write_text(attributes.read_text().replace("bluish", "<b onclick=alert(1)>blu\u202eish"))
    return run(folder)


def run_earlier(folder: Path, target: Path) -> Path:
    """The same images with the model before it broke."""
    shutil.copytree(folder, target)
    config = target / "study.toml"
    config.write_text(config.read_text().replace('name = "planted"', f'name = "{EarlierModel.name}"'))
    return run(target)


@pytest.fixture(scope="session")
def earlier_folder(tmp_path_factory: pytest.TempPathFactory, finished_folder: Path) -> Path:
    """To be read, not changed."""
    return run_earlier(finished_folder, tmp_path_factory.mktemp("earlier") / "earlier")


@pytest.fixture(scope="session")
def hostile_earlier(tmp_path_factory: pytest.TempPathFactory, hostile_folder: Path) -> Path:
    """To be read, not changed."""
    return run_earlier(hostile_folder, tmp_path_factory.mktemp("earlier") / "before <i>\u202e")


@pytest.fixture
def study(finished_folder: Path, tmp_path: Path) -> OpenedStudy:
    """The finished study, opened, in a folder of its own."""
    return opened(shutil.copytree(finished_folder, tmp_path / "study"))


@pytest.fixture
def compared(finished_folder: Path, earlier_folder: Path, tmp_path: Path) -> OpenedStudy:
    """The finished study beside the earlier one."""
    return opened(shutil.copytree(finished_folder, tmp_path / "study"), before=earlier_folder)
