"""docs/results.md names every field of the records, and nothing else."""

import dataclasses
import re
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from conspect.results.heatmaps import Difference, LostPair
from conspect.results.localization import CrossTable
from conspect.results.monitor import Kept, MonitorEvaluation, SplitSize
from conspect.results.results import Results
from conspect.results.shares import CulpritCounts, Interval, PartCounts, Share
from conspect.results.slices import ConceptLabels, Slices
from conspect.results.verification import Verification
from tests.documentation import text_of

# Documented as one thing wherever they stand, or in a table of their own.
WHOLE = (Share, Interval, SplitSize, LostPair, CulpritCounts, PartCounts, Difference)


def fields_of(kind: type[msgspec.Struct], *, whole: tuple[type, ...] = WHOLE) -> set[str]:
    """Paths of a record's fields as the file has them: `a.b`, and `a[].b` for lists of records."""
    paths = set()
    for field in msgspec.structs.fields(kind):
        paths |= {f"{field.encode_name}{rest}" for rest in _below(field.type, whole)}
    return paths


def _below(kind: Any, whole: tuple[type, ...]) -> set[str]:
    if get_origin(kind) in {UnionType, Union}:
        return set().union(*(_below(part, whole) for part in get_args(kind) if part is not type(None)))
    if get_origin(kind) is tuple:
        inside = _below(get_args(kind)[0], whole)
        return {f"[]{rest}" for rest in inside} if inside != {""} or get_args(kind)[0] is Difference else {""}
    if isinstance(kind, type) and kind not in whole:
        if issubclass(kind, msgspec.Struct):
            if kind.__struct_config__.array_like:  # the file has its values in order, without names
                return {""}
            return {f".{path}" for path in fields_of(kind, whole=whole)}
        if dataclasses.is_dataclass(kind):
            return {f".{field.name}" for field in dataclasses.fields(kind)}
    return {""}


def documented_in(text: str) -> set[str]:
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_field_of_the_results_is_documented_and_every_documented_one_is_there() -> None:
    page, rest = text_of("results.md").split("Fields of a difference")
    differences, rest = rest.split("## Fields of `verification`")
    verification, monitor = rest.split("## Fields of `monitor`")
    assert documented_in(verification) == fields_of(Verification)
    # Sections that have a page or a table of their own.
    elsewhere = (*WHOLE, Slices, ConceptLabels, Verification, MonitorEvaluation, CrossTable)
    assert documented_in(page) == fields_of(Results, whole=elsewhere)
    own = tuple(kind for kind in WHOLE if kind not in {Difference, LostPair})
    assert documented_in(differences) == {f".{path}" for path in fields_of(Difference, whole=own)}
    shares = {f"kept{which}.{field}" for which in ("", "_second_look") for field in Kept.__struct_fields__}
    assert documented_in(monitor) == fields_of(MonitorEvaluation) | shares
