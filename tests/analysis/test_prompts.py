import numpy as np
import pytest

from conspect.analysis.prompts import class_directions, concept_directions
from conspect.core.concepts import Concept
from conspect.core.spaces import AffineMap, Lens

TEXTS = {
    "a photo of fur": [3.0, 0.0],
    "fur": [0.0, 0.5],
    "a photo of hair": [1.0, 0.0],
    "hair": [2.0, 0.0],
    "a photo of wheels": [0.0, -4.0],
    "wheels": [0.0, -1.0],
}


def encode(texts: list[str]) -> np.ndarray:
    return np.array([TEXTS[text] for text in texts], dtype=np.float32)


def test_prompts_are_normalised_then_averaged_then_normalised() -> None:
    concepts = [Concept("hairy", ("fur", "hair")), Concept("wheels", ("wheels",))]
    directions = concept_directions(concepts, ("a photo of {}", "{}"), encode)
    # hairy: unit vectors (1,0) (0,1) (1,0) (1,0), mean (0.75, 0.25). Without the first step it would be (6, 0.5).
    np.testing.assert_allclose(directions, [np.array([3.0, 1.0]) / np.sqrt(10), [0, -1]])


def test_a_class_name_is_its_own_phrase() -> None:
    directions = class_directions(["fur", "wheels"], ("{}",), encode)
    np.testing.assert_allclose(directions, [[0, 1], [0, -1]])


def test_prompts_that_cancel_out_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'split'"):
        concept_directions([Concept("split", ("fur", "wheels"))], ("{}",), encode)


def test_braces_of_a_phrase_are_not_read_as_a_template() -> None:
    asked: list[str] = []

    def record(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.ones((len(texts), 2), dtype=np.float32)

    concept_directions([Concept("odd", ("a {b} {0} %s",))], ("photo of {}", "{} and {x}"), record)
    assert asked == ["photo of a {b} {0} %s", "a {b} {0} %s and {x}"]


@pytest.fixture(scope="module")
def lens() -> Lens:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(5, 6))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Lens(AffineMap(rng.normal(size=(6, 9)), rng.normal(size=6)), tuple("abcde"), directions)


def test_a_strength_is_the_cosine_of_the_mapped_embedding(lens: Lens) -> None:
    z = np.random.default_rng(1).normal(size=9)
    y = lens.alignment.weight @ z + lens.alignment.offset
    expected = [float(q @ y / np.linalg.norm(y)) for q in lens.directions]
    np.testing.assert_allclose(lens.strengths(z[None])[0], expected, atol=1e-12)


def test_folded_numerators_are_strengths_times_the_norm_so_their_order_is_the_same(lens: Lens) -> None:
    z = np.random.default_rng(2).normal(size=(2000, 9)).astype(np.float32)
    numerators, strengths = lens.folded(z), lens.strengths(z)
    norms = np.linalg.norm(lens.alignment(z), axis=1, keepdims=True)
    np.testing.assert_allclose(numerators, strengths * norms, atol=1e-9)
    assert np.array_equal(numerators.argsort(axis=1), strengths.argsort(axis=1))


def test_a_mapped_embedding_that_vanishes_has_strength_zero() -> None:
    lens = Lens(AffineMap(np.eye(2), np.zeros(2)), ("a",), np.array([[1.0, 0.0]]))
    assert lens.strengths(np.zeros((1, 2))).tolist() == [[0.0]]
    assert lens.strengths(np.array([[1e-3, 0.0]])).tolist() == [[1.0]]
