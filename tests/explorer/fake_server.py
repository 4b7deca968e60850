"""The explorer on a study of fakes: python -m tests.explorer.fake_server STUDY."""

import sys
from pathlib import Path

import pytest

from conspect.study import inputs
from conspect.study.exploration.current import Current
from conspect.study.exploration.opening import opened
from conspect.web.explorer.serving import serve
from tests.fakes import FakeVlm, fake_model

if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", fake_model)
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        folder, before = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
        current = Current(folder, lambda: opened(folder, before=before), opened(folder, before=before))
        serve(current, 0, lambda url: print(f"exploring {url}", file=sys.stderr, flush=True))
