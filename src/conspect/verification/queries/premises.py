"""Premises: what has to be so before a property claims anything, however the property is written."""

from __future__ import annotations

from conspect.language import expand
from conspect.language.syntax.tree import And, Formula, Implies, Not, Or


def premise_of(formula: Formula) -> Formula | None:
    """The formula without which this one is true of everything; None where it has none.

    All that stands before the arrows of `p => (q => ...)`; p of `not p or q` and of `not (p and not q)`, which say the
    same; of several such claims together that any of their premises is so.
    """
    return _premise(expand(formula))


def _premise(core: Formula) -> Formula | None:
    match core:
        case Implies(left, right):
            return _both(left, _premise(right))
        case Or(operands):
            denied = tuple(part.operand for part in operands if isinstance(part, Not))
            return _claimed_if(denied, [part for part in operands if not isinstance(part, Not)])
        case Not(And(operands)):
            asserted = tuple(part for part in operands if not isinstance(part, Not))
            return _claimed_if(asserted, [part.operand for part in operands if isinstance(part, Not)])
        case And(operands):
            each = [_premise(part) for part in operands]
            premises = tuple(premise for premise in each if premise is not None)
            return Or(premises) if len(premises) == len(each) else None
        case _:
            return None


def _claimed_if(premises: tuple[Formula, ...], conclusions: list[Formula]) -> Formula | None:
    """The premises, if something is concluded from them."""
    if not premises or not conclusions:
        return None
    premise = premises[0] if len(premises) == 1 else And(premises)
    return _both(premise, _premise(conclusions[0])) if len(conclusions) == 1 else premise


def _both(premise: Formula, further: Formula | None) -> Formula:
    if further is None:
        return premise
    return And((premise, *further.operands)) if isinstance(further, And) else And((premise, further))
