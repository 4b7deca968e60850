import numpy as np
import pytest

from conspect.core.concepts import ClassAttributes, Concept, ConceptSet
from conspect.core.spaces import AffineMap, Head, Lens


def test_an_affine_map_by_hand() -> None:
    affine = AffineMap(np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.0]]), np.array([1.0, 0.0, -1.0]))
    assert affine(np.array([[1, 1], [0, 2]], dtype=np.float32)).tolist() == [[4, -1, 2], [5, -2, -1]]


def test_arrays_that_are_no_affine_map_are_refused() -> None:
    with pytest.raises(ValueError, match="not an affine map"):
        AffineMap(np.eye(2), np.zeros(3))


def test_logits_of_linear_and_relu_heads_by_hand() -> None:
    linear = Head.linear(np.array([[1.0, -1.0]]), np.array([0.5]))
    assert (linear.is_linear, linear.classes) == (True, 1)
    assert linear.logits(np.array([[2.0, 3.0]])).tolist() == [[-0.5]]
    deep = Head(
        (AffineMap(np.eye(2), np.array([0.0, -1.0])), AffineMap(np.array([[1.0, 1.0], [1.0, 0.0]]), np.zeros(2)))
    )
    assert (deep.is_linear, deep.classes) == (False, 2)
    assert deep.logits(np.array([[-2.0, 3.0], [2.0, 0.5]])).tolist() == [[2, 0], [2, 2]]


def test_digests_tell_heads_and_lenses_apart() -> None:
    eye, zero = np.eye(2), np.zeros(2)
    heads = [Head.linear(eye, zero), Head.linear(eye, zero + 1), Head((AffineMap(eye, zero),) * 2)]
    assert len({head.digest for head in heads}) == 3
    lenses = [Lens(AffineMap(eye, zero), names, eye) for names in (("a", "b"), ("b", "a"), ("ab", ""))]
    assert len({lens.digest for lens in lenses}) == 3


def test_a_table_is_brought_into_another_order_and_says_what_it_lacks() -> None:
    table = ClassAttributes(("x", "y"), ("a", "b", "c"), np.array([[0.1, 0.2, 0.5], [0.05, 0.9, 0.0]]))
    aligned = table.aligned_to(("y", "x"), ("c", "a"))
    assert aligned.shares.tolist() == [[0.0, 0.05], [0.5, 0.1]]
    assert aligned.relevant.tolist() == [[False, False], [True, False]]
    assert aligned.irrelevant.tolist() == [[True, True], [False, False]]
    with pytest.raises(KeyError, match="no z, w"):
        table.aligned_to(("x", "z", "w"), ("a",))


def test_unseen_words_name_their_concept_alone() -> None:
    concepts = ConceptSet((Concept("hairy", ("hair",)), Concept("wet", ("wet",))), unseen_words=(("hairy", "fur"),))
    assert concepts.names == ("hairy", "wet")
    assert concepts.unseen() == (Concept("hairy", ("fur",)),)
