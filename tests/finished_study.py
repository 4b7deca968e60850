"""The study of the fakes after a run. Registered as a plugin in conftest.py, so that every folder has its fixtures."""

from pathlib import Path

import pytest

from conspect.results.results import Results
from conspect.study import Study, inputs
from tests.fakes import FakeModel, FakeVlm, write_study


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of the fakes after a run: 75 images, 13 failures; to be read, not changed."""
    folder = write_study(tmp_path_factory.mktemp("compared"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", lambda request: FakeModel())
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        Study.open(folder).run()
    return folder


@pytest.fixture(scope="session")
def before(finished_folder: Path) -> Results:
    return Study.open(finished_folder).results()
