"""The engine's parts against independent answers: barrier method, exact arithmetic, exact vertices, size search."""

from collections import Counter
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from conspect.bench.workloads.random_properties import batches, random_region, random_subject
from conspect.core.regions import Box
from conspect.core.spaces import Head
from conspect.language import ExactReadouts, holds_exactly
from conspect.verification.engine import barrier, exact_vertex
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.exact import ExactModel, ExactRegion
from conspect.verification.engine.integers import float_vector, rational_vector, scaled
from conspect.verification.engine.solvers.highs import STATUSES
from conspect.verification.engine.solvers.status import translated
from conspect.verification.queries.model import VerifyOptions
from conspect.verification.queries.negation import (
    AtomRows,
    ConeLiteral,
    LinearLiteral,
    State,
    contradiction,
    negation,
    opened,
)

ROWS = AtomRows(2, 3, {})


def random_questions(seed, count=20, literals=5, dimension=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, literals, dimension)), rng.normal(size=(count, literals)) * 2


def test_the_barrier_method_agrees_with_a_linear_program_over_boxes():
    slopes, offsets = random_questions(0)
    assert len(slopes) >= 20
    answers = barrier.answer(slopes, offsets, "max")
    for k in range(len(slopes)):
        rows = np.hstack([-slopes[k], np.ones((len(offsets[k]), 1))])
        bounds = [(-1, 1)] * slopes.shape[2] + [(None, None)]
        best = -linprog(np.append(np.zeros(slopes.shape[2]), -1), A_ub=rows, b_ub=offsets[k], bounds=bounds).fun  # type: ignore[operator]
        assert answers.lower[k] - 1e-9 <= best <= answers.upper[k] + 1e-9
        assert answers.status[k] == (barrier.POINT if best > 0 else barrier.CLOSED)


def test_the_barrier_method_agrees_with_a_conic_program_over_balls():
    slopes, offsets = random_questions(1)
    assert len(slopes) >= 20
    answers = barrier.answer(slopes, offsets, "euclid")
    for k in range(len(slopes)):
        dual = minimize(
            lambda x, a, b: (w := np.exp(x) / np.exp(x).sum()) @ b + np.linalg.norm(w @ a),  # type: ignore[misc]
            np.zeros(slopes.shape[1]),
            args=(slopes[k], offsets[k]),
        ).fun
        assert answers.lower[k] - 2e-3 <= dual <= answers.upper[k] + 2e-3
        assert answers.status[k] == (barrier.POINT if dual > 0 else barrier.CLOSED)


def test_every_answer_of_the_barrier_method_proves_itself():
    slopes, offsets = random_questions(2, count=200)
    answers = barrier.answer(slopes, offsets, "max")
    decided = Counter(answers.status)
    assert min(decided[barrier.CLOSED], decided[barrier.POINT]) >= 20
    for k, status in enumerate(answers.status):
        if status == barrier.CLOSED:
            assert answers.multipliers[k] @ offsets[k] + np.abs(answers.multipliers[k] @ slopes[k]).sum() < 0
        elif status == barrier.POINT:
            assert np.abs(answers.points[k]).max() <= 1
            assert (slopes[k] @ answers.points[k] + offsets[k]).min() > 0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_floats_become_integers_without_loss(values):
    whole = scaled(np.array(values))
    assert [Fraction(n, 1 << whole.shift) for n in whole.integers] == [Fraction(v) for v in values]


