"""Whether a study may pass, against a baseline: each tolerance against the interval of what was lost."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.points import ROUNDING, points
from conspect.results.comparison import Comparison, GateOutcome, GateRule, GateVerdict, KeptChange, ShareChange


@dataclass(frozen=True)
class Tolerances:
    """How much worse a study may be than its baseline, in shares; None: not asked. `properties`: how many may stop holding."""

    accuracy: float | None = 0.01
    worst_class: float | None = 0.05
    properties: int | None = 0
    coverage: float | None = None
    accepted_errors: float | None = None
    false_alarms: float | None = None


def judge(comparison: Comparison, tolerances: Tolerances) -> GateVerdict:
    """The verdict on `comparison.after`. A rule that was asked for and cannot be measured is never a pass."""
    rules: list[GateRule] = []
    if tolerances.accuracy is not None:
        rules.append(_accuracy(comparison, tolerances.accuracy))
    if tolerances.worst_class is not None:
        rules.append(_worst_class(comparison, tolerances.worst_class))
    if tolerances.properties is not None and not _neither_has_properties(comparison):
        rules.append(_properties(comparison, tolerances.properties))
    if tolerances.coverage is not None:
        rules.append(_coverage(comparison, tolerances.coverage))
    for name, rate, tolerance in (
        ("errors among the accepted", "errors among the accepted", tolerances.accepted_errors),
        ("false alarms", "false alarms", tolerances.false_alarms),
    ):
        if tolerance is not None:
            rules.append(_monitor(comparison, name, rate, tolerance))
    outcomes = {rule.outcome for rule in rules}
    worst: GateOutcome = (
        "fail" if "fail" in outcomes else "investigate" if "investigate" in outcomes or not rules else "pass"
    )
    return GateVerdict(outcome=worst, rules=tuple(rules), comparison=comparison)


def outcome_of(low: float, high: float, tolerance: float) -> GateOutcome:
    """`low`, `high`: the interval of the loss. Straddling the tolerance is neither a pass nor a fail; a loss of just as much
    as is allowed is within it, whatever floating point makes of the difference.
    """
    if low > tolerance + ROUNDING:
        return "fail"
    return "pass" if high <= tolerance + ROUNDING else "investigate"


def _unmeasured(name: str, tolerance: float, why: str) -> GateRule:
    return GateRule(
        name=name,
        tolerance=tolerance,
        loss=None,
        low=None,
        high=None,
        outcome="investigate",
        sentence=f"{name}: not measured, {why}.",
    )


def _loss(name: str, change: ShareChange, tolerance: float) -> GateRule:
    if change.difference is None:
        return _unmeasured(name, tolerance, "one of the studies has no images of it")
    loss, low, high = -change.difference, -change.high, -change.low
    outcome = outcome_of(low, high, tolerance)
    lost_or_gained = f"lost {points(loss, tolerance)}" if loss > -ROUNDING else f"gained {points(-loss)}"
    sentence = f"{name}: {lost_or_gained} ({_between('loss', low, high, tolerance)}: {outcome}."
    return GateRule(name=name, tolerance=tolerance, loss=loss, low=low, high=high, outcome=outcome, sentence=sentence)


def _between(what: str, low: float, high: float, tolerance: float) -> str:
    ends = f"{points(low, tolerance)} to {points(high, tolerance)}"
    return f"interval of the {what}: {ends}), {points(tolerance)} allowed"


def _unchanged(comparison: Comparison) -> bool:
    """The very same model answered every image alike: there is nothing to estimate, so no interval either."""
    overall = None if comparison.accuracy is None else comparison.accuracy.overall
    return comparison.same_model and overall is not None and (overall.fixed, overall.broken) == (0, 0)


def _nothing_lost(name: str, tolerance: float) -> GateRule:
    return GateRule(
        name=name,
        tolerance=tolerance,
        loss=0.0,
        low=0.0,
        high=0.0,
        outcome="pass",
        sentence=f"{name}: it is the same model, right on the same images; {points(tolerance)} allowed: pass.",
    )


def _accuracy(comparison: Comparison, tolerance: float) -> GateRule:
    if comparison.accuracy is None:
        return _unmeasured("accuracy", tolerance, "the classes of the studies differ")
    if _unchanged(comparison):
        return _nothing_lost("accuracy", tolerance)
    return _loss("accuracy", comparison.accuracy.overall, tolerance)


def _worst_class(comparison: Comparison, tolerance: float) -> GateRule:
    """The class whose loss is worst; intervals of the classes hold together, so that choosing it is not luck."""
    if comparison.accuracy is None or not any(change.before.n for change in comparison.accuracy.by_class):
        return _unmeasured("worst class", tolerance, "the classes of the studies differ")
    if _unchanged(comparison):
        return _nothing_lost("worst class", tolerance)
    changes = [change for change in comparison.accuracy.by_class if change.before.n or change.after.n]
    rules = [_loss(f'class "{change.name}"', change, tolerance) for change in changes]
    order: dict[GateOutcome, int] = {"fail": 0, "investigate": 1, "pass": 2}
    return min(rules, key=lambda rule: (order[rule.outcome], -(rule.loss if rule.loss is not None else float("inf"))))


def _neither_has_properties(comparison: Comparison) -> bool:
    return comparison.properties is None and all("properties" not in entry.parts for entry in comparison.not_compared)


def _properties(comparison: Comparison, tolerance: int) -> GateRule:
    """Counts what held before and does not now; a property that is gone or says something else counts as lost."""
    properties = comparison.properties
    if properties is None:
        return _unmeasured("properties", tolerance, "only one of the studies has them")
    lost = [flip.id for flip in properties.flipped if flip.before == "holds"]
    gone = [*properties.only_before, *properties.restated]
    count = len(lost) + len(gone)
    refuted = sum(flip.before == "holds" and flip.after == "violated" for flip in properties.flipped)
    outcome: GateOutcome = (
        "pass" if count <= tolerance else "fail" if refuted + len(gone) > tolerance else "investigate"
    )
    named = f", such as {[*lost, *gone][0]}" if count else ""
    sentence = (
        f"properties: {len(lost):,} no longer hold ({refuted:,} of them refuted), {len(gone):,} are gone or restated{named}; "
        f"{tolerance:,} allowed: {outcome}."
    )
    return GateRule(
        name="properties",
        tolerance=tolerance,
        loss=count,
        low=refuted + len(gone),
        high=count,
        outcome=outcome,
        sentence=sentence,
    )


def _coverage(comparison: Comparison, tolerance: float) -> GateRule:
    properties = comparison.properties
    if properties is None or properties.coverage_before is None or properties.coverage_after is None:
        return _unmeasured("coverage", tolerance, "the studies have no properties over regions in common")
    loss = properties.coverage_before - properties.coverage_after
    outcome = outcome_of(loss, loss, tolerance)
    moved = f"fell by {points(loss, tolerance)}" if loss > -ROUNDING else f"rose by {points(-loss)}"
    sentence = (
        f"coverage: the mean share of held-out images in the properties' regions {moved}, "
        f"{points(tolerance)} allowed: {outcome}."
    )
    return GateRule(
        name="coverage", tolerance=tolerance, loss=loss, low=loss, high=loss, outcome=outcome, sentence=sentence
    )


def _monitor(comparison: Comparison, name: str, rate: str, tolerance: float) -> GateRule:
    """The rise of a rate. The interval of the rise is that of two samples: squares of the two intervals' arms (Newcombe)."""
    kept = [] if comparison.monitor is None else [row for row in comparison.monitor.kept if row.rate == rate]
    if not kept or kept[0].before is None or kept[0].after is None:
        return _unmeasured(name, tolerance, "one of the studies has no monitor that gives it")
    rise, low, high = _rise(kept[0], kept[0].before, kept[0].after)
    outcome = outcome_of(low, high, tolerance)
    moved = f"rose by {points(rise, tolerance)}" if rise > -ROUNDING else f"fell by {points(-rise)}"
    sentence = f"{name}: {moved} ({_between('rise', low, high, tolerance)}: {outcome}."
    return GateRule(name=name, tolerance=tolerance, loss=rise, low=low, high=high, outcome=outcome, sentence=sentence)


def _rise(row: KeptChange, before: float, after: float) -> tuple[float, float, float]:
    low = after - before - ((after - row.after_low) ** 2 + (row.before_high - before) ** 2) ** 0.5
    high = after - before + ((row.after_high - after) ** 2 + (before - row.before_low) ** 2) ** 0.5
    return after - before, low, high
