"""Is the concept that an encoder has lost named? On removals that nobody tuned on: other classes, pictures and seeds.

A hit is one over identifiability groups, as a study has them: naming one member of a group names all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conspect.analysis.concepts.groups import Identifiability, identifiability
from conspect.analysis.explanation.lost_concepts import LostConcept, lost_blind, lost_since
from conspect.bench.rows import Measurement, Row, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.removals.grounds import GROUNDS, Purpose
from conspect.faults.removals.removals import Removal, removals

Named = tuple[Removal, tuple[LostConcept, ...]]


def measure(keep: Path | None = None, bar: ProgressBar = silent) -> Measurement:
    """The benchmark: rows for both ways, of the grounds that are judged on, together and each. `keep`: see `removals`."""
    planted = {ground.seed: list(removals(ground, bar, keep)) for ground in GROUNDS if ground.purpose is Purpose.JUDGED}
    together = [removal for of_ground in planted.values() for removal in of_ground]
    rows = rows_of(together)
    for seed, of_ground in planted.items():
        rows += [
            row(f"seed {seed}, {way}: named first, of {len(of_ground)}", hit(named, 1), "share")
            for way, named in (
                ("blind", _named(of_ground, _blind)),
                ("with an earlier version", _named(of_ground, _since)),
            )
        ]
    return {"removals": len(together), "rows": rows}


def rows_of(planted: list[Removal]) -> list[Row]:
    """Shares of removals whose concept is named first, and among the first three; unnamed ones are misses."""
    blind, since = _named(planted, _blind), _named(planted, _since)
    groups = [_groups(removal) for removal in planted]
    return [
        row("blind: the lost concept is named first", hit(blind, 1), "share", (">=", 0.65)),
        row("blind: among the first three", hit(blind, 3), "share"),
        row("with an earlier version: named first", hit(since, 1), "share", (">=", 0.80)),
        row("with an earlier version: among the first three", hit(since, 3), "share"),
        row("chance: one of the groups that the class shows", chance(since), "share"),
        row("concepts", float(max((len(of_one.group) for of_one in groups), default=0)), "concepts"),
        row(
            "identifiability groups among them, at least",
            float(min((len(set(of_one.group.tolist())) for of_one in groups), default=0)),
            "groups",
        ),
    ]


def hit(named: list[Named], first: int) -> float:
    """Share of removals whose concept is in one of the first so many groups that are named."""
    hits = 0
    for removal, order in named:
        group = _groups(removal).group
        hits += group[removal.concept] in _in_order(group.tolist(), order)[:first]
    return round(hits / max(len(named), 1), 4)


def chance(named: list[Named]) -> float:
    """What guessing among the groups that could be named reaches."""
    choices = [len(_in_order(_groups(removal).group.tolist(), order)) for removal, order in named]
    return round(sum(1 / number for number in choices if number) / max(len(named), 1), 4)


def _in_order(group: list[int], order: tuple[LostConcept, ...]) -> list[int]:
    """The groups that are named, each where the first of its members is."""
    return list(dict.fromkeys(group[named.concept] for named in order))


def _groups(removal: Removal) -> Identifiability:
    return identifiability(removal.images.shown)


def _named(planted: list[Removal], name: Callable[[Removal], tuple[LostConcept, ...]]) -> list[Named]:
    return [(removal, name(removal)) for removal in planted]


def _blind(removal: Removal) -> tuple[LostConcept, ...]:
    return lost_blind(removal.images, removal.label)


def _since(removal: Removal) -> tuple[LostConcept, ...]:
    return lost_since(removal.images, removal.earlier, removal.label)
