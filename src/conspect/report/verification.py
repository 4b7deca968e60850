"""The report's section on proofs: how many properties hold over which regions, and what refutes the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from conspect.core.concept_words import quoted
from conspect.report.neighbourhoods import near_rows, neighbourhood_view
from conspect.report.pages import Part, environment
from conspect.results.concepts import Concept
from conspect.results.verification import Property, ProvableCoverage, Verification, Witness

WEAKEST, NAMED = 10, 3
LEFT, WIDTH, BOTTOM, HEIGHT = 44, 366, 165, 150


def verification_part(verification: Verification, concepts: Sequence[Concept], thumbnails: Mapping[str, str]) -> Part:
    """The section on the properties that every run verifies; `concepts` of the study, with their grades."""
    by_class = _region_properties(verification)
    properties = [property_ for some in by_class.values() for property_ in some]
    top = max((row.gamma for row in verification.by_gamma), default=1.0)
    page = environment().get_template("verification.html.j2")
    html = page.render(
        v=verification,
        not_seen=not_seen_sentence(verification.properties, concepts),
        top=top,
        chart=_coverage_chart(verification.provable_coverage),
        near=neighbourhood_view(verification.neighbourhoods, thumbnails),
        asked_near=near_rows(verification, thumbnails),
        gamma=_gamma(properties),
        overall=_points([(row.gamma, row.share) for row in verification.by_gamma], top),
        lines=[{"name": name, "points": _points(_curve(some), top)} for name, some in by_class.items()],
        classes=[_class(name, some) for name, some in by_class.items()],
        thumbnails=thumbnails,
    )
    return Part("proofs", "What can be proved", "Proofs", Markup(html))


@dataclass(frozen=True)
class _CoverageLine:
    """One shape's line in the chart, with the place of its name."""

    name: str
    points: str
    dashes: str
    x: float
    y: float


@dataclass(frozen=True)
class _CoverageChart:
    """Properties proved against coverage, all shapes side by side; `total` properties are the full height."""

    total: int
    lines: list[_CoverageLine]


DASHES = {"box": "1 3", "ellipsoid": "1 6", "span": "6 3", "band": "none", "ceiling": "2 2"}
# Where along its line each name stands, so that names do not cover each other.
NAMED_AT = {"box": 2, "ellipsoid": 6, "span": 11, "band": 15, "ceiling": 17}


def _coverage_chart(coverage: ProvableCoverage | None) -> _CoverageChart | None:
    if coverage is None or not coverage.properties:
        return None
    lines = []
    for name, curve in [*coverage.by_shape.items(), ("ceiling", coverage.ceiling)]:
        named = curve.rows[NAMED_AT[name]]
        lines.append(
            _CoverageLine(
                name,
                _points([(row.coverage, row.share) for row in curve.rows], 1.0),
                DASHES[name],
                round(LEFT + WIDTH * named.coverage, 1),
                round(BOTTOM - HEIGHT * named.share - 4, 1),
            )
        )
    return _CoverageChart(len(coverage.properties), lines)


def witness_images(verification: Verification | None) -> list[str]:
    """Ids of the images that the section shows beside witnesses."""
    if verification is None:
        return []
    shown = [shown_witness(some) for some in _region_properties(verification).values()]
    witnesses = [chosen.witness for chosen in shown if chosen is not None and chosen.witness is not None]
    return [near.id for witness in witnesses for near in witness.nearest]


def not_seen_sentence(properties: Sequence[Property], concepts: Sequence[Concept]) -> str:
    """Of how many properties a concept is graded not seen, and what that means; empty where of none."""
    not_seen = [concept.name for concept in concepts if concept.grade == "not seen"]
    named = [[name for name in not_seen if name in entry.concepts] for entry in properties]
    number, some = sum(map(bool, named)), sorted({name for names in named for name in names}, key=not_seen.index)
    if not number:
        return ""
    which = " or ".join(map(quoted, some[:NAMED])) + (" or others" if len(some) > NAMED else "")
    says = "1 of them names" if number == 1 else f"{number:,} of them name"
    return (
        f"{says} a concept that is graded not seen ({which}): a verdict is as exact there, but speaks of where the lens puts the "
        "word, not of what a picture shows."
    )


def shown_witness(properties: Sequence[Property]) -> Property | None:
    """The property whose witness a class's card shows: the weakest one that has a witness."""
    return next((p for p in _weakest_first(properties) if p.witness is not None), None)


@dataclass(frozen=True)
class _ClassCard:
    """A class's properties, weakest first, and the witness against the first of them."""

    name: str
    total: int
    holds: int
    weakest: list[Property]
    witness: Witness | None
    profile: list[tuple[str, float]]
    key: set[str]
    low: float
    high: float


def _region_properties(verification: Verification) -> dict[str, list[Property]]:
    """Properties that speak of a region, by class."""
    by_class: dict[str, list[Property]] = defaultdict(list)
    for property_ in verification.properties:
        if property_.kind == "region":
            by_class[property_.class_name or ""].append(property_)
    return by_class


def _gamma(properties: Sequence[Property]) -> float:
    return next((p.region.gamma for p in properties if p.region is not None), 0.0)


def _weakest_first(properties: Sequence[Property]) -> list[Property]:
    return sorted(properties, key=lambda p: -1.0 if p.gamma_max is None else p.gamma_max)


def _curve(properties: Sequence[Property]) -> list[tuple[float, float | None]]:
    holds: dict[float, list[bool]] = defaultdict(list)
    for property_ in properties:
        for point in property_.curve:
            holds[point.gamma].append(point.verdict == "holds")
    return [(gamma, sum(some) / len(some)) for gamma, some in sorted(holds.items())]


def _points(curve: Sequence[tuple[float, float | None]], top: float) -> str:
    known = [(gamma, share) for gamma, share in curve if share is not None]
    return " ".join(f"{LEFT + WIDTH * gamma / top:.1f},{BOTTOM - HEIGHT * share:.1f}" for gamma, share in known)


def _class(name: str, properties: Sequence[Property]) -> _ClassCard:
    chosen = shown_witness(properties)
    ordered = _weakest_first(properties)
    if chosen is not None:
        ordered = [chosen, *(p for p in ordered if p is not chosen)]
    witness = None if chosen is None else chosen.witness
    profile = [] if witness is None else sorted(witness.profile.items(), key=lambda pair: -pair[1])
    strengths = [strength for _, strength in profile]
    return _ClassCard(
        name=name,
        total=len(properties),
        holds=sum(p.verdict == "holds" for p in properties),
        weakest=ordered[:WEAKEST],
        witness=witness,
        profile=profile,
        key=set(chosen.concepts) if chosen else set(),
        low=min(strengths, default=0.0),
        high=max(strengths, default=0.0),
    )
