"""Formulas that are true whatever their atoms are: they claim nothing of any embedding."""

from __future__ import annotations

from itertools import product

from conspect.verification.queries.formula_table import FormulaNode, FormulaTable

ATOMS = frozenset({"predict", "stronger", "has"})
# With more atoms every assignment would be too many to try; such a formula is not called a tautology.
MOST = 12


def is_tautology(table: FormulaTable) -> bool:
    """Whether a formula is true under every assignment of truth to its atoms, of which there are at most `MOST`."""
    atoms = [place for place, node in enumerate(table) if node[0] in ATOMS]
    if len(atoms) > MOST:
        return False
    return all(
        _value(table, dict(zip(atoms, truths, strict=True))) for truths in product((False, True), repeat=len(atoms))
    )


def _value(table: FormulaTable, assigned: dict[int, bool]) -> bool:
    values: list[bool] = []
    for place, node in enumerate(table):
        values.append(assigned[place] if place in assigned else _of(node, values))
    return values[-1]


def _of(node: FormulaNode, values: list[bool]) -> bool:
    parts = [values[int(part)] for part in node[1:]]
    match node[0]:
        case "not":
            return not parts[0]
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "implies":
            return not parts[0] or parts[1]
        case _:
            assert node[0] == "iff", node
            return parts[0] == parts[1]
