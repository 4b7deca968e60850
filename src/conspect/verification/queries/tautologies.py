"""Formulas that are true whatever their atoms are: they claim nothing of any embedding."""

from __future__ import annotations

from itertools import product

from conspect.verification.queries.formula_table import ATOMS, FormulaTable, truth

# With more atoms every assignment would be too many to try; such a formula is not called a tautology.
MOST = 12


def is_tautology(table: FormulaTable) -> bool:
    """Whether a formula is true under every assignment of truth to its atoms, of which there are at most `MOST`."""
    atoms = list(dict.fromkeys(node for node in table if node[0] in ATOMS))
    if len(atoms) > MOST:
        return False
    return all(
        truth(table, dict(zip(atoms, truths, strict=True)).__getitem__)
        for truths in product((False, True), repeat=len(atoms))
    )
