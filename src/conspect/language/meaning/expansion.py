"""From notation to core nodes: chains, sets and lists become conjunctions."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from conspect.core.diagnostics import user_error
from conspect.language.syntax.grammar import DEPTH_LIMIT
from conspect.language.syntax.tree import (
    And,
    Chain,
    Each,
    Formula,
    HasAll,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)

Notation: TypeAlias = type[Chain] | type[Each] | type[HasAll]


def expand(formula: Formula, notation: tuple[Notation, ...] = (Chain, Each, HasAll)) -> Formula:
    """The same claim in core nodes alone: atoms, Not, And, Or, Implies, Iff. UserError beyond the depth limit.

    `notation`: rewrite these kinds alone.
    """
    require_depth(formula)
    return _expand(formula, notation)


def _expand(formula: Formula, notation: tuple[Notation, ...]) -> Formula:  # noqa: PLR0911
    match formula:
        case Predict() | Stronger() | HasConcept():
            return formula
        case Not(operand, span):
            return Not(_expand(operand, notation), span)
        case And(operands, span):
            return And(tuple([_expand(part, notation) for part in operands]), span)
        case Or(operands, span):
            return Or(tuple([_expand(part, notation) for part in operands]), span)
        case Implies(left, right, span):
            return Implies(_expand(left, notation), _expand(right, notation), span)
        case Iff(left, right, span):
            return Iff(_expand(left, notation), _expand(right, notation), span)
        case Chain() | Each() | HasAll():
            return _conjunction(formula) if isinstance(formula, notation) else formula
        case _:
            assert_never(formula)


def _conjunction(formula: Chain | Each | HasAll) -> Formula:
    span = formula.span
    parts: list[Formula]
    if isinstance(formula, Chain):
        parts = [Stronger(a, b, span) for a, b in zip(formula.concepts, formula.concepts[1:], strict=False)]
    elif isinstance(formula, Each):
        parts = [Stronger(a, b, span) for a in formula.left for b in formula.right]
    else:
        parts = [HasConcept(a, span) for a in formula.concepts]
    return parts[0] if len(parts) == 1 else And(tuple(parts), span)


def children(formula: Formula) -> tuple[Formula, ...]:
    """The formulas directly inside a formula; none for atoms and notation."""
    match formula:
        case Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case Implies(left, right) | Iff(left, right):
            return (left, right)
        case _:
            return ()


def nodes(formula: Formula) -> list[Formula]:
    """Every node of a formula, from left to right and outside in; without recursion."""
    ordered: list[Formula] = []
    stack = [formula]
    while stack:
        node = stack.pop()
        ordered.append(node)
        stack.extend(reversed(children(node)))
    return ordered


def height(formula: Formula) -> int:
    """Nodes on the longest path; notation counts two, for the conjunction it stands for."""
    deepest = 0
    stack = [(formula, 1)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level + isinstance(node, (Chain, Each, HasAll)))
        stack.extend((child, level + 1) for child in children(node))
    return deepest


def require_depth(formula: Formula) -> None:
    """Raises UserError for a formula that nests deeper than the language allows (only Python can build one)."""
    if height(formula) > DEPTH_LIMIT + 1:
        problem = f"the formula is nested deeper than {DEPTH_LIMIT}"
        raise user_error("SPEC112", problem, "give parts of the formula properties of their own")
