"""Is the concept that an encoder has lost named? On removals that nobody tuned on: other classes, pictures and seeds."""

from __future__ import annotations

from pathlib import Path

from conspect.analysis.explanation.lost_concepts import LostConcept, lost_blind, lost_since
from conspect.bench.rows import Measurement, Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.removal_grounds import GROUNDS, Purpose
from conspect.faults.removals import Removal, removals


def measure(keep: Path | None = None, bar: ProgressBar = silent) -> Measurement:
    """The benchmark: rows for both ways, of the grounds that are judged on. `keep`: see `removals`."""
    judged = [ground for ground in GROUNDS if ground.purpose is Purpose.JUDGED]
    planted = [removal for ground in judged for removal in removals(ground, bar, keep)]
    return {"removals": len(planted), "rows": rows_of(planted)}


def rows_of(planted: list[Removal]) -> list[Row]:
    """Shares of removals whose concept is named first, and among the first three; unnamed ones are misses."""
    blind = [(removal, lost_blind(removal.images, removal.label)) for removal in planted]
    since = [(removal, lost_since(removal.images, removal.earlier, removal.label)) for removal in planted]
    return [
        row("blind: the lost concept is named first", hit(blind, 1), "share", (">=", 0.65)),
        row("blind: among the first three", hit(blind, 3), "share"),
        row("with an earlier version: named first", hit(since, 1), "share", (">=", 0.80)),
        row("with an earlier version: among the first three", hit(since, 3), "share"),
        row("chance: one of the concepts that the class shows", chance(since), "share"),
    ]


def hit(named: list[tuple[Removal, tuple[LostConcept, ...]]], first: int) -> float:
    """Share of removals whose concept is among the first so many."""
    hits = [removal.concept in {named_concept.concept for named_concept in order[:first]} for removal, order in named]
    return round(sum(hits) / max(len(hits), 1), 4)


def chance(named: list[tuple[Removal, tuple[LostConcept, ...]]]) -> float:
    """What guessing among the concepts that could be named reaches."""
    return round(sum(1 / len(order) for _, order in named if order) / max(len(named), 1), 4)
