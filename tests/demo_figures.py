"""The figures of the pages that a demo prints, made of its record: what README and docs say is what results.json says.

python -m tests.demo_figures STUDY     prints what stands in no page as the study has it; exit code 1 when there is any

STUDY is what `conspect demo` wrote, of all its images. Another processor rounds otherwise: what differs by one unit of a last
printed digit is printed, and passes (docs/robustness.md).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from conspect.results.files import decoded
from conspect.results.monitor import MonitorEvaluation
from conspect.results.results import Results
from conspect.results.verification import ShapeCoverage

ROOT = Path(__file__).parents[1]
NUMBER = r"(\d+(?:\.\d+)?)"
README, MONITORING, VERIFICATION = "README.md", "docs/monitoring.md", "docs/verification.md"
# Rows of README's table, as they are called there, and the record's detectors.
DETECTORS = {
    "paper: heatmap cosine": "heatmap cosine",
    "paper: heatmap likelihood ratio": "heatmap likelihood ratio",
    "maximum softmax": "maximum softmax",
    "Conspect, one look": "fused",
    "maximum softmax over four looks": "maximum softmax over looks",
    "Conspect, second look (three more forward passes)": "fused, second look",
    "the VLM's class lead and four looks, no concept at all": "VLM's class lead and looks, no concept",
    "Conspect, second look and the VLM at run time": "fused, second look, VLM",
}


def sentences(results: Results) -> Iterator[tuple[str, str]]:
    """Pages and what must stand in them, word by word, for the figures of `results`."""
    if results.diagnosis is None or results.verification is None or results.monitor is None:
        raise ValueError("a demo of all images has a diagnosis, proofs and a monitor's evaluation")
    yield (
        README,
        f"is right on {results.model.accuracy:.1%} of {results.dataset.images:,} test photographs".replace("%", " %"),
    )
    yield README, results.diagnosis.headline
    yield from _detection(results.monitor)
    coverage = results.verification.provable_coverage
    if coverage is None:
        raise ValueError("a demo of all images has provable coverage")
    best, band = coverage.best, coverage.by_shape["band"]
    yield README, f"Half of {len(coverage.properties)} expected properties"
    inside = f"{best.median:.1%} or more (of held-out images {best.measured_median or 0:.1%} did)"
    yield README, f"falls with a probability of {inside}".replace("%", " %")
    of_class = f"would hold {band.median:.0%} ({band.measured_median or 0:.0%} measured)"
    yield README, f"One region for all properties of a class {of_class}".replace("%", " %")
    for shape, label in (("span", "`span`, of each property its own"), ("band", "`band`, one for all of a class")):
        yield VERIFICATION, f"| {label} | {_proved(coverage.by_shape[shape])}"
    near = results.verification.neighbourhoods
    if near is None:
        raise ValueError("a demo of all images has neighbourhoods")
    yield README, f"proved around {near.mean_proved:.0%} of the images of its class".replace("%", " %")
    yield README, f"but {near.by_change['mirror']:.0%} of mirrored pictures".replace("%", " %")
    for row in near.curve:
        if row.share in (0.5, 0.8, 0.9, 0.95):
            measured = f"{row.share:.0%} ({row.measured_share:.1%})"
            counts = f"{row.mean_proved:.1%} | {row.properties_proved_around_90} | {row.decision_proved:.1%} |"
            yield VERIFICATION, f"| {measured} | {counts}".replace("%", " %")


def _proved(shape: ShapeCoverage) -> str:
    proved = {row.coverage: row.proved for row in shape.rows}
    counts = " / ".join(str(proved[share]) for share in (0.5, 0.9, 0.95))
    return f"{counts} | {shape.median:.1%} ({shape.measured_median or 0:.1%}) |".replace("%", " %")


def _detection(monitor: MonitorEvaluation) -> Iterator[tuple[str, str]]:
    rows = {row.detector: row for row in monitor.rows if row.defect == "misclassification"}
    for label, detector in DETECTORS.items():
        row = rows[detector]
        interval = f"{row.auroc_low:.3f} to {row.auroc_high:.3f}"
        yield README, f"| {label} | {row.auroc:.3f} | {interval} | {row.fpr95:.0%} |".replace("%", " %")
    for row in rows.values():
        interval = f"[{row.auroc_low:.3f}, {row.auroc_high:.3f}]"
        figures = f"{row.auroc:.4f} {interval} | {row.fpr95:.3f} | {row.aurc:.4f} | {row.augrc:.5f} |"
        yield MONITORING, f"| {row.detector} | {row.kind} | {figures}"


def differences(results: Results) -> tuple[list[str], list[str]]:
    """What stands in no page as `results` has it, page and sentence; and what stands there but for a last digit."""
    texts = {page: _plain((ROOT / page).read_text(encoding="utf-8")) for page in (README, MONITORING, VERIFICATION)}
    absent: list[str] = []
    rounded: list[str] = []
    for page, sentence in sentences(results):
        if _plain(sentence) not in texts[page]:
            (rounded if nearly_in(texts[page], _plain(sentence)) else absent).append(f"{page}: {sentence}")
    return absent, rounded


def nearly_in(text: str, sentence: str) -> bool:
    """Whether `text` has the sentence, each of its numbers within one unit of the last digit printed."""
    # Counts, which have no decimals and no per cent, are compared as they are.
    parts = re.split(r"(\d+\.\d+|\d+(?= %))", sentence)
    pattern = "".join(NUMBER if k % 2 else re.escape(part) for k, part in enumerate(parts))
    numbers = parts[1::2]
    return any(
        all(_within_a_digit(there, own) for there, own in zip(match.groups(), numbers, strict=True))
        for match in re.finditer(pattern, text)
    )


def _within_a_digit(there: str, own: str) -> bool:
    decimals = [len(number.partition(".")[2]) for number in (there, own)]
    return decimals[0] == decimals[1] and abs(Decimal(there) - Decimal(own)) <= Decimal(1).scaleb(-decimals[1])


def _plain(text: str) -> str:
    return re.sub(r"[\s>*]+", " ", text)


if __name__ == "__main__":
    missing, nearly = differences(decoded((Path(sys.argv[1]) / "results.json").read_bytes(), Results))
    for line in nearly:
        print(f"one last digit differs: {line}")
    print(
        "\n".join(missing)
        or "every figure of the pages is the study's" + (", but for these last digits" if nearly else "")
    )
    sys.exit(1 if missing else 0)
