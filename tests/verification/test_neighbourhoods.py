"""Neighbourhoods: their radius holds what it promises, what is proved is true of every point, witnesses are inside."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint, minimize

from conspect.bench.workloads.random_properties import random_formula
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Head
from conspect.language.syntax.tree import Formula, HasConcept, Implies, Predict, Stronger
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods.around import NONE, UNCHANGED, ImagesAtHand, Question, Surroundings
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import conformal_radius, least_extent_ellipsoid
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.learning import Neighbourhoods, kinds_near
from conspect.verification.neighbourhoods.rows import IntegerRow
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.planning import names_of
from tests.verification.subjects import changed_model, model_with_images

NINE = Fraction(9, 10)


def at_hand(model: VerificationModel, split: str = "test") -> ImagesAtHand:
    assert model.changed is not None
    sample = model.changed.sample(split)
    return ImagesAtHand(model.splits[split].embeddings[sample.rows], sample.embeddings)


def question(model: VerificationModel, formula: Formula, images: int = 60) -> Question:
    return Question(formula, tabulate(formula, names_of(model)), np.arange(images))


def test_the_radius_is_the_order_statistic_that_the_guarantee_asks_for() -> None:
    sizes = np.arange(1.0, 21.0).reshape(10, 2)  # 10 images of 2 pictures
    assert conformal_radius(sizes, Fraction(1, 2)) == pytest.approx(11.0)  # the 11th of 20, not the 10th
    assert conformal_radius(sizes, Fraction(10, 11)) == pytest.approx(20.0)
    assert conformal_radius(sizes, Fraction(19, 20)) is None
    assert conformal_radius(np.zeros((0, 2)), Fraction(1, 2)) is None
    assert conformal_radius(np.full((10, 2), np.inf), Fraction(1, 2)) is None


@pytest.mark.parametrize("images", [9, 25])
def test_a_new_image_keeps_the_promised_share_of_its_pictures_though_they_depend_on_each_other(images: int) -> None:
    rng = np.random.default_rng(images)
    kept = []
    for _ in range(4000):
        sizes = rng.lognormal(size=(images + 1, 1)) * rng.lognormal(0, 0.3, size=(images + 1, 4))
        radius = conformal_radius(sizes[:-1], Fraction(4, 5))
        assert radius is not None
        kept.append((sizes[-1] <= float(radius)).mean())
    error = np.std(kept) / len(kept) ** 0.5
    assert np.mean(kept) >= 0.8 - 4 * error
    assert np.mean(kept) <= 0.8 + 1 / (images + 1) + 4 * error


def test_no_ellipsoid_of_the_same_mean_size_extends_less_along_the_comparisons() -> None:
    rng = np.random.default_rng(3)
    displacements = rng.normal(size=(500, 5)) @ np.diag([0.01, 0.1, 1.0, 2.0, 5.0]) @ rng.normal(size=(5, 5))
    comparisons = rng.normal(size=(8, 5))
    second = displacements.T @ displacements / len(displacements)
    weights = comparisons / np.sqrt(np.einsum("mv,vw,mw->m", comparisons, second, comparisons))[:, None]

    def cost(shape: np.ndarray) -> float:
        """Sum of squared extents when the mean squared size is 1."""
        return float(np.trace(weights @ shape @ weights.T) * np.trace(np.linalg.solve(shape, second)))

    pairs = [np.vstack([np.zeros(5), row]) for row in comparisons]
    factor = least_extent_ellipsoid(displacements, pairs).factor
    best = cost(factor @ factor.T)
    assert best < 0.8 * cost(second)
    others = []
    for _ in range(300):
        twist = np.eye(5) + 0.1 * rng.normal(size=(5, 5))
        others.append(cost(factor @ twist @ twist.T @ factor.T))
    assert min(others) >= best * (1 - 1e-6)


def test_displacements_that_do_not_move_make_a_tiny_ellipsoid() -> None:
    ellipsoid = least_extent_ellipsoid(np.zeros((10, 3)), [np.eye(3)])
    assert np.isfinite(ellipsoid.factor).all()
    assert ellipsoid.sizes(np.zeros((1, 3))) == [0.0]


@pytest.mark.parametrize("factor_of", [1, 10**30])
def test_integers_say_what_fractions_say(factor_of: int) -> None:
    rng = np.random.default_rng(4)
    centres = Centres.of(rng.normal(size=(40, 3)) * 20)
    factor = rng.normal(size=(3, 3))
    extents = Extents(factor)
    row = IntegerRow(((0, 3 * factor_of), (2, -5 * factor_of)), 7 * factor_of)
    radius = Fraction(13, 7)
    rise = extents.rise(row, radius, centres.shift)
    gram = [[sum(Fraction(a) * Fraction(b) for a, b in zip(r, s, strict=True)) for s in factor] for r in factor]
    square = sum(a * b * gram[i][j] for i, a in row.coefficients for j, b in row.coefficients)
    exact = radius**2 * square * 4**centres.shift
    assert (rise - 1) ** 2 < exact <= rise**2
    values = [
        sum(Fraction(v) * int(entry[k]) for k, v in row.coefficients) + Fraction(row.constant) * 2**centres.shift
        for entry in centres.integers
    ]
    limit = int(sorted(values)[20])
    inside = centres.at_most(row, np.arange(40), limit)
    assert inside.tolist() == [value <= limit for value in values]
    assert 0 < inside.sum() < 40


def lowest_margin(
    model: VerificationModel, formula: Formula, ball: tuple[np.ndarray, np.ndarray, float], seed: int
) -> float:
    """Independently of all multipliers: the smallest gap of `left > right` for which the premise holds, by SLSQP."""
    assert isinstance(formula, Implies)
    assert isinstance(formula.left, Predict)
    assert isinstance(formula.right, Stronger)
    space = Neighbourhoods(model).space(kinds_near(tabulate(formula, names_of(model)), 4))
    centre, factor, radius = ball
    first = len(model.class_names) - 1

    def logits(v: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], v[:first]])

    def strengths(v: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], v[first:]])

    assert len(centre) == space.dimension
    own = model.class_names.index(formula.left.class_name)
    left, right = (model.concept_names.index(name) for name in (formula.right.left, formula.right.right))
    others = [k for k in range(len(model.class_names)) if k != own]

    def at(w: np.ndarray) -> np.ndarray:
        return centre + radius * factor @ w

    def gap(w: np.ndarray) -> float:
        values = strengths(at(w))
        return float(values[left] - values[right])

    def leads(w: np.ndarray) -> np.ndarray:
        return np.asarray(logits(at(w))[own] - logits(at(w))[others])

    zero = np.zeros(len(centre))
    slopes = np.asarray([leads(axis) - leads(zero) for axis in np.eye(len(centre))]).T
    slope = np.asarray([gap(axis) - gap(zero) for axis in np.eye(len(centre))])
    limits = [
        NonlinearConstraint(lambda w: w @ w, -np.inf, 1, jac=lambda w: 2 * w[None]),
        NonlinearConstraint(leads, 0, np.inf, jac=lambda w: slopes),
    ]
    lowest = np.inf
    optimise: Any = minimize  # its stubs know no functions without annotations
    for start in np.random.default_rng(seed).normal(size=(4, len(centre))) * 0.2:
        answer = optimise(gap, start, jac=lambda w: slope, constraints=limits, method="SLSQP", options={"ftol": 1e-12})
        feasible = answer.x @ answer.x <= 1 + 1e-8 and leads(answer.x).min() >= -1e-8
        if feasible:
            lowest = min(lowest, answer.fun)
    return lowest


@pytest.mark.parametrize("seed", range(6))
def test_an_independent_optimiser_agrees_image_by_image(seed: int) -> None:
    model = changed_model(seed, spread=0.12)
    formula = Implies(Predict("truck"), Stronger(model.concept_names[seed % 3], model.concept_names[seed % 3 + 1]))
    neighbourhoods = Neighbourhoods(model)
    surroundings = Surroundings(neighbourhoods, ExactTruth(model))
    asked = question(model, formula)
    answer = surroundings.decide([asked], at_hand(model), "ordinary", NINE)[0]
    hood = neighbourhoods.learned(kinds_near(asked.table, 4), "ordinary")
    radius = float(hood.radius(NINE))
    checked = 0
    for image in range(0, 60, 4):
        lowest = lowest_margin(model, formula, (answer.centres.floats[image], hood.ellipsoid.factor, radius), seed)
        if abs(lowest) < 1e-4:
            continue  # too close for an optimiser to tell
        assert answer.proved[image] == (lowest > 0)
        assert answer.refuted[image] == (lowest < 0)
        checked += 1
    assert checked > 8


def with_hidden_layer(model: VerificationModel) -> VerificationModel:
    """The same logits plus those of a layer with ReLU: not affine in the embedding."""
    rng = np.random.default_rng(7)
    hidden = AffineMap(0.5 * rng.normal(size=(5, model.dimension)), rng.normal(size=5))
    return replace(model, head=Head((hidden, AffineMap(3 * rng.normal(size=(3, 5)), np.zeros(3)))))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_proved_is_true_of_every_sampled_embedding_inside(seed: int) -> None:
    """Random formulas of every connective, hasCon and leads: no sampled embedding inside contradicts a proof."""
    rng = np.random.default_rng(seed)
    model = changed_model(seed, spread=0.05)
    if seed % 4 == 3:
        model = with_hidden_layer(model)
    truth, neighbourhoods = ExactTruth(model), Neighbourhoods(model)
    surroundings = Surroundings(neighbourhoods, truth)
    formulas = [random_formula(rng, model, 3, has_concept=True) for _ in range(8)]
    formulas.append(Implies(Predict("car", Fraction(1, 3)), Stronger("a", "b")))
    asked = [question(model, formula) for formula in formulas]
    embeddings = np.asarray(model.splits["test"].embeddings, dtype=np.float64)
    proofs = 0
    for posed, answer in zip(asked, surroundings.decide(asked, at_hand(model), "ordinary", NINE), strict=True):
        hood = neighbourhoods.learned(kinds_near(posed.table, 4), "ordinary")
        radius = hood.radius(NINE)
        moves = rng.normal(size=(40, 60, embeddings.shape[1])) * rng.uniform(0, 0.6, size=(40, 1, 1))
        for move in moves:
            readings = surroundings.refuter.readings(hood.kinds, embeddings + move)
            inside = surroundings.refuter.inside(hood.ellipsoid, radius, readings, answer.centres.floats)
            false = surroundings.refuter.false(posed.formula, embeddings + move, readings.read)
            assert not (inside & false & answer.proved).any()
            proofs += int((inside & answer.proved).sum())
        assert not (answer.proved & answer.refuted).any()
    assert proofs > 200


@pytest.mark.parametrize("presence", [False, True])
def test_counterexamples_are_inside_and_false_by_the_reference_semantics(presence: bool) -> None:
    model = changed_model(9 if presence else 11, spread=0.3, free=presence)
    truth, neighbourhoods = ExactTruth(model), Neighbourhoods(model)
    surroundings = Surroundings(neighbourhoods, truth)
    a, b = model.concept_names[:2]
    formula: Formula = HasConcept(a) if presence else Implies(Predict("car"), Stronger(a, b))
    asked = question(model, formula)
    hand = at_hand(model)
    answer = surroundings.decide([asked], hand, "ordinary", NINE)[0]
    hood = neighbourhoods.learned(kinds_near(asked.table, 4), "ordinary")
    radius = float(hood.radius(NINE))
    space = neighbourhoods.space(hood.kinds)
    assert answer.embeddings
    for image, embedding in answer.embeddings.items():
        assert not truth.at(formula, embedding)
        away = space.readouts(embedding[None, :])[0] - answer.centres.floats[image]
        assert np.linalg.norm(np.linalg.solve(hood.ellipsoid.factor, away)) <= radius * (1 + 1e-9)
    pictured = np.flatnonzero(answer.picture != NONE)
    assert len(pictured)
    for image in pictured.tolist():
        which = answer.picture[image]
        embedding = hand.embeddings[image] if which == UNCHANGED else hand.changed[image, which]
        assert not truth.at(formula, embedding)


def test_hundreds_of_classes_are_proved_in_reasonable_time() -> None:
    """399 rivals: a search takes the nearest ones, and nothing grows with the number of pairs."""
    base, rng = changed_model(4, images=40), np.random.default_rng(4)
    count = 400
    head = Head.linear(rng.normal(size=(count, base.dimension)), rng.normal(size=count))
    model = replace(base, head=head, class_names=tuple(f"c{k}" for k in range(count)))
    outputs = head.logits(np.asarray(model.splits["test"].embeddings, dtype=np.float64)).argmax(axis=1)
    name = model.class_names[int(np.bincount(outputs).argmax())]
    asked = question(model, Implies(Predict(name), Stronger("a", "b")), 40)
    started = time.process_time()
    answer = Surroundings(Neighbourhoods(model), ExactTruth(model)).decide([asked], at_hand(model), "ordinary", NINE)[0]
    assert answer.proved.any()
    assert time.process_time() - started < 30


def test_a_proof_is_a_tree_whose_alternatives_close_every_case() -> None:
    model = changed_model(2, spread=0.05)
    asked = question(model, Predict("car"))
    surroundings = Surroundings(Neighbourhoods(model), ExactTruth(model))
    answer = surroundings.decide([asked], at_hand(model), "ordinary", NINE)[0]
    assert answer.tree.which == 0
    assert len(answer.tree.branches) == 2  # each rival of three classes
    assert all(branch.alternatives for branch in answer.tree.branches)
    assert 10 < answer.proved.sum() < 30


def test_changes_are_chosen_by_kind_and_unknown_ones_are_named() -> None:
    neighbourhoods = Neighbourhoods(changed_model(0))
    assert neighbourhoods.chosen("ordinary").tolist() == [0, 1, 2]
    assert neighbourhoods.chosen("shift").tolist() == [1, 2]
    with pytest.raises(UserError, match=r"VERIFY014: the study has no changes 'fog'"):
        neighbourhoods.chosen("fog")
    with pytest.raises(UserError, match="VERIFY014"):
        Neighbourhoods(model_with_images(0)).chosen("ordinary")
    kinds = kinds_near((), 4)
    small, wide = (neighbourhoods.learned(kinds, name).radius(NINE) for name in ("shift", "ordinary"))
    assert small < wide  # mirrors move three times as far, and are not asked for


def test_the_share_inside_is_measured_on_images_that_had_no_part() -> None:
    hood = Neighbourhoods(changed_model(5, images=300)).learned(kinds_near((), 4), "ordinary")
    measured = hood.measure(hood.radius(NINE))
    assert measured.images == 300
    assert measured.low <= measured.share <= measured.high
    assert measured.share == pytest.approx(0.9, abs=0.03)
    assert measured.by_change["mirror"] < measured.by_change["shift"]
    assert set(measured.by_class) == {"car", "truck", "cat"}
    assert np.mean(list(measured.by_class.values())) == pytest.approx(measured.share)  # classes of equal size


def test_too_few_images_for_a_share_are_an_error() -> None:
    hood = Neighbourhoods(changed_model(5, images=6)).learned(kinds_near((), 4), "ordinary")
    with pytest.raises(UserError, match=r"VERIFY006: 6 images cannot show"):
        hood.radius(NINE)
