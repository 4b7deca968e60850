"""Premises: what has to be so before a property claims anything."""

from __future__ import annotations

from conspect.language import expand
from conspect.language.syntax.tree import And, Formula, Implies


def premise_of(formula: Formula) -> Formula | None:
    """All that stands before the arrows of `p => (q => ...)`, as one formula; None where nothing does."""
    core = expand(formula)
    premises: list[Formula] = []
    while isinstance(core, Implies):
        premises.append(core.left)
        core = core.right
    if not premises:
        return None
    return premises[0] if len(premises) == 1 else And(tuple(premises))
