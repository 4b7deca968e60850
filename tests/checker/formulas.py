"""Random formulas as nested tuples, their tables, and their truth by the semantics of the language."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

LEAF = st.sampled_from(
    [
        ["predict", 0],
        ["predict", 2],
        ["predict", 1, "1/2"],
        ["stronger", 0, 1],
        ["stronger", 2, 0],
        ["has", 0],
        ["has", 1],
        ["has", 2],
    ]
)
FORMULA = st.recursive(
    LEAF,
    lambda inner: (
        st.tuples(st.just("not"), inner)
        | st.tuples(st.sampled_from(["implies", "iff"]), inner, inner)
        | st.tuples(st.sampled_from(["and", "or"]), inner, inner, inner)
    ),
    max_leaves=6,
)


def tabled(formula: Any, nodes: list[Any]) -> int:
    kind, *args = formula
    node = list(formula) if kind in ("predict", "stronger", "has") else [kind, *[tabled(a, nodes) for a in args]]
    nodes.append(node)
    return len(nodes) - 1


def truth(formula: Any, logits: list[Fraction], strengths: list[Fraction], has: list[bool]) -> bool:
    kind, *args = formula
    if kind == "predict":
        lead = Fraction(args[1]) if len(args) > 1 else Fraction(0)
        over = min(logits[args[0]] - v for k, v in enumerate(logits) if k != args[0])
        return over >= lead if lead else over > 0
    if kind == "stronger":
        return strengths[args[0]] > strengths[args[1]]
    if kind == "has":
        return has[args[0]]
    parts = [truth(a, logits, strengths, has) for a in args]
    tables = {"not": lambda: not parts[0], "implies": lambda: parts[0] <= parts[1], "iff": lambda: parts[0] == parts[1]}
    return tables[kind]() if kind in tables else (min if kind == "and" else max)(parts)
