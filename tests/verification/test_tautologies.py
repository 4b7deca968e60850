"""Tautologies are those of truth tables, written out by another way."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger
from conspect.verification.queries.formula_table import Names, tabulate
from conspect.verification.queries.tautologies import MOST, is_tautology

NAMES = Names({"car": 0, "cat": 1}, {"a": 0, "b": 1, "c": 2})
ATOMS: tuple[Formula, ...] = (Predict("car"), Stronger("a", "b"), HasConcept("c"))
FORMULAS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner)),
        st.builds(Implies, inner, inner),
        st.builds(Iff, inner, inner),
    ),
    max_leaves=8,
)


def written(formula: Formula) -> str:
    """The formula as Python over p, q, r."""
    match formula:
        case Not(part):
            return f"(not {written(part)})"
        case And(parts):
            return f"({' and '.join(map(written, parts))})"
        case Or(parts):
            return f"({' or '.join(map(written, parts))})"
        case Implies(left, right):
            return f"({written(left)} <= {written(right)})"
        case Iff(left, right):
            return f"({written(left)} == {written(right)})"
        case _:
            return "pqr"[ATOMS.index(formula)]


@given(FORMULAS)
@settings(max_examples=300)
def test_a_tautology_is_true_in_every_row_of_its_table(formula: Formula) -> None:
    code = compile(written(formula), "formula", "eval")
    rows = [eval(code, dict(zip("pqr", truths, strict=True))) for truths in product((False, True), repeat=3)]
    assert is_tautology(tabulate(formula, NAMES)) == all(rows)


def test_a_formula_of_too_many_atoms_is_not_called_one() -> None:
    concepts = {f"c{k}": k for k in range(MOST + 2)}
    atoms = [Stronger(f"c{k}", f"c{k + 1}") for k in range(MOST + 1)]
    names = Names({}, concepts)
    assert is_tautology(tabulate(Or((*atoms[:MOST], Not(atoms[0]))), names))
    assert not is_tautology(tabulate(Or((*atoms, Not(atoms[0]))), names))
