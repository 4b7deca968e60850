from typing import Any

import pytest

from conspect.report.monitor import flagged_images, monitor_part

from .pages import Page

PIXEL = "data:image/png;base64,iVBORw0KGgo="
HOSTILE = '"><img src=x onerror=alert(1)>'


def row(defect: str, detector: str, kind: str, auroc: float) -> dict[str, Any]:
    about = {"defect": defect, "detector": detector, "kind": kind, "auroc": auroc, "n_pos": 5, "n_neg": 20}
    return about | {"auroc_low": auroc - 0.1, "auroc_high": auroc + 0.1, "fpr95": 0.25, "aurc": 0.01, "augrc": 0.02}


def share(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": 0.0, "high": 1.0}


def results(name: str = "fused") -> dict[str, Any]:
    return {
        "splits": {part: {"images": 25, "wrong": 5} for part in ("fit", "calibration", "report")} | {"source": "x"},
        "chosen": {"baseline": "entropy", "conspect": name},
        "rows": [
            row("misclassification", "entropy", "baseline", 0.8),
            row("misclassification", name, "conspect", 0.9),
            row("PGD-20 at 8/255", "entropy", "baseline", 0.3),
        ],
        "differences": [],
        "curves": [
            {"defect": "misclassification", "detector": name, "kind": "conspect"}
            | {"roc": [[0, 0], [0.5, 1], [1, 1]], "risk_coverage": [[0.5, 0.0], [1.0, 0.2]]}
        ],
        "guarantee": {"sentences": ["With confidence 95%, at most 5% of the right outputs are called suspect."]},
        "kept": dict.fromkeys(
            ("accepted", "suspect", "false_alarms", "errors_among_accepted", "failures_flagged"), share(0.5)
        ),
        "flagged": [
            {"id": "a", "label": "cat", "output": name, "suspicion": 1.25, "verdict": "suspect"}
            | {"reasons": [{"stronger": name, "weaker": "wet", "among_right": 0.1, "among_wrong": 0.4, "words": ""}]}
        ],
    }


def page_of(found: dict[str, Any]) -> Page:
    return Page(str(monitor_part(found, {"a": PIXEL}).html))


def test_the_section_names_every_detector_and_defect_with_its_figures() -> None:
    text = str(monitor_part(results(), {"a": PIXEL}).html)
    for part in ("entropy", "0.900", "PGD-20 at 8/255", "<strong>0.300</strong>", "+1.2 nats", PIXEL, "fused &gt; wet"):
        assert part in text


def test_a_curve_runs_from_corner_to_corner() -> None:
    lines = [attributes["points"] for tag, attributes in page_of(results()).elements if tag == "polyline"]
    assert lines == ["212.0,218.0 380.0,8.0", "44.0,218.0 212.0,8.0 380.0,8.0"]


def test_a_kind_without_a_figure_for_a_defect_has_a_dash() -> None:
    assert '<td class="num">–</td>' in str(monitor_part(results(), {}).html)


@pytest.mark.parametrize("name", [HOSTILE, "</svg><script>alert(1)</script>"])
def test_text_from_outside_becomes_no_element(name: str) -> None:
    plain, hostile = page_of(results()), page_of(results(name))
    assert [tag for tag, _ in plain.elements] == [tag for tag, _ in hostile.elements]


def test_shares_of_nothing_are_dashes() -> None:
    found = results()
    found["kept"] = dict.fromkeys(found["kept"], share(None))
    assert "None" not in str(monitor_part(found, {}).html)


def test_the_flagged_images_are_asked_for() -> None:
    assert flagged_images({"monitor": results()}) == ["a"]
    assert flagged_images({}) == []
