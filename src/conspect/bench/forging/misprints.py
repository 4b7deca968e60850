"""Printed results of a study altered one figure at a time: what no certificate of the study says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conspect.core.json_value import JsonValue

Record = dict[str, JsonValue]
Misprint = Callable[[Record], bool]


def _verdict_flipped(verdict: str) -> str:
    return {"holds": "violated", "violated": "holds", "unknown": "holds"}[verdict]


def _printed(find: Callable[[Record], list[tuple[Record, str]]], value: Callable[[Any], Any]) -> Misprint:
    """Another value of the first of some fields of the printed results."""

    def change(record: Record) -> bool:
        for holder, key in find(record):
            if holder[key] is not None and value(holder[key]) != holder[key]:
                holder[key] = value(holder[key])
                return True
        return False

    return change


def _of_properties(key: str) -> Callable[[Record], list[tuple[Record, str]]]:
    return _within("properties", key)


def _within(*path: str) -> Callable[[Record], list[tuple[Record, str]]]:
    """Fields at the end of a path through objects and lists."""

    def find(record: Record) -> list[tuple[Record, str]]:
        holders = [record]
        for key in path[:-1]:
            steps = [holder[key] for holder in holders if holder.get(key) is not None]
            steps = [child for step in steps for child in (step if isinstance(step, list | tuple) else [step])]
            children = [
                child
                for step in steps
                for child in (step.values() if isinstance(step, dict) and key in KEYED else [step])
            ]
            holders = [child for child in children if isinstance(child, dict)]
        return [(holder, path[-1]) for holder in holders if path[-1] in holder]

    return find


KEYED = ("by_shape",)
LESS: Callable[[Any], Any] = lambda value: value * 0.5  # noqa: E731
PRINTED: dict[str, Misprint] = {
    "a verdict printed otherwise": _printed(_of_properties("verdict"), _verdict_flipped),
    "a larger size printed as proved": _printed(_of_properties("gamma_max"), lambda value: value * 1.01),
    "a point of a curve printed otherwise": _printed(_within("properties", "curve", "verdict"), _verdict_flipped),
    "a coverage printed otherwise": _printed(_within("properties", "coverage_interval", "rate"), lambda v: (v + 1) / 2),
    "a row of coverages printed otherwise": _printed(_within("by_coverage", "holds"), lambda value: value + 1),
    "a row of sizes printed otherwise": _printed(_within("by_gamma", "holds"), lambda value: value + 1),
    "a provable size printed otherwise": _printed(
        _within("provable_coverage", "properties", "by_shape", "size"), lambda value: value * 1.01
    ),
    "a provable coverage printed otherwise": _printed(
        _within("provable_coverage", "properties", "by_shape", "measured", "rate"), LESS
    ),
    "a guaranteed coverage printed otherwise": _printed(
        _within("provable_coverage", "properties", "by_shape", "coverage"), lambda value: (value + 1) / 2
    ),
    "the best coverage of a property printed otherwise": _printed(
        _within("provable_coverage", "properties", "measured"), lambda value: (value + 1) / 2
    ),
    "a count of the chart of coverages printed otherwise": _printed(
        _within("provable_coverage", "by_shape", "rows", "proved"), lambda value: value + 1
    ),
    "the best row of the chart printed otherwise": _printed(
        _within("provable_coverage", "best", "rows", "proved"), lambda value: value + 1
    ),
    "a row of images printed otherwise": _printed(_within("statistically", "holds"), lambda value: value + 1),
    "images proved around printed otherwise": _printed(
        _within("neighbourhoods", "properties", "proved"), lambda v: v + 1
    ),
    "the mean share proved printed otherwise": _printed(
        _within("neighbourhoods", "mean_proved"), lambda v: (v + 1) / 2
    ),
    "properties proved around nine tenths printed otherwise": _printed(
        _within("neighbourhoods", "properties_proved_around_90"), lambda value: value + 1
    ),
}
