"""Premises: what has to be so before a property claims anything, however the property is written."""

from __future__ import annotations

from conspect.language import expand
from conspect.language.meaning.expansion import nodes
from conspect.language.syntax.tree import And, Formula, Implies, Not, Or, Predict


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


def without_premise(formula: Formula) -> Formula | None:
    """The formula without its premises `predict(...)`: a stronger one that reads fewer numbers; None where it has none.

    `p => F`, `not p or F`, `F or not p`, `not (p and not F)` and `not not (p => F)` say the same, and have the same conclusion.
    """
    core = expand(formula)
    rest = _claimed(core)
    return rest if rest is not None and _predictions(rest) < _predictions(core) else None


def _predictions(formula: Formula) -> int:
    return sum(isinstance(node, Predict) for node in nodes(formula))


def _claimed(core: Formula) -> Formula | None:  # noqa: PLR0911 (one for each kind of node)
    """A formula that implies this one, without alternatives `not predict(...)`; None where nothing else would be left."""
    match core:
        case Not(Predict()):
            return None
        case Not(Not(operand)):
            return _claimed(operand)
        case Not(And(operands)):
            return _any([_claimed(Not(operand)) for operand in operands])
        case Not(Or(operands)):
            return And(tuple(_or_itself(Not(operand)) for operand in operands))
        case Not(Implies(left, right)):
            return And((_or_itself(left), _or_itself(Not(right))))
        case Or(operands):
            return _any([_claimed(operand) for operand in operands])
        case And(operands):
            return And(tuple(_or_itself(operand) for operand in operands))
        case Implies(left, right):
            denied, rest = _claimed(Not(left)), _claimed(right)
            if denied is not None and rest is not None and _predictions(denied) == _predictions(left):
                return Implies(left, rest)  # as it was written
            return _any([denied, rest])
        case _:
            return core


def _or_itself(formula: Formula) -> Formula:
    claimed = _claimed(formula)
    return formula if claimed is None else claimed


def _any(alternatives: list[Formula | None]) -> Formula | None:
    kept = tuple(alternative for alternative in alternatives if alternative is not None)
    return Or(kept) if len(kept) > 1 else kept[0] if kept else None
