"""Verdicts and extents as people read them in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import islice
from math import isfinite
from sys import float_info

from conspect.core.percentages import level, narrow
from conspect.core.terminal import on_one_line
from conspect.results.extents import ClassExtents
from conspect.results.leads import LeadRow
from conspect.results.verification import Property, Rate, Witness

SHOWN = 5
SIGNIFICANT = 4
CURVE_SHOWN = 4


def verdict_lines(entry: Property) -> str:
    """A few lines for one property; a warning that the region is all but empty comes first."""
    lines = [f"{entry.verdict.upper():8} {entry.id}: {entry.statement}"]
    if entry.rarity is not None:
        lines.insert(0, f"! {entry.rarity}")
    if entry.quantifier and entry.region is None:
        lines.append(f"         claimed: {entry.quantifier}")
    if entry.reason:
        lines.append(f"         reason: {entry.reason}")
    if entry.region is not None:
        lines.append(f"         region: {entry.region.shape}, {entry.region.provenance}")
    facts = []
    if entry.margin is not None:
        slack = "" if entry.float32_slack is None else f" (float32 can be off by {_up(entry.float32_slack, 2)})"
        facts.append(f"margin {_down(entry.margin)}{slack}")
    if entry.gamma_max_bracket is not None:
        proved, refuted, _ = entry.gamma_max_bracket
        facts.append(f"holds up to size {_bracket(proved, refuted)}")
    if entry.coverage_interval is not None:
        facts.append(f"coverage {_rate(entry.coverage_interval)}")
    if entry.satisfaction is not None:
        facts.append(f"true for {_rate(entry.satisfaction)}")
    if facts:
        lines.append(f"         {'; '.join(facts)}")
    if entry.witness is not None:
        strongest = ", ".join(f"{name} {value:.3f}" for name, value in islice(entry.witness.profile.items(), SHOWN))
        lines.append(f"         {_what(entry.witness)}: predicted {entry.witness.predicted}; strongest {strongest}")
        near = ", ".join(f"{image.id} ({image.class_name}, {image.distance:.3g})" for image in entry.witness.nearest)
        if near:
            lines.append(f"         nearest images: {near}")
    lines += [f"         note: {caveat}" for caveat in entry.caveats if caveat != entry.rarity]
    return "\n".join(map(on_one_line, lines))


def verdict_counts(properties: Sequence[Property]) -> str:
    """One line with the number of each verdict."""
    counts = Counter(entry.verdict for entry in properties)
    each = ", ".join(f"{counts[kind]} {kind}" for kind in ("holds", "violated", "unknown") if counts[kind])
    return f"{len(properties)} properties: {each or 'none'}"


def extent_lines(extents: Sequence[ClassExtents]) -> str:
    """A few lines for each output and property: the share of images that stand a change of the concept."""
    lines = []
    for entry in extents:
        head = f"EXTENT   {entry.of} of {entry.class_name}: {entry.concept}, {entry.images} images"
        if entry.changed_at_once:
            head += f", {entry.changed_at_once} changed by the smallest step"
        lines.append(head)
        apart = len(entry.curve) // CURVE_SHOWN
        shown = entry.curve[apart - 1 :: apart] if entry.curve else ()
        lines.append(
            "         " + "; ".join(f"{narrow(s.share)} stand a change of {_down(s.change, 3)}" for s in shown)
        )
    lines.append("         changes are of the strength q'y, either way; proved, and claims of the certificate")
    return "\n".join(map(on_one_line, lines))


def lead_lines(leads: Sequence[LeadRow], shape: str) -> str:
    """A table: how many properties are proved over regions that hold so many images, by the lead that outputs must have."""
    if not leads:
        return "no property here speaks of a class"
    head = "".join(f"{level(entry.coverage):>9}" for entry in leads[0].proved)
    lines = [f"{'lead':>8}{'images that lead so':>22}{head}{'median':>10}   of {leads[0].properties} properties"]
    for row in leads:
        share = narrow(row.share)
        counts = "".join(f"{entry.proved:>9}" for entry in row.proved)
        lines.append(f"{row.lead:>8g}{share:>22}{counts}{narrow(row.median):>10}")
    lines.append(
        f"properties proved over a {shape} that holds so many images of their class (split conformal prediction), asked"
    )
    lines.append(
        "only of outputs that lead by so much; decided in exact arithmetic, and no certificate is written of it"
    )
    empty = [f"{row.lead:g}" for row in leads if not row.leading]
    if empty:
        lines.append(
            f"! no held-out image leads by {' or '.join(empty)}: what is proved there is of no image that is known"
        )
    return "\n".join(lines)


def _what(witness: Witness) -> str:
    """What a witness is, in words."""
    if witness.around is None:
        return "witness"
    if witness.change is not None:
        return f"counterexample, a real picture: {witness.around}, {witness.change}"
    if witness.image is not None:
        return f"counterexample, the image {witness.image} itself"
    return f"counterexample, an embedding (no picture is known) near {witness.around}"


def _rate(rate: Rate) -> str:
    if rate.rate is None:
        return "no images"
    return f"{narrow(rate.rate)} of {rate.n} held-out images [{narrow(rate.low)}, {narrow(rate.high)}]"


def _bracket(proved: float | None, refuted: float | None) -> str:
    if proved is None:
        return "none: it fails at the centre" if refuted == 0.0 else "unknown"
    if refuted is None:
        return f"{_down(proved)} at least"
    return f"{_down(proved)} (fails at {_up(refuted)})"


def _down(value: float, digits: int = SIGNIFICANT) -> str:
    """A decimal of few digits that is not above the value: what was proved of the value is true of what is printed."""
    return _rounded(value, digits, ROUND_FLOOR)


def _up(value: float, digits: int = SIGNIFICANT) -> str:
    """A decimal of few digits that is not below the value."""
    return _rounded(value, digits, ROUND_CEILING)


def _rounded(value: float, digits: int, rounding: str) -> str:
    if not isfinite(value):
        return f"{value:g}"
    rounded = Context(prec=digits, rounding=rounding).create_decimal(Decimal(value))
    if 0 < abs(value) < float_info.min:
        return f"{rounded:e}"  # a float this small has fewer digits than are printed: it would round them anew
    return f"{float(rounded):.{digits}g}"
