"""The explorer on a study of fakes: python -m tests.explorer.fake_server STUDY."""

import sys
from pathlib import Path

import pytest

from conspect.study import inputs
from conspect.study.exploration.opening import opened
from conspect.web.explorer.serving import serve
from tests.fakes import FakeModel, FakeVlm

if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "load_model", lambda name, path: FakeModel())
        patch.setattr(inputs, "load_vlm", lambda name, cache: FakeVlm())
        serve(opened(Path(sys.argv[1])), 0, lambda url: print(f"exploring {url}", file=sys.stderr, flush=True))
