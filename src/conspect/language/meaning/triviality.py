"""Whether a formula is true or false of every input, whatever the model: a small search with the theory of its atoms.

The theory: strengths are ordered (`>` is transitive and irreflexive; of a pair either one is stronger or they tie), and
at most one class is predicted. Presence of a concept is free. The search has a budget; beyond it the answer is None.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from conspect.language.meaning.expansion import children, expand, nodes
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger

Atom: TypeAlias = Predict | Stronger | HasConcept
Triviality: TypeAlias = Literal["true", "false"]

ATOM_LIMIT = 64


class Budget:
    """Search steps left for one file, so that a hostile one stays cheap."""

    def __init__(self, steps: int = 20_000) -> None:
        self.steps = steps


def triviality(formula: Formula, budget: Budget | None = None) -> Triviality | None:
    """'true' or 'false' when no input can make the formula otherwise; None when one can, or the budget is spent."""
    if isinstance(formula, (Predict, HasConcept)):
        return None
    core = expand(formula)
    atoms = [node for node in nodes(core) if isinstance(node, (Predict, Stronger, HasConcept))]
    if _independent(atoms) or len(set(atoms)) > ATOM_LIMIT:
        return None
    budget = budget or Budget()
    if _satisfiable(core, {}, budget) is False:
        return "false"
    if _satisfiable(Not(core), {}, budget) is False:
        return "true"
    return None


def _independent(atoms: list[Atom]) -> bool:
    """True when no atom occurs twice or bears on another: then the formula can be made true and false."""
    group: dict[str, str] = {}

    def root(name: str) -> str:
        while group.get(name, name) != name:
            name = group[name]
        return name

    if len(set(atoms)) != len(atoms) or sum(isinstance(atom, Predict) for atom in atoms) > 1:
        return False
    for atom in atoms:
        if isinstance(atom, Stronger):
            left, right = root(atom.left), root(atom.right)
            if left == right:
                return False
            group[left] = right
    return True


def _satisfiable(formula: Formula, assigned: dict[Atom, bool], budget: Budget) -> bool | None:
    value = _value(formula, assigned)
    if isinstance(value, bool):
        return value
    if budget.steps <= 0:
        return None
    gave_up = False
    for truth in (True, False):
        budget.steps -= 1
        assigned[value] = truth
        satisfiable = _satisfiable(formula, assigned, budget) if _consistent(value, assigned) else False
        del assigned[value]
        if satisfiable:
            return True
        gave_up = gave_up or satisfiable is None
    return None if gave_up else False


def _value(formula: Formula, assigned: dict[Atom, bool]) -> bool | Atom:  # noqa: PLR0911 (one return for each kind)
    """Truth under a partial assignment, or the first atom that still matters."""
    match formula:
        case Predict() | Stronger() | HasConcept():
            return assigned.get(formula, formula)
        case Not(operand):
            value = _value(operand, assigned)
            return not value if isinstance(value, bool) else value
        case And() | Or():
            decisive = isinstance(formula, Or)
            open_atom: Atom | None = None
            for part in formula.operands:
                value = _value(part, assigned)
                if value is decisive:
                    return decisive
                if open_atom is None and not isinstance(value, bool):
                    open_atom = value
            return (not decisive) if open_atom is None else open_atom
        case Implies(left, right):
            return _value(Or((Not(left), right)), assigned)
        case Iff(left, right):
            values = _value(left, assigned), _value(right, assigned)
            for value in values:
                if not isinstance(value, bool):
                    return value
            return values[0] is values[1]
        case _:
            raise AssertionError(f"{type(formula).__name__} is no core node: {children(formula)}")


def _consistent(newest: Atom, assigned: dict[Atom, bool]) -> bool:
    """Whether the theory allows the assignment, given that it did before `newest`."""
    if isinstance(newest, HasConcept):
        return True
    if isinstance(newest, Predict):
        predictions = [(atom, truth) for atom, truth in assigned.items() if isinstance(atom, Predict)]
        leads = {
            atom.class_name: max(a.lead for a, t in predictions if t and a.class_name == atom.class_name)
            for atom, truth in predictions
            if truth
        }
        # At most one class is assigned, and whoever leads by 4 leads by 2 as well.
        return len(leads) <= 1 and all(
            truth or atom.lead > leads.get(atom.class_name, -1) for atom, truth in predictions
        )
    # a > b is the edge a -> b with weight 1, its denial the edge b -> a with weight 0: no cycle may hold a 1.
    edges: dict[str, list[tuple[str, bool]]] = {}
    for atom, truth in assigned.items():
        if isinstance(atom, Stronger):
            start, end = (atom.left, atom.right) if truth else (atom.right, atom.left)
            edges.setdefault(start, []).append((end, truth))
    start, end = (newest.left, newest.right) if assigned[newest] else (newest.right, newest.left)
    reached = {(end, assigned[newest])}
    stack = list(reached)
    while stack:
        name, strict = stack.pop()
        if name == start and strict:
            return False
        for follower, weight in edges.get(name, ()):
            step = (follower, strict or weight)
            if step not in reached:
                reached.add(step)
                stack.append(step)
    return True
