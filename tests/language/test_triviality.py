from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.language import Readouts, holds
from conspect.language.meaning.triviality import Budget, triviality
from conspect.language.syntax.tree import Formula

from .strategies import formulas, names_of_classes

CONCEPTS = ("metallic", "ears", "wheels")


def every_situation() -> Readouts:
    """All orders with ties of three strengths, each concept present or not, each of three classes or none predicted.

    Presence is free of the order here as in the theory: thresholds differ from concept to concept.
    """
    return Readouts(
        ("truck", "car", "ship"),
        ("metallic", "ears", "wheels", "m", "e", "w"),
        np.array([row for row in _logits() for _ in _strengths()], dtype=float),
        np.array([row for _ in _logits() for row in _strengths()], dtype=float),
        np.zeros(6),
    )


def _logits() -> list[tuple[int, int, int]]:
    return [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)]


def _strengths() -> list[tuple[int, ...]]:
    return list(product(range(3), range(3), range(3), (-1, 1), (-1, 1), (-1, 1)))


SITUATIONS = every_situation()


def presence_apart(formula: Formula) -> Formula:
    """`hasCon` of its own names, so that enumeration treats presence and order as independent."""
    from dataclasses import replace

    from conspect.language.meaning.expansion import children, expand
    from conspect.language.syntax.tree import HasConcept

    def walk(node: Formula) -> Formula:
        if isinstance(node, HasConcept):
            return HasConcept(node.concept[0])
        if not children(node):
            return node
        if hasattr(node, "operands"):
            return replace(node, operands=tuple(map(walk, node.operands)))  # type: ignore[arg-type]
        fields = [name for name in ("operand", "left", "right") if hasattr(node, name)]
        return replace(node, **{name: walk(getattr(node, name)) for name in fields})  # type: ignore[arg-type]

    return walk(expand(formula))


@settings(max_examples=300, deadline=None)
@given(formulas(st.sampled_from(CONCEPTS)))
def test_the_search_agrees_with_enumerating_every_situation(formula: Formula) -> None:
    formula = presence_apart(names_of_classes(formula))
    true = holds(formula, SITUATIONS)
    expected = "true" if true.all() else "false" if not true.any() else None
    assert triviality(formula, Budget(10**6)) == expected


def test_a_spent_budget_gives_no_answer_instead_of_a_wrong_one() -> None:
    from conspect.language import parse

    (item,) = parse("a > b or not a > b").items
    assert triviality(item.formula) == "true"  # type: ignore[union-attr]
    assert triviality(item.formula, Budget(0)) is None  # type: ignore[union-attr]
