import pytest
from msgspec.structs import replace

from conspect.report.monitor import flagged_images, monitor_part
from conspect.results.monitor import (
    DetectorCurve,
    DetectorKind,
    DetectorRow,
    FlaggedImage,
    Guarantee,
    Kept,
    MonitorEvaluation,
    PairReason,
    Rates,
    SplitSize,
    SplitSizes,
)
from conspect.results.shares import Interval

from .pages import Page

PIXEL = "data:image/png;base64,iVBORw0KGgo="
HOSTILE = '"><img src=x onerror=alert(1)>'


def row(defect: str, detector: str, kind: DetectorKind, auroc: float) -> DetectorRow:
    return DetectorRow(
        defect=defect,
        detector=detector,
        kind=kind,
        auroc=auroc,
        auroc_low=auroc - 0.1,
        auroc_high=auroc + 0.1,
        aupr=0.5,
        fpr95=0.25,
        aurc=0.01,
        eaurc=0.005,
        augrc=0.02,
        n_pos=5,
        n_neg=20,
    )


def kept(value: float | None) -> Kept:
    share = Interval(value=value, low=0.0, high=1.0)
    return Kept(accepted=share, suspect=share, false_alarms=share, errors_among_accepted=share, failures_flagged=share)


def evaluation(name: str = "fused") -> MonitorEvaluation:
    size = SplitSize(images=25, wrong=5)
    curve = DetectorCurve(
        defect="misclassification",
        detector=name,
        kind="conspect",
        roc=((0, 0), (0.5, 1), (1, 1)),
        risk_coverage=((0.5, 0.0), (1.0, 0.2)),
    )
    reason = PairReason(stronger=name, weaker="wet", among_right=0.1, among_wrong=0.4, words="")
    example = FlaggedImage(id="a", label="cat", output=name, suspicion=1.25, verdict="suspect", reasons=(reason,))
    return MonitorEvaluation(
        splits=SplitSizes(source="split", fit=size, calibration=size, report=size),
        chosen={"baseline": "entropy", "conspect": name},
        rows=(
            row("misclassification", "entropy", "baseline", 0.8),
            row("misclassification", name, "conspect", 0.9),
            row("PGD-20 at 8/255", "entropy", "baseline", 0.3),
        ),
        differences=(),
        curves=(curve,),
        guarantee=Guarantee(
            wanted=Rates(false_alarms=0.05, accepted_errors=0.02, confidence=0.95),
            images=25,
            wrong=5,
            accepts=True,
            sentences=("With confidence 95%, at most 5% of the right outputs are called suspect.",),
        ),
        kept=kept(0.5),
        kept_second_look=kept(0.5),
        flagged=(example,),
        taught=0,
        attacks=(),
        adversarial_localization=(),
        left_out={},
    )


def page_of(shown: MonitorEvaluation) -> Page:
    return Page(str(monitor_part(shown, {"a": PIXEL}).html))


def test_the_section_names_every_detector_and_defect_with_its_figures() -> None:
    text = str(monitor_part(evaluation(), {"a": PIXEL}).html)
    for part in ("entropy", "0.900", "PGD-20 at 8/255", "<strong>0.300</strong>", "+1.2 nats", PIXEL, "fused &gt; wet"):
        assert part in text


def test_a_curve_runs_from_corner_to_corner() -> None:
    lines = [attributes["points"] for tag, attributes in page_of(evaluation()).elements if tag == "polyline"]
    assert lines == ["212.0,218.0 380.0,8.0", "44.0,218.0 212.0,8.0 380.0,8.0"]


def test_a_kind_without_a_figure_for_a_defect_has_a_dash() -> None:
    assert '<td class="num">–</td>' in str(monitor_part(evaluation(), {}).html)


@pytest.mark.parametrize("name", [HOSTILE, "</svg><script>alert(1)</script>"])
def test_text_from_outside_becomes_no_element(name: str) -> None:
    plain, hostile = page_of(evaluation()), page_of(evaluation(name))
    assert [tag for tag, _ in plain.elements] == [tag for tag, _ in hostile.elements]


def test_shares_of_nothing_are_dashes() -> None:
    shown = replace(evaluation(), kept=kept(None))
    assert "None" not in str(monitor_part(shown, {}).html)


def test_the_flagged_images_are_asked_for() -> None:
    assert flagged_images(evaluation()) == ["a"]
    assert flagged_images(None) == []
