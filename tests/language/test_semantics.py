from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conspect.core.diagnostics import UserError
from conspect.language import ExactReadouts, Readouts, holds, holds_exactly, margin
from conspect.language.meaning.exact import exceeds
from conspect.language.syntax.tree import (
    And,
    Chain,
    Each,
    Formula,
    HasAll,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)

from .strategies import CLASSES, CONCEPTS, formulas, names_of_classes

in_vocabulary = formulas(st.sampled_from(CONCEPTS))
# Small integers, so that ties are common.
small = st.integers(-2, 2)


def by_definition(
    formula: Formula, logits: list[int], strengths: list[int], thresholds: list[int]
) -> tuple[bool, float]:
    """Truth and margin of one image, notation included, written from the definitions alone."""
    s = dict(zip(CONCEPTS, strengths, strict=True))
    t = dict(zip(CONCEPTS, thresholds, strict=True))

    def value(f: Formula) -> tuple[bool, float]:  # noqa: PLR0911
        match f:
            case Predict(c):
                others = [logits[i] for i in range(3) if CLASSES[i] != c]
                own = logits[CLASSES.index(c)]
                return own > max(others), own - max(others)
            case Stronger(a, b):
                return s[a] > s[b], s[a] - s[b]
            case HasConcept(a):
                return s[a] > t[a], s[a] - t[a]
            case HasAll(names):
                return all(s[a] > t[a] for a in names), min(s[a] - t[a] for a in names)
            case Chain(names):
                gaps = [s[names[i]] - s[names[i + 1]] for i in range(len(names) - 1)]
                return min(gaps) > 0, min(gaps)
            case Each(left, right):
                gap = min(s[a] for a in left) - max(s[b] for b in right)
                return gap > 0, gap
            case Not(operand):
                truth, by = value(operand)
                return not truth, -by
            case And(operands):
                return all(value(o)[0] for o in operands), min(value(o)[1] for o in operands)
            case Or(operands):
                return any(value(o)[0] for o in operands), max(value(o)[1] for o in operands)
            case Implies(left_f, right_f):
                return value(Or((Not(left_f), right_f)))
            case Iff(left_f, right_f):
                return value(And((Implies(left_f, right_f), Implies(right_f, left_f))))
        raise AssertionError(f)

    return value(formula)


def reading(logits: object, strengths: object, thresholds: object = None) -> Readouts:
    given_thresholds = None if thresholds is None else np.array(thresholds, dtype=float)
    return Readouts(
        CLASSES, CONCEPTS, np.array(logits, dtype=float), np.array(strengths, dtype=float), given_thresholds
    )


@settings(max_examples=300, deadline=None)
@given(in_vocabulary, st.lists(small, min_size=3, max_size=3), *[st.lists(small, min_size=4, max_size=4)] * 2)
def test_holds_and_margin_follow_the_definitions(
    formula: Formula, logits: list[int], strengths: list[int], thresholds: list[int]
) -> None:
    formula = names_of_classes(formula)
    readouts = reading([logits], [strengths], thresholds)
    truth, by = by_definition(formula, logits, strengths, thresholds)
    assert bool(holds(formula, readouts)[0]) is truth
    assert float(margin(formula, readouts)[0]) == by
    if by != 0:
        assert truth is (by > 0)


@settings(max_examples=200, deadline=None)
@given(in_vocabulary, st.lists(small, min_size=3, max_size=3), *[st.lists(small, min_size=4, max_size=4)] * 2)
def test_exact_evaluation_agrees_where_floats_are_exact(
    formula: Formula, logits: list[int], strengths: list[int], thresholds: list[int]
) -> None:
    formula = names_of_classes(formula)
    exact = ExactReadouts(
        CLASSES,
        CONCEPTS,
        tuple(map(Fraction, logits)),
        tuple(Fraction(3 * s, 8) for s in strengths),  # a norm of 3/4: strength s/2
        Fraction(9, 16),
        tuple(Fraction(t, 2) for t in thresholds),
    )
    assert holds_exactly(formula, exact) is bool(holds(formula, reading([logits], [strengths], thresholds))[0])


