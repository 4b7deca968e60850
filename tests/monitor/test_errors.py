"""Every code of the monitor is raised by the call that it is about."""

from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.models.onnx_graph import encoder_graph
from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError
from conspect.monitor.detectors.baselines import NearestNeighbours
from conspect.monitor.runtime import Monitor, Thresholds
from conspect.statistics.detection import Score, measure
from tests.fakes import FakeModel
from tests.monitor.fitted import monitor_and_guarantee

CAUSES = {
    "MONITOR001": lambda: Score(np.array([np.nan]), "suspect"),
    "MONITOR002": lambda: measure(Score(np.array([1.0]), "suspect"), np.array([True])),
    "MONITOR003": lambda: NearestNeighbours.fit(np.ones((3, 2)), k=4),
    "MONITOR004": lambda: Monitor.load(Path("no such folder")),
    "MONITOR005": lambda: Thresholds(accept=1.0, suspect=0.0),
    "MONITOR006": lambda: encoder_graph(FakeModel()),
    "MONITOR007": lambda: monitor_and_guarantee()[0].require_model(FakeModel()),
}
PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_every_code_of_the_monitor_has_a_cause_here():
    assert {code for code in CODES if code.startswith("MONITOR")} == set(CAUSES)


@pytest.mark.parametrize("code", CAUSES)
def test_each_code_is_raised_with_a_fix_and_has_a_row_in_the_page(code):
    with pytest.raises(ConspectError) as caught:
        CAUSES[code]()
    assert [(diagnostic.code, bool(diagnostic.fix)) for diagnostic in caught.value.diagnostics] == [(code, True)]
    assert f"| {code} | {CODES[code]} |" in PAGE
