"""The command line with the fakes in the place of model and VLM: python -m tests.study.fake_cli run FOLDER."""

from conspect.cli.main import run
from conspect.study import inputs
from tests.fakes import FakeModel, FakeVlm

if __name__ == "__main__":
    inputs.model_of = lambda request: FakeModel()  # type: ignore[attr-defined]
    inputs.vlm_of = lambda request, cache: FakeVlm()  # type: ignore[attr-defined, misc]
    run()
