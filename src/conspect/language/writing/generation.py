"""Specifications from knowledge about classes: a class-by-attribute table, or pairs of concepts found elsewhere.

Each property is `predict(x, c) => >(x, relevant, irrelevant)` for all x in the focus region of c (paper A). Size and
shape of the region are left to whoever verifies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from conspect.core.concepts import IRRELEVANT_SHARE, RELEVANT_SHARE, ClassAttributes
from conspect.core.diagnostics import UserError, user_error
from conspect.language.syntax.tree import (
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


def from_carried(carried: Mapping[str, Sequence[str]]) -> ClassAttributes:
    """A table with a share of 1 for the concepts that a class carries, 0 for every other: what an ontology tells."""
    concepts = tuple(dict.fromkeys(name for names in carried.values() for name in names))
    rows = [[float(name in names) for name in concepts] for names in carried.values()]
    return ClassAttributes(tuple(carried), concepts, np.asarray(rows, dtype=np.float64).reshape(-1, len(concepts)))


def from_attribute_table(
    table: ClassAttributes, *, relevant: float = RELEVANT, irrelevant: float = IRRELEVANT
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
