"""One share before and after: its difference, interval and test, by pairs of images where there are any."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from conspect.results.comparison import ShareChange
from conspect.results.shares import Share
from conspect.statistics.intervals import newcombe
from conspect.statistics.paired import mcnemar, tango
from conspect.statistics.testing import fisher_two_sided, holm


def paired(name: str, before: Share, after: Share, moved: tuple[int, int], confidence: float) -> ShareChange:
    """Both shares are of the same images. `moved`: how many are right only after (fixed), and only before (broken)."""
    fixed, broken = moved
    low, high = tango(fixed, broken, after.n, confidence)
    p_value = mcnemar(fixed, broken)
    return ShareChange(
        name=name,
        before=before,
        after=after,
        pairing="paired",
        fixed=fixed,
        broken=broken,
        difference=(fixed - broken) / after.n if after.n else None,
        low=low,
        high=high,
        p_value=p_value,
        beyond_chance=p_value < 1 - confidence,
    )


def independent(name: str, before: Share, after: Share, confidence: float) -> ShareChange:
    """The shares are of two samples."""
    low, high = newcombe(after.successes, after.n, before.successes, before.n, confidence)
    p_value = float(fisher_two_sided(after.successes, after.n, before.successes, before.n))
    difference = None if before.value is None or after.value is None else after.value - before.value
    return ShareChange(
        name=name,
        before=before,
        after=after,
        pairing="independent",
        fixed=None,
        broken=None,
        difference=difference,
        low=float(low),
        high=float(high),
        p_value=p_value,
        beyond_chance=p_value < 1 - confidence,
    )


def corrected(changes: Sequence[ShareChange], confidence: float) -> tuple[ShareChange, ...]:
    """The same changes with p-values that hold together (Holm), judged at the confidence of all of them."""
    adjusted = map(float, holm([change.p_value for change in changes]))
    return tuple(
        replace(change, p_value=p, beyond_chance=p < 1 - confidence)
        for change, p in zip(changes, adjusted, strict=True)
    )


def together(confidence: float, changes: int) -> float:
    """The confidence at which each of several intervals is taken so that all hold together (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, changes)
