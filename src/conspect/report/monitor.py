"""The report's section on the monitor: what it catches, beside softmax and the paper's detectors, and what it flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from conspect.report.pages import Part, environment
from conspect.results.monitor import DetectorCurve, DetectorKind, DetectorRow, MonitorEvaluation, Point

KINDS: dict[DetectorKind, str] = {
    "baseline": "best baseline",
    "paper": "the paper's",
    "conspect": "Conspect",
    "conspect+vlm": "Conspect, VLM at run time",
}
MAIN = "misclassification"
LEFT, TOP, SIDE = 44, 8, 210
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class _Chosen:
    """The detector that is shown for a kind."""

    kind: DetectorKind
    label: str
    detector: str


@dataclass(frozen=True)
class _DefectRow:
    """AUROC of the chosen detector of each kind on one defect, and the best of them."""

    defect: str
    cells: list[DetectorRow | None]
    best: float
    n_pos: int


@dataclass(frozen=True)
class _Line:
    """A detector's curve as SVG points."""

    kind: str
    name: str
    points: str


@dataclass(frozen=True)
class _Chart:
    """A chart: ticks as (place, label), and one line a detector."""

    title: str
    across: str
    xs: list[tuple[float, str]]
    ys: list[tuple[float, str]]
    lines: list[_Line]


def monitor_part(evaluation: MonitorEvaluation, thumbnails: Mapping[str, str]) -> Part:
    """The section on the monitor's evaluation."""
    chosen = [
        _Chosen(kind, label, evaluation.chosen[kind]) for kind, label in KINDS.items() if kind in evaluation.chosen
    ]
    curves = [curve for curve in evaluation.curves if curve.defect == MAIN]
    html = (
        environment()
        .get_template("monitor.html.j2")
        .render(
            m=evaluation,
            chosen=chosen,
            main=sorted((row for row in evaluation.rows if row.defect == MAIN), key=lambda row: -row.auroc),
            defects=_defects(evaluation, chosen),
            charts=_charts(curves) if curves else [],
            thumbnails=thumbnails,
        )
    )
    return Part("monitor", "Should an output be believed?", "Monitor", Markup(html))


def flagged_images(evaluation: MonitorEvaluation | None) -> list[str]:
    """Ids of the images that the section shows."""
    return [] if evaluation is None else [example.id for example in evaluation.flagged]


def _defects(evaluation: MonitorEvaluation, chosen: Sequence[_Chosen]) -> list[_DefectRow]:
    by_name = {(row.defect, row.detector): row for row in evaluation.rows}
    table = []
    for defect in dict.fromkeys(row.defect for row in evaluation.rows):
        cells = [by_name.get((defect, shown.detector)) for shown in chosen]
        there = [cell for cell in cells if cell is not None]
        if there:
            table.append(_DefectRow(defect, cells, max(cell.auroc for cell in there), there[0].n_pos))
    return table


def _charts(curves: Sequence[DetectorCurve]) -> list[_Chart]:
    return [
        _chart(
            "Errors among the accepted, by share accepted",
            "share accepted",
            [(curve, curve.risk_coverage) for curve in curves],
        ),
        _chart(
            "Failures flagged, by share of right outputs flagged",
            "false alarms",
            [(curve, curve.roc) for curve in curves],
        ),
    ]


def _chart(title: str, across: str, lines: Sequence[tuple[DetectorCurve, Sequence[Point]]]) -> _Chart:
    highest = max((y for _, points in lines for _, y in points), default=0.0)
    top = next((tick for tick in (0.05, 0.1, 0.2, 0.5) if highest <= tick), 1.0)
    return _Chart(
        title=title,
        across=across,
        xs=[(LEFT + 1.6 * SIDE * tick, f"{100 * tick:.0f} %") for tick in TICKS],
        ys=[(TOP + SIDE * (1 - tick), f"{100 * tick * top:.3g} %") for tick in TICKS],
        lines=[
            _Line(
                kind=curve.kind.replace("+", "-"),
                name=curve.detector,
                points=" ".join(
                    f"{LEFT + 1.6 * SIDE * x:.1f},{TOP + SIDE * (1 - min(y / top, 1.0)):.1f}" for x, y in points
                ),
            )
            for curve, points in lines
        ],
    )
