"""The command line with the fakes in the place of model and VLM: python -m tests.study.fake_cli run FOLDER."""

from conspect.cli.main import run
from conspect.study import inputs
from tests.fakes import FakeModel, FakeVlm

if __name__ == "__main__":
    inputs.load_model = lambda name, path: FakeModel()  # type: ignore[assignment, attr-defined, misc]
    inputs.load_vlm = lambda name, cache: FakeVlm()  # type: ignore[assignment, attr-defined, misc]
    run()
