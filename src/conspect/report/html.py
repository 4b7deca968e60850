"""Results to one self-contained HTML page that works from file:// with no network. Formats; computes nothing anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import msgspec
from markupsafe import Markup
from msgspec import structs

from conspect.report.concepts import grades_part
from conspect.report.failure_groups import groups_part
from conspect.report.monitor import monitor_part
from conspect.report.pages import Part, environment
from conspect.report.policy import MARK, sealed
from conspect.report.slices import concept_part, slices_part
from conspect.report.summary import cards, cause_shares
from conspect.report.verification import verification_part
from conspect.report.wording import trust_rows, warnings
from conspect.results.concepts import Grade
from conspect.results.heatmaps import ExampleImage, Heatmaps, LostPair
from conspect.results.localization import Failure
from conspect.results.results import Results
from conspect.results.shares import CulpritCounts, PartCounts
from conspect.results.validation import ExpectedPair

OPEN_CLASSES, CONFUSED_SHOWN, WEAKEST_SHOWN = 3, 4, 3
SCRIPTS = ("page.js", "heatmap.js", "gallery.js")


@dataclass(frozen=True)
class _ClassRow:
    """A class's card: its failures by cause, what they lose, and what they are taken for."""

    name: str
    failures: int
    causes: list[tuple[str, int]]
    recall: float | None
    precision: float | None
    pairs: tuple[LostPair, ...]
    significant: int
    pairs_total: int
    confused: list[tuple[str, int]]
    open: bool


def render(results: Results, thumbnails: Mapping[str, str]) -> str:
    """The report as HTML text. `thumbnails`: image id to data URI. All text of the results is escaped."""
    page = environment().get_template("report.html.j2")
    confusion = results.model.confusion
    off_diagonal = [[n for j, n in enumerate(row) if i != j] for i, row in enumerate(confusion)]
    rendered = page.render(
        policy=MARK,
        r=results,
        loc=results.localization,
        cards=cards(results),
        causes=[(row.cause, row.count, row.meaning) for row in cause_shares(results)],
        warnings=warnings(results),
        lens_bar=_bar(results.localization.paper_oracle.counts),
        refitted_bar=_bar(results.localization.paper_oracle.refitted_head_counts),
        thumbnails=thumbnails,
        trust=trust_rows(results),
        per_class=_per_class(results),
        row_max=[max(row, default=0) for row in off_diagonal],
        weakest=_weakest(results),
        parts=_parts(results, thumbnails),
        data=msgspec.to_builtins(_data(results, thumbnails)),
        style=Markup(_template("report.css")),
        script=Markup("".join(map(_template, SCRIPTS))),
    )
    return sealed(rendered)


def _template(name: str) -> str:
    return (resources.files("conspect.report") / "templates" / name).read_text(encoding="utf-8")


def _bar(counts: CulpritCounts | PartCounts) -> list[tuple[str, int, str]]:
    """Rows of a bar: part, failures, and no explanation."""
    return [(name, number, "") for name, number in structs.asdict(counts).items()]


def _parts(results: Results, thumbnails: Mapping[str, str]) -> list[Part]:
    """The sections on what a run may add."""
    parts = []
    if results.failure_search is not None:
        parts.append(groups_part(results.failure_groups, results.failure_search, thumbnails))
    parts.append(grades_part(results.concepts))
    if results.slices is not None:
        parts.append(slices_part(results.slices))
    if results.concept_labels is not None:
        parts.append(concept_part(results.concept_labels))
    if results.monitor is not None:
        parts.append(monitor_part(results.monitor, thumbnails))
    if results.verification is not None:
        parts.append(verification_part(results.verification, results.concepts, thumbnails))
    return parts


def _per_class(results: Results) -> list[_ClassRow]:
    concepts = len(results.heatmaps.concepts)
    by_class = results.localization.by_class
    opened = sorted(by_class, key=lambda row: -row.failures)[:OPEN_CLASSES]
    rows = []
    for k, failing in enumerate(by_class):
        quality, changed = results.model.by_class[k], results.heatmaps.differential_by_label[k]
        taken_for = [
            (other, count)
            for j, (other, count) in enumerate(zip(results.classes, results.model.confusion[k], strict=True))
            if j != k and count
        ]
        rows.append(
            _ClassRow(
                name=failing.class_name,
                failures=failing.failures,
                causes=[(cause.cause, cause.count) for cause in failing.causes if cause.count],
                recall=quality.recall.value,
                precision=quality.precision.value,
                pairs=changed.top_pairs,
                significant=changed.significant_pairs,
                pairs_total=concepts * (concepts - 1) // 2,
                confused=sorted(taken_for, key=lambda pair: -pair[1])[:CONFUSED_SHOWN],
                open=failing.failures > 0 and failing in opened,
            )
        )
    return rows


def _weakest(results: Results) -> list[ExpectedPair]:
    expected = results.validation.expected_pairs
    if expected is None:
        return []
    seen: Counter[str] = Counter()
    rows = []
    for pair in expected.weakest:
        seen[pair.class_name] += 1
        if seen[pair.class_name] <= WEAKEST_SHOWN and pair.through_lens.n:
            rows.append(pair)
    return rows


class _PageData(msgspec.Struct, frozen=True):
    """What the page's script needs. `shown`: places in `grades` of the heatmaps' concepts; `start`: the class shown first."""

    classes: tuple[str, ...]
    heatmaps: Heatmaps
    examples: tuple[ExampleImage, ...]
    failures: tuple[Failure, ...]
    thumbnails: Mapping[str, str]
    grades: tuple[Grade, ...]
    shown: tuple[int, ...]
    start: int


def _data(results: Results, thumbnails: Mapping[str, str]) -> _PageData:
    names = [concept.name for concept in results.concepts]
    worst = results.localization.worst
    return _PageData(
        classes=results.classes,
        heatmaps=structs.replace(results.heatmaps, examples=()),
        examples=results.heatmaps.examples,
        failures=results.localization.images,
        thumbnails=thumbnails,
        grades=tuple(concept.grade for concept in results.concepts),
        shown=tuple(names.index(name) for name in results.heatmaps.concepts),
        start=0 if worst is None else results.classes.index(worst.class_name),
    )
