"""SCIP (pyscipopt): a second opinion on held properties. It never makes a verdict; it can only cast doubt on one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conspect.core.diagnostics import outside_error
from conspect.verification.engine.batch import Branch, RegionForms
from conspect.verification.engine.solvers.status import Status, translated
from conspect.verification.queries.negation import ConeLiteral

STATUSES: dict[str, Status] = {"optimal": "optimal", "infeasible": "infeasible", "unbounded": "unbounded"}
TOLERANCE = 1e-6


def opinion(root: Branch, forms: RegionForms, outcome: str) -> str:
    """What SCIP says of the closed branches of a property, as a sentence. VERIFY008 without pyscipopt."""
    if outcome != "holds":
        return "SCIP was not asked: only held properties are cross-checked"
    messages: list[str] = []
    for leaf in _leaves(root):
        if any(isinstance(literal, ConeLiteral) for literal in leaf.state.literals) or leaf.limits or leaf.phases:
            return "SCIP was not asked: only linear literals are cross-checked"
        messages.append(_says(leaf, forms))
    if all(word == "closed" for word in messages):
        return f"SCIP agrees: no counterexample in {len(messages)} conjuncts"
    if "open" in messages:
        return "SCIP DISAGREES beyond its tolerance: please report this property with its certificate"
    return "SCIP could not say"


def _leaves(root: Branch) -> Iterator[Branch]:
    stack = [root]
    while stack:
        branch = stack.pop()
        if branch.children:
            stack += branch.children
        elif branch.which < 0:
            yield branch


def _says(leaf: Branch, forms: RegionForms) -> str:
    """Whether the largest smallest literal value is positive, by a linear or conic program."""
    try:
        from pyscipopt import Model, quicksum
    except ImportError:
        raise outside_error("VERIFY008", "the solver SCIP is not installed", "pip install pyscipopt") from None
    model: Any = Model()
    model.hideOutput()
    size = forms.slopes.shape[1]
    u = [model.addVar(lb=-1.0, ub=1.0) for _ in range(size)]
    if forms.region.norm == "euclid":
        model.addCons(quicksum(v * v for v in u) <= 1.0)
    least = model.addVar(lb=None, ub=1.0)
    for first, second, *_ in leaf.state.literals:
        slope = (forms.slopes[first] - forms.slopes[int(second)]).tolist()
        offset = float(forms.offsets[first] - forms.offsets[int(second)])
        model.addCons(quicksum(a * v for a, v in zip(slope, u, strict=True)) + offset >= least)
    model.setObjective(least, "maximize")
    model.optimize()
    if translated(STATUSES, model.getStatus()) != "optimal":
        return "unknown"
    best = float(model.getVal(least))
    return "closed" if best <= TOLERANCE else "open"
