"""A formula's table: what its nodes mean, in one place, against the truth tables of the connectives."""

from itertools import product

import pytest

from conspect.verification.queries.formula_table import NodeKind, concepts_asked, concepts_compared, predicts, truth

ATOMS = (("stronger", 0, 1), ("has", 2))
CONNECTIVES = {
    ("not", 0): lambda a, b: not a,
    ("and", 0, 1): lambda a, b: a and b,
    ("or", 0, 1): lambda a, b: a or b,
    ("implies", 0, 1): lambda a, b: b if a else True,
    ("iff", 0, 1): lambda a, b: a is b,
}


@pytest.mark.parametrize("node", CONNECTIVES, ids=lambda node: node[0])
def test_a_connective_has_its_truth_table(node) -> None:
    cases = list(product((False, True), repeat=2))
    values = [truth((*ATOMS, node), dict(zip(ATOMS, case, strict=True)).__getitem__) for case in cases]
    assert values == [CONNECTIVES[node](*case) for case in cases]


def test_every_kind_of_node_is_an_atom_or_has_a_truth_table() -> None:
    assert {node[0] for node in CONNECTIVES} | {"predict", "stronger", "has"} == set(NodeKind)


def test_a_part_is_asked_by_its_place_and_an_atom_once() -> None:
    asked = []
    table = (*ATOMS, ("iff", 0, 0), ("and", 2, 0))

    def atom(node) -> bool:
        asked.append(node)
        return True

    assert truth(table, atom)
    assert asked == [ATOMS[0]]
    assert truth(table, lambda node: node == ATOMS[1], 1)
    assert not truth(table, lambda node: node == ATOMS[1], 0)


def test_a_node_of_no_kind_is_no_formula() -> None:
    with pytest.raises(ValueError, match="xor"):
        truth((*ATOMS, ("xor", 0, 1)), lambda node: True)


def test_what_a_formula_speaks_of() -> None:
    table = (*ATOMS, ("predict", 0), ("and", 0, 1, 2))
    assert (concepts_asked(table), concepts_compared(table), predicts(table)) == ({2}, {0, 1}, True)
    assert not predicts(ATOMS)