def test_a_tie_satisfies_neither_direction_and_no_class_is_predicted_at_the_top() -> None:
    tied = reading([[1, 1, 0]], [[0.5, 0.5, 0, 0]])
    for formula in (Stronger("metallic", "ears"), Stronger("ears", "metallic"), Predict("truck"), Predict("car")):
        assert not holds(formula, tied)[0]
        assert holds(Not(formula), tied)[0]
        assert margin(formula, tied)[0] == margin(Not(formula), tied)[0] == 0


def test_the_margin_of_predict_is_the_logit_minus_the_largest_other() -> None:
    readouts = reading([[3.5, 1, 2], [0, 4, 1]], np.zeros((2, 4)))
    assert margin(Predict("truck"), readouts).tolist() == [1.5, -4]
    alone = Readouts(("only",), (), np.zeros((2, 1)), np.zeros((2, 0)))
    assert holds(Predict("only"), alone).all()


def test_float32_differences_keep_their_sign() -> None:
    tiny = np.float32(1e-45)
    readouts = Readouts(CLASSES, CONCEPTS, np.zeros((1, 3), np.float32), np.array([[tiny, 0, 0, 0]], np.float32))
    assert holds(Stronger("metallic", "ears"), readouts)[0]
    assert margin(Stronger("metallic", "ears"), readouts)[0] > 0


@settings(deadline=None)
@given(st.integers(-50, 50), st.fractions(-2, 2, max_denominator=50), st.integers(0, 2500))
def test_exceeds_agrees_with_integer_square_roots(numerator: int, threshold: Fraction, squared: int) -> None:
    # Scaled by 10**12, floor and ceiling of the root bracket it; outside the bracket the answer is certain.
    scale = 10**12
    low = isqrt(squared * scale * scale)
    high = low if low * low == squared * scale * scale else low + 1
    bounds = sorted((threshold * low, threshold * high))
    above = numerator * scale > bounds[1]
    assume(above or numerator * scale < bounds[0] or bounds[0] == bounds[1])
    assert exceeds(Fraction(numerator), threshold, Fraction(squared)) == above


def test_exceeds_decides_an_irrational_bound_that_floats_cannot() -> None:
    # sqrt(2) * t against a numerator one unit below and above in the 60th digit
    scale = 10**60
    below = Fraction(isqrt(2 * scale * scale), scale)
    assert not exceeds(below, Fraction(1), Fraction(2))
    assert exceeds(below + Fraction(1, scale), Fraction(1), Fraction(2))
    assert exceeds(-below, Fraction(-1), Fraction(2))
    assert not exceeds(-below - Fraction(1, scale), Fraction(-1), Fraction(2))


@pytest.mark.parametrize("threshold", [Fraction(-1, 2), Fraction(0), Fraction(1, 2)])
def test_nothing_is_present_where_the_mapped_embedding_vanishes(threshold: Fraction) -> None:
    assert not exceeds(Fraction(0), threshold, Fraction(0))


def test_readings_that_do_not_fit_or_are_not_finite_are_refused() -> None:
    for logits, strengths, thresholds in [
        (np.zeros((2, 2)), np.zeros((2, 4)), None),
        (np.zeros((2, 3)), np.zeros((1, 4)), None),
        (np.zeros((2, 3)), np.zeros((2, 4)), np.zeros(3)),
        (np.full((2, 3), np.nan), np.zeros((2, 4)), None),
        (np.zeros((2, 3)), np.full((2, 4), np.inf), None),
    ]:
        with pytest.raises(UserError, match="SPEC303"):
            Readouts(CLASSES, CONCEPTS, logits, strengths, thresholds)


@pytest.mark.parametrize(
    "formula", [Predict("bus"), Stronger("metallic", "fur"), HasConcept("ears"), HasConcept("fur")]
)
def test_names_and_thresholds_that_a_reading_lacks_are_told(formula: Formula) -> None:
    with pytest.raises(UserError, match="SPEC304"):
        holds(formula, reading([[0, 0, 0]], [[0, 0, 0, 0]]))
    zero = (Fraction(0),)
    with pytest.raises(UserError, match="SPEC304"):
        holds_exactly(formula, ExactReadouts(CLASSES, CONCEPTS, zero * 3, zero * 4, Fraction(1)))
