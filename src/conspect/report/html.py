"""Results to one self-contained HTML page that works from file:// with no network. Formats; computes nothing anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup
from scipy import special

from conspect.report.monitor import monitor_part
from conspect.report.pages import Part, environment
from conspect.report.slices import concept_part, slices_part
from conspect.report.verification import verification_part
from conspect.report.wording import default_method, findings, trust_rows

Json = Mapping[str, Any]
# What a run may add to the results, and the section that shows it.
PARTS: Mapping[str, Callable[[Json, Mapping[str, str]], Part]] = {
    "slices": slices_part,
    "concept_labels": concept_part,
    "monitor": monitor_part,
    "verification": verification_part,
}


def render(results: Json, thumbnails: Mapping[str, str]) -> str:
    """The report as HTML text. `thumbnails`: image id to data URI. All text of the results is escaped."""
    page = environment().get_template("report.html.j2")
    parts = [make(results[name], thumbnails) for name, make in PARTS.items() if name in results]
    confusion = results["model"]["confusion"]
    off_diagonal = [[n for j, n in enumerate(row) if i != j] for i, row in enumerate(confusion)]
    return page.render(
        r=results,
        loc=results["localization"],
        findings=findings(results),
        default_method=default_method(results),
        trust=trust_rows(results),
        per_class=_per_class(results),
        row_max=[max(row, default=0) for row in off_diagonal],
        weakest=_weakest(results),
        parts=parts,
        data=_data(results, thumbnails),
        style=Markup(_template("report.css")),
        script=Markup(_template("report.js")),
    )


def _template(name: str) -> str:
    return (resources.files("conspect.report") / "templates" / name).read_text(encoding="utf-8")


def _per_class(results: Json) -> list[dict[str, Any]]:
    classes = results["classes"]
    failures = results["localization"]["images"]
    verdicts = Counter((image["label"], image["blame"]) for image in failures)
    taken_for = Counter((image["label"], image["output"]) for image in failures)
    total = Counter(image["label"] for image in failures)
    worst = {name for name, _ in total.most_common(3)}
    concepts = len(results["heatmaps"]["concepts"])
    rows = []
    for k, name in enumerate(classes):
        by_class, changed = results["model"]["by_class"][k], results["heatmaps"]["differential_by_label"][k]
        confused = sorted(
            ((other, taken_for[name, other]) for other in classes if taken_for[name, other]), key=lambda p: -p[1]
        )
        rows.append(
            {
                "name": name,
                "failures": total[name],
                **{verdict: verdicts[name, verdict] for verdict in ("head", "encoder", "undecided")},
                "recall": by_class["recall"]["value"],
                "precision": by_class["precision"]["value"],
                "pairs": changed["top_pairs"],
                "significant": changed["significant_pairs"],
                "pairs_total": concepts * (concepts - 1) // 2,
                "confused": confused[:4],
                "open": name in worst,
            }
        )
    return rows


def _weakest(results: Json, limit: int = 3) -> list[Json]:
    expected = results["validation"]["expected_pairs"]
    if expected is None:
        return []
    seen: Counter[str] = Counter()
    rows = []
    for pair in expected["weakest"]:
        seen[pair["class"]] += 1
        if seen[pair["class"]] <= limit and pair["through_lens"]["n"]:
            rows.append(pair)
    return rows


def _data(results: Json, thumbnails: Mapping[str, str]) -> dict[str, Any]:
    """What the page's script needs; put into the page as escaped JSON."""
    failures = results["localization"]["images"]
    names = [concept["name"] for concept in results["concepts"]]
    most_failing = Counter(image["label"] for image in failures).most_common(1)
    return {
        "classes": results["classes"],
        "heatmaps": results["heatmaps"],
        "failures": failures,
        "thumbnails": thumbnails,
        "shown": [names.index(name) for name in results["heatmaps"]["concepts"]],
        "start": results["classes"].index(most_failing[0][0]) if most_failing else 0,
        "confidence": results["asked"]["confidence"],
        "z": float(special.ndtri(0.5 + results["asked"]["confidence"] / 2)),
    }
