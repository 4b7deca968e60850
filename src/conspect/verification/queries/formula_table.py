"""Formulas as flat tables of nodes over indices: the form that the engine, the certificate and the checker share.

A table is a tuple of nodes, children before parents, the root last: plain tuples, since they are written into certificates as
they are. Their kinds are those of `NodeKind`; what they mean is `truth`. Nodes: `("predict", class)` or, with a lead,
`("predict", class, "lead")` (a fraction as text), `("stronger", concept, concept)`, `("has", concept)`, `("not", node)`,
`("and", node, ...)`, `("or", node, ...)`, `("implies", node, node)`, `("iff", node, node)`; every integer is an index.
Equal subformulas are stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias, assert_never

from conspect.core.diagnostics import user_error
from conspect.language import expand
from conspect.language.syntax import tree

FormulaNode: TypeAlias = tuple[str | int, ...]
FormulaTable: TypeAlias = tuple[FormulaNode, ...]


class NodeKind(StrEnum):
    """The first entry of a node."""

    PREDICT = "predict"
    STRONGER = "stronger"
    HAS = "has"
    NOT = "not"
    AND = "and"
    OR = "or"
    IMPLIES = "implies"
    IFF = "iff"


ATOMS = frozenset({NodeKind.PREDICT, NodeKind.STRONGER, NodeKind.HAS})


@dataclass(frozen=True, slots=True)
class Names:
    """Indices of class and concept names."""

    classes: Mapping[str, int]
    concepts: Mapping[str, int]

    def class_index(self, name: str) -> int:
        """Index of a class; VERIFY001 when the subject has none of that name."""
        if name not in self.classes:
            known = ", ".join(sorted(self.classes))
            raise user_error("VERIFY001", f"the study has no class {name!r}", f"use one of: {known}")
        return self.classes[name]

    def concept_index(self, name: str) -> int:
        """Index of a concept; VERIFY002 when the lens has none of that name."""
        if name not in self.concepts:
            known = ", ".join(sorted(self.concepts))
            raise user_error("VERIFY002", f"the study's lens has no concept {name!r}", f"use one of: {known}")
        return self.concepts[name]


def tabulate(formula: tree.Formula, names: Names) -> FormulaTable:
    """The table of a formula; chains and sets are written out. VERIFY001 and VERIFY002 for unknown names."""
    table: dict[FormulaNode, int] = {}

    def place(*node: str | int) -> int:
        return table.setdefault(node, len(table))

    def visit(node: tree.Formula) -> int:
        match node:
            case tree.Predict(name, lead):
                index = place(NodeKind.PREDICT, names.class_index(name), *([str(lead)] if lead else []))
            case tree.Stronger(left, right):
                index = place(NodeKind.STRONGER, names.concept_index(left), names.concept_index(right))
            case tree.HasConcept(name):
                index = place(NodeKind.HAS, names.concept_index(name))
            case tree.Not(operand):
                index = place(NodeKind.NOT, visit(operand))
            case tree.And(operands) | tree.Or(operands):
                kind = NodeKind.AND if isinstance(node, tree.And) else NodeKind.OR
                index = place(kind, *[visit(operand) for operand in operands])
            case tree.Implies(left, right) | tree.Iff(left, right):
                kind = NodeKind.IMPLIES if isinstance(node, tree.Implies) else NodeKind.IFF
                index = place(kind, visit(left), visit(right))
            case _:
                raise AssertionError(f"{type(node).__name__} is no core node")
        return index

    root = visit(expand(formula))
    nodes = tuple(table)
    return nodes if root == len(nodes) - 1 else (*nodes, (NodeKind.AND, root))


def kind_of(node: FormulaNode) -> NodeKind:
    """The kind of a node. Raises ValueError for one of no kind."""
    return NodeKind(str(node[0]))


def truth(table: FormulaTable, atom: Callable[[FormulaNode], bool], root: int = -1) -> bool:
    """Truth of the node at `root`, by default of the whole formula, where `atom` says that of `predict`, `stronger`, `has`.

    Each atom is asked at most once, and only where the rest does not decide.
    """
    known: dict[int, bool] = {}

    def at(index: str | int) -> bool:
        place = int(index)
        if place not in known:
            known[place] = decided(table[place])
        return known[place]

    def decided(node: FormulaNode) -> bool:
        kind = kind_of(node)
        match kind:
            case NodeKind.PREDICT | NodeKind.STRONGER | NodeKind.HAS:
                return atom(node)
            case NodeKind.NOT:
                return not at(node[1])
            case NodeKind.AND:
                return all(map(at, node[1:]))
            case NodeKind.OR:
                return any(map(at, node[1:]))
            case NodeKind.IMPLIES:
                return not at(node[1]) or at(node[2])
            case NodeKind.IFF:
                return at(node[1]) == at(node[2])
            case _:
                assert_never(kind)

    return at(root)


def predicts(table: FormulaTable) -> bool:
    """Whether the formula speaks of the output."""
    return any(node[0] == NodeKind.PREDICT for node in table)


def concepts_compared(table: FormulaTable) -> set[int]:
    """Concepts whose strengths the formula compares with one another."""
    return {int(concept) for node in table if node[0] == NodeKind.STRONGER for concept in node[1:]}


def concepts_asked(table: FormulaTable) -> set[int]:
    """Concepts whose threshold the formula needs: those under `hasCon`."""
    return {int(node[1]) for node in table if node[0] == NodeKind.HAS}


def concepts_named(table: FormulaTable) -> list[int]:
    """All concepts that the formula speaks of, ascending."""
    return sorted(concepts_compared(table) | concepts_asked(table))


def lead_of(node: FormulaNode) -> Fraction:
    """The lead that a `predict` node asks for; 0 without one."""
    return Fraction(str(node[2])) if len(node) > 2 else Fraction(0)


def leads_asked(table: FormulaTable) -> set[Fraction]:
    """Leads above zero that a formula speaks of."""
    return {lead_of(node) for node in table if node[0] == NodeKind.PREDICT} - {Fraction(0)}
