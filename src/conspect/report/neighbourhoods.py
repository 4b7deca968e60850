"""The report's part on neighbourhoods: what is proved around real images, and a picture that breaks a property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conspect.results.neighbourhoods import Neighbourhoods, RealCounterexample
from conspect.results.verification import NeighbourhoodCounts, Property, Verification

LEFT, WIDTH, BOTTOM, HEIGHT = 44, 366, 165, 150
STRONGEST = 6


@dataclass(frozen=True)
class NeighbourhoodView:
    """What the template draws: two lines over the radius, its ticks, and the counterexample's pictures and strengths."""

    record: Neighbourhoods
    proved: str
    decision: str
    ticks: list[tuple[float, str]]
    example: RealCounterexample | None
    original: str | None
    changed: str | None
    strengths: list[tuple[str, float, float]]


def neighbourhood_view(summed: Neighbourhoods | None, thumbnails: Mapping[str, str]) -> NeighbourhoodView | None:
    """The view of a record; None without one."""
    if summed is None:
        return None
    top = max((row.radius for row in summed.curve), default=1.0) or 1.0

    def line(values: list[tuple[float, float]]) -> str:
        return " ".join(f"{LEFT + WIDTH * radius / top:.1f},{BOTTOM - HEIGHT * share:.1f}" for radius, share in values)

    example = summed.counterexample
    named = [] if example is None else _named_first(example)
    return NeighbourhoodView(
        record=summed,
        proved=line([(row.radius, row.mean_proved) for row in summed.curve]),
        decision=line([(row.radius, row.decision_proved) for row in summed.curve]),
        ticks=[(round(LEFT + WIDTH * row.radius / top, 1), f"{100 * row.share:g}") for row in summed.curve],
        example=example,
        original=None if example is None else thumbnails.get(example.image),
        changed=None if example is None else thumbnails.get(picture_name(example.image, example.change)),
        strengths=[]
        if example is None
        else [(name, example.strength_before[name], example.strength_after[name]) for name in named],
    )


def _named_first(example: RealCounterexample) -> list[str]:
    """The concepts of the property, then the strongest ones."""
    strengths = example.strength_after
    return sorted(strengths, key=lambda name: (name not in example.concepts, -strengths[name]))[:STRONGEST]


def picture_name(image: str, change: str) -> str:
    """What a changed picture is called among thumbnails."""
    return f"{image}, {change}"


def shown_pictures(verification: Verification | None) -> list[tuple[str, str | None]]:
    """Images that the section shows, each as it is (None) or after a change: of the counterexamples."""
    if verification is None:
        return []
    summed = verification.neighbourhoods
    example = None if summed is None else summed.counterexample
    shown: list[tuple[str, str | None]] = (
        [] if example is None else [(example.image, None), (example.image, example.change)]
    )
    for witness in (entry.witness for entry in verification.properties if entry.kind == "near"):
        if witness is not None and witness.around is not None:
            shown += [(witness.around, None), *([] if witness.change is None else [(witness.around, witness.change)])]
    return list(dict.fromkeys(shown))


@dataclass(frozen=True)
class NearRow:
    """A property about neighbourhoods with the pictures of its counterexample: as it is, and changed."""

    property: Property
    counts: NeighbourhoodCounts
    original: str | None
    changed: str | None


def near_rows(verification: Verification, thumbnails: Mapping[str, str]) -> list[NearRow]:
    """The properties that speak of neighbourhoods, in order."""
    rows = []
    for entry in verification.properties:
        if entry.neighbourhood is None:
            continue
        around = None if entry.witness is None else entry.witness.around
        change = None if entry.witness is None else entry.witness.change
        original = None if around is None else thumbnails.get(around)
        changed = None if around is None or change is None else thumbnails.get(picture_name(around, change))
        rows.append(NearRow(entry, entry.neighbourhood, original, changed))
    return rows
