"""The report's section on the monitor: what it catches, beside softmax and the paper's detectors, and what it flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from conspect.report.pages import Part, environment

Json = Mapping[str, Any]
KINDS = {
    "baseline": "best baseline",
    "paper": "the paper's",
    "conspect": "Conspect",
    "conspect+vlm": "Conspect, VLM at run time",
}
MAIN = "misclassification"
LEFT, TOP, SIDE = 44, 8, 210
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def monitor_part(found: Json, thumbnails: Mapping[str, str]) -> Part:
    """The section, from `results["monitor"]`."""
    chosen = found["chosen"]
    curves = [one for one in found["curves"] if one["defect"] == MAIN]
    page = environment().get_template("monitor.html.j2")
    html = page.render(
        m=found,
        chosen=[
            {"kind": kind, "label": label, "detector": chosen[kind]} for kind, label in KINDS.items() if kind in chosen
        ],
        main=sorted((row for row in found["rows"] if row["defect"] == MAIN), key=lambda row: -row["auroc"]),
        defects=_defects(found),
        charts=[
            _chart("Errors among the accepted, by share accepted", "share accepted", curves, "risk_coverage"),
            _chart("Failures flagged, by share of right outputs flagged", "false alarms", curves, "roc"),
        ]
        if curves
        else [],
        thumbnails=thumbnails,
    )
    return Part("monitor", "Should an output be believed?", Markup(html))


def flagged_images(results: Json) -> list[str]:
    """Ids of the images that the section shows."""
    return [one["id"] for one in results.get("monitor", {}).get("flagged", ())]


def _defects(found: Json) -> list[dict[str, Any]]:
    """One row per defect: AUROC of the chosen detector of each kind, and which is best."""
    chosen = found["chosen"]
    by_name = {(row["defect"], row["detector"]): row for row in found["rows"]}
    table = []
    for defect in dict.fromkeys(row["defect"] for row in found["rows"]):
        cells = [by_name.get((defect, chosen[kind])) for kind in KINDS if kind in chosen]
        there = [cell for cell in cells if cell is not None]
        if there:
            best = max(cell["auroc"] for cell in there)
            table.append({"defect": defect, "cells": cells, "best": best, "n_pos": there[0]["n_pos"]})
    return table


def _chart(title: str, across: str, curves: Sequence[Json], name: str) -> dict[str, Any]:
    highest = max((y for curve in curves for _, y in curve[name]), default=0.0)
    top = next((tick for tick in (0.05, 0.1, 0.2, 0.5) if highest <= tick), 1.0)
    return {
        "title": title,
        "across": across,
        "xs": [(LEFT + 1.6 * SIDE * tick, f"{100 * tick:.0f} %") for tick in TICKS],
        "ys": [(TOP + SIDE * (1 - tick), f"{100 * tick * top:.3g} %") for tick in TICKS],
        "lines": [
            {
                "kind": curve["kind"].replace("+", "-"),
                "name": curve["detector"],
                "points": " ".join(
                    f"{LEFT + 1.6 * SIDE * x:.1f},{TOP + SIDE * (1 - min(y / top, 1.0)):.1f}" for x, y in curve[name]
                ),
            }
            for curve in curves
        ],
    }
