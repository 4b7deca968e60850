"""Properties by name: verdicts that flipped, and how many hold by each way of asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conspect.core.percentages import level
from conspect.results.comparison import HeldShare, Properties, PropertyChange
from conspect.results.verification import Property, Verification


def properties(before: Verification, after: Verification) -> Properties:
    """`flipped`: in both, and the same is claimed for the same inputs. What claims something else now is `restated`."""
    theirs = {entry.id: entry for entry in before.properties}
    ours = {entry.id: entry for entry in after.properties}
    shared = [name for name in ours if name in theirs]
    same = [name for name in shared if _same_claim(theirs[name], ours[name])]
    return Properties(
        in_both=len(same),
        only_before=tuple(name for name in theirs if name not in ours),
        only_after=tuple(name for name in ours if name not in theirs),
        restated=tuple(name for name in shared if name not in same),
        flipped=tuple(_change(theirs[name], ours[name]) for name in same if theirs[name].verdict != ours[name].verdict),
        held=_held(before, after),
        coverage_before=_mean([theirs[name].coverage for name in same]),
        coverage_after=_mean([ours[name].coverage for name in same]),
    )


def _same_claim(before: Property, after: Property) -> bool:
    """A smaller region, or a smaller share of images, is another claim; results of older versions do not say which it was."""
    if before.quantifier and after.quantifier and before.quantifier != after.quantifier:
        return False
    return (before.kind, before.statement, before.class_name) == (after.kind, after.statement, after.class_name)


def _change(before: Property, after: Property) -> PropertyChange:
    return PropertyChange(
        id=after.id,
        statement=after.statement,
        quantifier=after.quantifier,
        before=before.verdict,
        after=after.verdict,
        gamma_max_before=before.gamma_max,
        gamma_max_after=after.gamma_max,
    )


def _held(before: Verification, after: Verification) -> tuple[HeldShare, ...]:
    rows = []
    old_sizes = {row.gamma: row for row in before.by_gamma}
    for size in after.by_gamma:
        if size.gamma in old_sizes:
            unit = "standard deviation" if size.gamma == 1 else "standard deviations"
            rows.append(_share(f"boxes of {size.gamma:g} {unit}", old_sizes[size.gamma], size))
    old_covers = {row.coverage: row for row in before.by_coverage}
    for cover in after.by_coverage:
        if cover.coverage in old_covers:
            rows.append(
                _share(f"boxes that cover {level(cover.coverage, '%')} of images", old_covers[cover.coverage], cover)
            )
    old_samples = {row.share_of_images: row for row in before.statistically}
    for sample in after.statistically:
        if sample.share_of_images in old_samples:
            old = old_samples[sample.share_of_images]
            rows.append(_share(f"at least {level(sample.share_of_images, '%')} of images", old, sample))
    return tuple(rows)


class _Row(Protocol):
    """A row of any of the three tables."""

    @property
    def holds(self) -> int: ...

    @property
    def properties(self) -> int: ...


def _share(asked: str, before: _Row, after: _Row) -> HeldShare:
    return HeldShare(
        asked=asked,
        before=before.holds,
        after=after.holds,
        properties_before=before.properties,
        properties_after=after.properties,
    )


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None