@given(st.integers(-40, 40), st.fractions(min_value=0, max_value=3, max_denominator=20), st.integers(0, 60))
def test_a_box_knows_exactly_which_embeddings_it_holds(step, size, bits):
    subject = random_subject(np.random.default_rng(0), 2)
    model = ExactModel.of(subject.head.layers[0], len(subject.class_names), subject.lens)
    box = ExactRegion(Box(np.array([1.0, 0.25]), np.array([0.5, 0.0]), Fraction(1)), model, ROWS)
    z = Fraction(step, 1 << (bits // 2))
    point = rational_vector([1 + z, Fraction(1, 4)])
    assert box.has_embedding(point, size) == (abs(z) <= size / 2)


def test_a_nan_has_no_exact_value():
    with pytest.raises(ValueError, match="finite"):
        scaled(np.array([1.0, np.nan]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["box", "pca-box", "ellipsoid"]))
def test_exact_forms_of_a_region_are_the_forms_of_its_points(seed, shape):
    rng = np.random.default_rng(seed)
    subject = random_subject(rng, 3, full=True)
    region = random_region(rng, 3, shapes=(shape,), full=True)
    model = ExactModel.of(subject.head.layers[0], len(subject.class_names), subject.lens)
    exact = ExactRegion(region, model, ROWS)
    coordinates = float_vector(rng.normal(size=3))
    embedding = exact.frame.point(coordinates)
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    w = [Fraction(v, coordinates.denominator) for v in coordinates.integers]
    expected = [
        Fraction(c) + sum(Fraction(f) * x for f, x in zip(row, w, strict=True))
        for c, row in zip(region.centre.tolist(), factor.tolist(), strict=True)
    ]
    assert [Fraction(v, embedding.denominator) for v in embedding.integers] == expected
    for row in range(len(exact.forms.rows)):
        here = Fraction(exact.forms.value(row, coordinates), coordinates.denominator << exact.forms.shift)
        there = Fraction(model.value(row, embedding), embedding.denominator << model.shift)
        assert here == there


def conjuncts(state, table, reading):
    """All literals sets of the full disjunctive normal form."""
    if not state.pending:
        return [set(state.literals)]
    return [c for child in opened(state, 0, table, reading) for c in conjuncts(child, table, reading)]


@pytest.mark.parametrize("seed", range(6))
def test_the_opened_negation_is_the_negation(seed):
    examples = list(batches(30, seed, has_concept=True))
    assert sum(len(cases) for _, cases in examples) == 30
    for subject, cases in examples:
        limits = tuple(Fraction(subject.thresholds[name]) for name in subject.concept_names)
        reading = AtomRows(len(subject.class_names), len(subject.concept_names), dict(enumerate(limits)))
        rng = np.random.default_rng(seed)
        for case in cases:
            state: State = negation(case.job.table, reading, None)
            branches = conjuncts(state, case.job.table, reading)
            for _ in range(5):
                logits = [Fraction(int(v)) for v in rng.integers(-2, 3, size=reading.classes)]
                numerators = [Fraction(int(v)) for v in rng.integers(-2, 3, size=reading.concepts)]
                point = ExactReadouts(
                    subject.class_names,
                    subject.concept_names,
                    tuple(logits),
                    tuple(numerators),
                    Fraction(9),
                    limits,
                )
                values = [*logits, *numerators, Fraction(0)]

                def true(literal, values=values, numerators=numerators, thresholds=limits):
                    if len(literal) == 3:
                        a, b, strict = literal
                        return values[a] > values[b] or (values[a] == values[b] and not strict)
                    return (numerators[literal[0]] > thresholds[literal[0]] * 3) == literal[1]

                denied = any(all(true(literal) for literal in conjunct) for conjunct in branches)
                assert denied != holds_exactly(case.job.formula, point)


def test_literals_that_go_round_in_a_circle_contradict_each_other_unless_all_allow_ties():
    above = LinearLiteral
    assert contradiction((above(0, 1, True), above(1, 2, False), above(2, 0, False))) == [0, 1, 2]
    assert contradiction((above(0, 1, False), above(1, 0, False))) is None
    assert contradiction((above(3, 3, True),)) == [0]
    assert contradiction((above(0, 1, True), above(1, 2, True), ConeLiteral(0, True))) is None


def test_an_exact_vertex_solves_systems_exactly_and_refuses_singular_ones():
    assert exact_vertex.solve([[2, 1], [1, 3]], [Fraction(1), Fraction(1)], inf) == [Fraction(2, 5), Fraction(1, 5)]
    assert exact_vertex.solve([[1, 2], [2, 4]], [Fraction(1), Fraction(1)], inf) is None


def test_a_foreign_status_that_is_not_listed_is_unknown():
    assert translated(STATUSES, "HighsModelStatus.kOptimal") == "optimal"
    for foreign in ("HighsModelStatus.kTimeLimit", "HighsModelStatus.kUnknown", "", None, 7):
        assert translated(STATUSES, foreign) == "unknown"


def test_a_budget_that_runs_out_is_unknown_with_its_reason():
    ((subject, cases),) = batches(40, 3, per_subject=40)
    options = VerifyOptions(search_gamma=False, seconds_budget=0.0)
    decider = Decider(subject, options)
    answers = decider.decide([(case.job, case.region) for case in cases])
    open_ones = [a.outcome for a in answers if a.outcome.verdict.outcome == "unknown"]
    assert open_ones
    assert all("s needed" in outcome.verdict.reason for outcome in open_ones)
    assert not any(a.outcome.verdict.outcome == "holds" for a in answers)


def test_rational_vectors_keep_their_values():
    vector = rational_vector([Fraction(1, 3), Fraction(-2, 5)])
    assert [Fraction(v, vector.denominator) for v in vector.integers] == [Fraction(1, 3), Fraction(-2, 5)]


def test_a_relu_head_is_evaluated_as_the_head_itself():
    rng = np.random.default_rng(5)
    subject = random_subject(rng, 3, relu=True)
    assert isinstance(subject.head, Head)
    region = random_region(rng, 3, shapes=("box",), full=False)
    decider = Decider(subject, VerifyOptions())
    relu = decider.prover(region).nonlinear().relu
    point = rng.integers(-8, 9, size=3) / 4
    exact = relu.logits([Fraction(v) for v in point.tolist()])  # type: ignore[union-attr]
    assert np.allclose([float(v) for v in exact], subject.head.logits(point[None])[0])
