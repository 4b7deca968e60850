"""The report's section on proofs: how many properties hold over which regions, and what refutes the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from conspect.report.pages import Part, environment

Json = Mapping[str, Any]
WEAKEST = 10
LEFT, WIDTH, BOTTOM, HEIGHT = 44, 366, 165, 150


def verification_part(found: Json, thumbnails: Mapping[str, str]) -> Part:
    """The section, from `results["verification"]`."""
    properties = [p for p in found["properties"] if p["kind"] == "region"]
    top = max((row["gamma"] for row in found["by_gamma"]), default=1.0)
    by_class: dict[str, list[Json]] = defaultdict(list)
    for one in properties:
        by_class[one["class"]].append(one)
    page = environment().get_template("verification.html.j2")
    html = page.render(
        v=found,
        top=top,
        gamma=properties[0]["region"]["gamma"] if properties else 0.0,
        overall=_points([(row["gamma"], row["share"]) for row in found["by_gamma"]], top),
        lines=[{"name": name, "points": _points(_curve(some), top)} for name, some in by_class.items()],
        classes=[_class(name, some) for name, some in by_class.items()],
        thumbnails=thumbnails,
    )
    return Part("proofs", "What can be proved", Markup(html))


def shown_witness(properties: Sequence[Json]) -> Json | None:
    """The property whose witness a class's card shows: the weakest one that has a witness."""
    return next((p for p in _weakest_first(properties) if p["witness"]), None)


def witness_images(results: Json) -> list[str]:
    """Ids of the images that the section shows beside witnesses."""
    by_class: dict[str, list[Json]] = defaultdict(list)
    for one in results.get("verification", {}).get("properties", ()):
        if one["kind"] == "region":
            by_class[one["class"]].append(one)
    shown = [chosen for some in by_class.values() if (chosen := shown_witness(some))]
    return [near["id"] for chosen in shown for near in chosen["witness"]["nearest"]]


def _weakest_first(properties: Sequence[Json]) -> list[Json]:
    return sorted(properties, key=lambda p: -1.0 if p["gamma_max"] is None else p["gamma_max"])


def _curve(properties: Sequence[Json]) -> list[tuple[float, float]]:
    holds: dict[float, list[bool]] = defaultdict(list)
    for one in properties:
        for point in one["curve"]:
            holds[point["gamma"]].append(point["verdict"] == "holds")
    return [(gamma, sum(some) / len(some)) for gamma, some in sorted(holds.items())]


def _points(curve: Sequence[tuple[float, float]], top: float) -> str:
    return " ".join(f"{LEFT + WIDTH * gamma / top:.1f},{BOTTOM - HEIGHT * share:.1f}" for gamma, share in curve)


def _class(name: str, properties: Sequence[Json]) -> dict[str, Any]:
    chosen = shown_witness(properties)
    ordered = _weakest_first(properties)
    if chosen is not None:
        ordered = [chosen, *(p for p in ordered if p is not chosen)]
    profile = sorted(chosen["witness"]["profile"].items(), key=lambda pair: -pair[1]) if chosen else []
    strengths = [strength for _, strength in profile]
    return {
        "name": name,
        "total": len(properties),
        "holds": sum(p["verdict"] == "holds" for p in properties),
        "weakest": ordered[:WEAKEST],
        "witness": chosen["witness"] if chosen else None,
        "profile": profile,
        "key": set(chosen["statement"].split()) if chosen else set(),
        "low": min(strengths, default=0.0),
        "high": max(strengths, default=0.0),
    }
