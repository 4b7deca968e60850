"""Results as people read them in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import isfinite

from conspect.verification.results import GammaMax, PropertyResult, Rate, WitnessRecord

SHOWN = 5
SIGNIFICANT = 4


def printed(result: PropertyResult) -> str:
    """A few lines for one property; a warning that the region is all but empty comes first."""
    lines = [f"{result.verdict.outcome.upper():8} {result.name}: {result.statement}"]
    caveats = list(result.caveats)
    if caveats and caveats[0].startswith("This region contains"):
        lines[0] = f"{lines[0]}\n         ! {caveats.pop(0)}"
        lines[0] = "\n".join(reversed(lines[0].split("\n         ")))
    if result.verdict.reason:
        lines.append(f"         reason: {result.verdict.reason}")
    if result.region is not None:
        lines.append(f"         region: {result.region.shape}, {result.region.provenance}")
    facts = []
    if result.margin is not None:
        slack = "" if result.float32_slack is None else f" (float32 can be off by {_up(result.float32_slack, 2)})"
        facts.append(f"margin {_down(result.margin)}{slack}")
    if result.gamma_max is not None:
        facts.append(f"holds up to size {_bracket(result.gamma_max)}")
    if result.coverage is not None:
        facts.append(f"coverage {_rate(result.coverage)}")
    if result.satisfaction is not None:
        facts.append(f"true for {_rate(result.satisfaction)}")
    if facts:
        lines.append(f"         {'; '.join(facts)}")
    if result.witness is not None:
        strongest = ", ".join(f"{name} {value:.3f}" for name, value in result.witness.profile[:SHOWN])
        lines.append(f"         {_what(result.witness)}: predicted {result.witness.predicted}; strongest {strongest}")
        near = ", ".join(f"{n.image_id} ({n.class_name}, {n.distance:.3g})" for n in result.witness.nearest)
        if near:
            lines.append(f"         nearest images: {near}")
    lines += [f"         note: {caveat}" for caveat in caveats]
    return "\n".join(lines)


def summary(results: Sequence[PropertyResult]) -> str:
    """One line with the number of each verdict."""
    counts = Counter(result.verdict.outcome for result in results)
    each = ", ".join(f"{counts[kind]} {kind}" for kind in ("holds", "violated", "unknown") if counts[kind])
    return f"{len(results)} properties: {each or 'none'}"


def _what(witness: WitnessRecord) -> str:
    """What a witness is, in words."""
    if witness.around is None:
        return "witness"
    if witness.change is not None:
        return f"counterexample, a real picture: {witness.around}, {witness.change}"
    if witness.image_id is not None:
        return f"counterexample, the image {witness.image_id} itself"
    return f"counterexample, an embedding (no picture is known) near {witness.around}"


def _rate(rate: Rate) -> str:
    if not rate.n:
        return "no images"
    return f"{rate.rate:.1%} of {rate.n} held-out images [{rate.low:.1%}, {rate.high:.1%}]"


def _bracket(found: GammaMax) -> str:
    if found.low is None:
        return "none: it fails at the centre" if found.high == 0.0 else "unknown"
    if found.high is None:
        return f"{_down(found.low)} at least"
    return f"{_down(found.low)} (fails at {_up(found.high)})"


def _down(value: float, digits: int = SIGNIFICANT) -> str:
    """A decimal of few digits that is not above the value: what was proved of the value is true of what is printed."""
    return _rounded(value, digits, ROUND_FLOOR)


def _up(value: float, digits: int = SIGNIFICANT) -> str:
    """A decimal of few digits that is not below the value."""
    return _rounded(value, digits, ROUND_CEILING)


def _rounded(value: float, digits: int, rounding: str) -> str:
    if not isfinite(value):
        return f"{value:g}"
    return f"{float(Context(prec=digits, rounding=rounding).create_decimal(Decimal(value))):.{digits}g}"
