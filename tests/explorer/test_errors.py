"""Every diagnostic of the explorer, really raised. After a change of wording: pytest tests/explorer/test_errors.py --golden."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.requests import Request

from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError
from conspect.results.exploration import Order
from conspect.study.exploration.current import Current
from conspect.study.exploration.filters import ImageFilter
from conspect.study.exploration.notes import read_decisions
from conspect.study.exploration.opening import OpenedStudy
from conspect.study.running import running
from conspect.web.explorer import app
from conspect.web.explorer.endpoints import answered

GOLDEN = Path(__file__).parents[1] / "golden" / "explorer_errors"


def wrong_table(study: OpenedStudy) -> object:
    (study.folder / "decisions.csv").write_text("id,decision,label\na.png,perhaps,\n")
    return read_decisions(study.folder / "decisions.csv")


def stranger(_study: OpenedStudy) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"evil.example")]}
    app.require_right(Request(scope), "token", frozenset({"127.0.0.1:1"}))


def not_yet(study: OpenedStudy) -> None:
    (study.folder / "manifest.json").unlink()
    with running(study.folder / "study.toml"):
        Current(study.folder, lambda: study).study()


RAISERS: dict[str, Callable[[OpenedStudy], object]] = {
    "EXPLORE001": lambda study: study.exploration.confusion(ImageFilter(label="purple")),
    "EXPLORE002": lambda study: study.exploration.images(
        ImageFilter(pair="a > b > c"), order=Order.FILE, offset=0, limit=1
    ),
    "EXPLORE003": lambda study: study.exploration.image("elsewhere.png"),
    "EXPLORE004": wrong_table,
    "EXPLORE005": lambda study: answered(study.exploration, "/api/weather"),
    "EXPLORE006": stranger,
    "EXPLORE007": lambda _study: app.static("index.html"),
    "EXPLORE008": lambda study: study.exploration.views.watched,
    "EXPLORE009": lambda study: study.exploration.views.live.judge(b"<svg onload=alert(1)>"),
    "EXPLORE010": lambda study: study.exploration.views.compared,
    "EXPLORE011": not_yet,
}


def test_every_code_has_an_example() -> None:
    assert set(RAISERS) == {code for code in CODES if code.startswith("EXPLORE")}


@pytest.mark.parametrize("code", RAISERS)
def test_a_diagnostic_names_thing_place_and_remedy(
    code: str, study: OpenedStudy, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "bundle", lambda: study.folder)
    with pytest.raises(ConspectError) as error:
        RAISERS[code](study)
    assert error.value.diagnostics[0].code == code
    told = str(error.value).replace(str(study.folder), "STUDY") + "\n"
    golden = GOLDEN / f"{code}.txt"
    if request.config.getoption("--golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told)
    assert golden.read_text() == told
