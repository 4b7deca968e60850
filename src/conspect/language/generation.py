"""Specifications from knowledge about classes: a class-by-attribute table, or pairs of concepts found elsewhere.

Each property is `predict(x, c) => >(x, relevant, irrelevant)` for all x in the focus region of c (paper A). Size and
shape of the region are left to whoever verifies.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conspect.core.concepts import IRRELEVANT_SHARE, RELEVANT_SHARE
from conspect.core.diagnostics import Place, UserError, user_error
from conspect.language.tree import (
    ClassDeclaration,
    ConceptDeclaration,
    Focus,
    ForAll,
    Implies,
    Item,
    Predict,
    Property,
    Specification,
    Stronger,
)

RELEVANT = RELEVANT_SHARE
IRRELEVANT = IRRELEVANT_SHARE


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """Which share of the images of each class carries each attribute: `shares[class][concept]` in 0..1."""

    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def from_carried(cls, carried: Mapping[str, Sequence[str]]) -> AttributeTable:
        """Shares of 1 for the concepts that a class carries, 0 for every other: what an ontology tells."""
        concepts = tuple(dict.fromkeys(name for names in carried.values() for name in names))
        rows = tuple(tuple(float(name in names) for name in concepts) for names in carried.values())
        return cls(tuple(carried), concepts, rows)


def read_attribute_table(text: str, file: str = "<table>") -> AttributeTable:
    """A table from CSV text: a header `class,attribute,...`, a row for each class, shares in 0..1; `#` comments."""
    lines = [
        (number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"
    ]
    try:
        rows = list(csv.reader(io.StringIO("\n".join(line for _, line in lines)), strict=True))
    except csv.Error as error:
        raise user_error(
            "SPEC411", f"this is not CSV: {error}", "write class,attribute,... and a row for each class", Place(file)
        ) from error
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows) != len(lines):
        fix = "write a header class,attribute,... and one line for each class with its shares"
        raise user_error("SPEC411", "the table has no classes or no attributes", fix, Place(file))
    header = [name.strip() for name in rows[0]]
    shares = []
    for (number, line), row in zip(lines[1:], rows[1:], strict=True):
        place = Place(file, number, 1, line[:160])
        if len(row) != len(header):
            fix = f"the header has {len(header)} columns"
            raise user_error("SPEC411", f"this row has {len(row)} columns", fix, place)
        shares.append(tuple(_share(cell, place) for cell in row[1:]))
    names = [row[0].strip() for row in rows[1:]]
    for kind, found in (("class", names), ("attribute", header[1:])):
        doubled = sorted({name for name in found if found.count(name) > 1 or not name})
        if doubled:
            raise user_error(
                "SPEC411", f"{kind} '{doubled[0]}' occurs twice or is empty", "give each its own name", Place(file)
            )
    return AttributeTable(tuple(names), tuple(header[1:]), tuple(shares))


def _share(cell: str, place: Place) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise user_error("SPEC411", f"'{cell[:40]}' is not a share", "write a number from 0 to 1", place)
    return value


def from_attribute_table(
    table: AttributeTable, *, relevant: float = RELEVANT, irrelevant: float = IRRELEVANT
) -> Specification:
    """Every concept that at least `relevant` of a class carry over every one that less than `irrelevant` carry."""
    pairs = [
        (class_name, strong, weak)
        for class_name, row in zip(table.class_names, table.shares, strict=True)
        for strong, high in zip(table.concept_names, row, strict=True)
        if high >= relevant
        for weak, low in zip(table.concept_names, row, strict=True)
        if low < irrelevant and weak != strong
    ]
    if not pairs:
        problem = f"no class has a concept of share {relevant} or more beside one below {irrelevant}"
        raise user_error("SPEC412", problem, "change --relevant and --irrelevant")
    return from_pairs(pairs, table.class_names, table.concept_names)


def from_pairs(
    pairs: Iterable[tuple[str, str, str]],
    class_names: Sequence[str] = (),
    concept_names: Sequence[str] = (),
    phrases: Mapping[str, tuple[str, ...]] | None = None,
) -> Specification:
    """One property for each (class, stronger, weaker); declares the names given and the names used."""
    listed = list(dict.fromkeys(pairs))
    if not listed:
        raise _nothing()
    known = phrases or {}
    items: list[Item] = [ClassDeclaration(name) for name in dict.fromkeys([*class_names, *(c for c, _, _ in listed)])]
    used = [name for _, strong, weak in listed for name in (strong, weak)]
    items += [ConceptDeclaration(name, known.get(name, ())) for name in dict.fromkeys([*concept_names, *used])]
    items += [
        Property(
            f"{class_name}_{strong}_over_{weak}",
            ForAll(Focus(class_name)),
            Implies(Predict(class_name), Stronger(strong, weak)),
        )
        for class_name, strong, weak in listed
    ]
    return Specification(tuple(items))


def _nothing() -> UserError:
    return user_error(
        "SPEC412", "there are no concept pairs to write properties from", "loosen what counts as relevant"
    )
