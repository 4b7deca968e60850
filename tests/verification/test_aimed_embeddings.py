"""Embeddings aimed at: the farthest readouts of a region, found by a convex program and had by a real embedding."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from conspect.core.spaces import AffineMap, Head
from conspect.language import check_text
from conspect.language.syntax.tree import Formula
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import names_of, plan
from conspect.verification.regions.aimed import AimedEmbeddings, ReadoutMoves
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.least_slack import Ellipsoid, HalfSpaces, Slacks, in_ellipsoid, in_polytope
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions
from conspect.verification.regions.readouts import kinds_read
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images


def region_of(model: VerificationModel, formula: Formula, shape: str, size: str) -> tuple[ReadoutRegions, ClassRegion]:
    options = VerifyOptions()
    readouts = ReadoutRegions(FocusRegions(model, options), options)
    kinds = kinds_read(tabulate(formula, names_of(model)), 0)
    place = (readouts.span if shape == "span" else readouts.band)("car", kinds)
    return readouts, place.at(Fraction(size), "")


def formula_of(model: VerificationModel, text: str) -> Formula:
    (obligation,) = plan(check_text(f"property p: for all x in focus(car): {text}").require(), model)
    return obligation.formula


def with_full_lens(seed: int) -> VerificationModel:
    """A model whose mapped embedding moves in more directions than strengths read, as that of a real lens."""
    model = model_with_images(seed, dimension=9)
    rng = np.random.default_rng(seed)
    lens = replace(model.lens, alignment=AffineMap(rng.normal(size=(5, 9)), rng.normal(size=5)))
    return replace(model, lens=lens)


FORMULAS = (
    "a > b",
    "hasCon(x, a)",
    "not hasCon(x, d)",
    "hasCon(x, a) implies a > b",
    "predict(x, car) implies (hasCon(x, b) or c > d)",
    "a > b and not hasCon(x, c)",
)


@pytest.mark.parametrize("shape", ["span", "band"])
@given(seed=st.integers(0, 10**6), text=st.sampled_from(FORMULAS))
@settings(max_examples=25, deadline=None)
def test_an_embedding_aimed_at_lies_in_its_region_or_no_embedding_has_its_readouts(
    shape: str, seed: int, text: str
) -> None:
    model = model_with_images(seed, dimension=9)
    formula = formula_of(model, text)
    readouts, place = region_of(model, formula, shape, "2")
    aimed = AimedEmbeddings(readouts, place).against(formula, model.splits["test"].embeddings[0].astype(np.float64))
    assert np.isfinite(aimed).all()
    if not place.kinds.has_length:
        read = (
            readouts.differences(place.kinds, aimed) if shape == "band" else readouts.space(place.kinds).readouts(aimed)
        )
        assert (place.region.sizes(read) <= 2.0001).all()


def test_over_a_span_a_lone_comparison_is_aimed_at_its_closed_form() -> None:
    model = model_with_images(3, dimension=9)
    formula = formula_of(model, "a > b")
    readouts, place = region_of(model, formula, "span", "2")
    (aimed,) = AimedEmbeddings(readouts, place).against(formula, model.splits["test"].embeddings[0].astype(np.float64))
    # Readouts are a and b; the largest value of b - a over an ellipse is mean + size * deviation.
    away = np.array([-1.0, 1.0])
    largest = away @ place.region.centre + 2 * np.linalg.norm(away @ place.region.factor)
    (read,) = readouts.space(place.kinds).readouts(aimed[None, :])
    assert away @ read == pytest.approx(largest, rel=1e-4)


def test_the_length_is_set_where_no_other_readout_moves() -> None:
    rng = np.random.default_rng(5)
    model = model_with_images(5, dimension=9)
    moves = ReadoutMoves.of(model.lens.folded.weight[:1], model.lens.alignment)
    embedding = rng.normal(size=9)
    mapped = model.lens.alignment(embedding[None, :])[0]
    least = float(np.linalg.norm(moves.fixed(mapped)))
    for length in (1.5 * least, 3.0 * least):
        moved = moves.with_length(embedding, length)
        assert np.linalg.norm(model.lens.alignment(moved[None, :])) == pytest.approx(length, rel=1e-9)
        assert model.lens.folded.weight[0] @ moved == pytest.approx(model.lens.folded.weight[0] @ embedding, abs=1e-9)
    assert np.linalg.norm(model.lens.alignment(moves.with_length(embedding, 0.5 * least)[None, :])) == pytest.approx(
        least
    )


@given(seed=st.integers(0, 10**6), literals=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_no_random_point_of_a_ball_or_a_box_has_a_larger_least_slack(seed: int, literals: int) -> None:
    rng = np.random.default_rng(seed)
    slacks = Slacks(rng.normal(size=(literals, 3)), rng.normal(size=literals))

    def least(points: np.ndarray) -> np.ndarray:
        return (points @ slacks.gains.T + slacks.least).min(axis=1)

    nothing = HalfSpaces(np.zeros((0, 3)), np.zeros(0))
    axes = np.asarray(np.linalg.inv(rng.normal(size=(3, 3)) + 3 * np.eye(3)), dtype=np.float64)
    middle = rng.normal(size=3)
    best = in_ellipsoid(slacks, Ellipsoid(middle, axes, 2.0), nothing)
    assert best is not None
    assert np.linalg.norm(middle + axes @ best) <= 2.0 + 1e-6
    directions = rng.normal(size=(2000, 3))
    directions *= 2.0 * rng.uniform(size=(2000, 1)) ** (1 / 3) / np.linalg.norm(directions, axis=1, keepdims=True)
    inside = np.linalg.solve(axes, (directions - middle).T).T
    assert least(best[None, :])[0] >= least(inside).max() - 1e-6
    box = HalfSpaces(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6))
    corner = in_polytope(slacks, box)
    assert corner is not None
    assert np.abs(corner).max() <= 1 + 1e-9
    assert least(corner[None, :])[0] >= least(rng.uniform(-1, 1, size=(2000, 3))).max() - 1e-9


def test_an_empty_polytope_and_an_empty_ellipsoid_have_no_aim() -> None:
    slacks = Slacks(np.ones((1, 1)), np.zeros(1))
    assert in_polytope(slacks, HalfSpaces(np.array([[1.0], [-1.0]]), np.array([-1.0, -1.0]))) is None
    outside = Ellipsoid(np.array([0.0, 5.0]), np.array([[1.0], [0.0]]), 2.0)
    assert in_ellipsoid(slacks, outside, HalfSpaces(np.zeros((0, 1)), np.zeros(0))) is None


def test_a_presence_that_no_image_and_no_line_refutes_is_refuted_by_an_embedding_aimed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "property p: for all x in focus(car, shape = span, coverage = 70%): hasCon(x, {}) implies {}"
    asked = [text.format(a, f"{a} > {b}") for a in "abd" for b in "abcd" if a != b]
    models = [with_full_lens(seed) for seed in range(4)]

    def outcomes() -> list[str]:
        return [
            result.verdict.outcome
            for model in models
            for text in asked
            for result in verify(check_text(text).require(), model, VerifyOptions())
        ]

    aimed = outcomes()
    monkeypatch.setattr(AimedEmbeddings, "against", lambda self, formula, start: np.zeros((0, 9)))
    between = outcomes()
    assert [b for a, b in zip(aimed, between, strict=True) if b not in ("unknown", a)] == []
    assert aimed.count("unknown") < between.count("unknown")


@pytest.mark.parametrize("text", ["a > b", "c > a"])
def test_over_a_band_a_lone_comparison_is_aimed_at_the_answer_of_a_linear_program(text: str) -> None:
    model = model_with_images(3, dimension=9)
    formula = formula_of(model, text)
    readouts, place = region_of(model, formula, "band", "2")
    (aimed,) = AimedEmbeddings(readouts, place).against(formula, model.splits["test"].embeddings[0].astype(np.float64))
    names = model.concept_names
    left, right = names.index(text[0]), names.index(text[-1])
    pairs = [(first - 3, second - 3) for first, second in readouts.pairs(place.kinds)]
    lines = [[float(k == b) - float(k == a) for k in range(4)] for a, b in pairs]
    limits = -(place.region.centre - 2 * place.region.factor)
    cost = [float(k == left) - float(k == right) for k in range(4)]
    least = linprog(cost, lines, limits, bounds=[(None, None)] * 4)
    assert least.status == 0
    strengths = model.lens.folded(aimed[None, :])[0]
    assert strengths[left] - strengths[right] == pytest.approx(least.fun, rel=1e-4, abs=1e-4)


def test_a_head_with_layers_is_not_aimed_at_and_directions_that_move_nothing_have_no_rank() -> None:
    nothing = ReadoutMoves.of(np.zeros((0, 9)), with_full_lens(0).lens.alignment)
    assert (nothing.moves.shape, nothing.spans.shape) == ((9, 0), (0, 0))
    flat = ReadoutMoves.of(np.zeros((2, 9)), with_full_lens(0).lens.alignment)
    assert flat.moves.shape == (9, 0)
    thin = ReadoutMoves.of(np.diag([1.0, 2e-6, 0.5e-6]), AffineMap(np.eye(3), np.zeros(3)))
    assert thin.moves.shape == (3, 2)
    assert np.abs(thin.moves).max(axis=0) == pytest.approx([1.0, 5e5])
    model = model_with_images(3, dimension=9)
    layered = replace(model, head=Head((model.head.layers[0], AffineMap(np.eye(3), np.zeros(3)))))
    formula = formula_of(layered, "predict(x, car) implies a > b")
    readouts, place = region_of(layered, formula, "span", "2")
    aimed = AimedEmbeddings(readouts, place).against(formula, np.zeros(9))
    assert aimed.shape == (0, 9)
