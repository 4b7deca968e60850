"""Small parts of verification at their very edges: what lies on a boundary, one step before it and one beyond."""

from fractions import Fraction
from itertools import product
from math import inf, isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.spaces import AffineMap, Head
from conspect.language.syntax.tree import And, Formula, HasConcept, Iff, Implies, Not, Or, Predict, Stronger
from conspect.verification.engine import integers
from conspect.verification.engine.cones import _ends, shortened
from conspect.verification.images.exact_truth import ExactTruth, SplitReadouts
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.membership import Membership
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions, SizedSplit
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm
from conspect.verification.regions.shapes import Band, SpanEllipsoid
from tests.verification.subjects import plane

# ---------------------------------------------------------------- membership in regions of readouts

MODEL = plane()
READOUTS = ReadoutRegions(FocusRegions(MODEL, VerifyOptions()), VerifyOptions())
STRENGTHS = ReadoutKinds(None, (0, 1), StrengthForm.EACH)
LENGTH = ReadoutKinds(None, (0,), StrengthForm.LENGTH)


def lies_inside(kinds: ReadoutKinds, region: SpanEllipsoid | Band, embedding: list[float]) -> bool:
    """Exactly; the two strengths of an embedding of the plane are its coordinates."""
    place = ClassRegion(kinds, region, SizedSplit(np.zeros(0)), np.zeros(0))
    return Membership(MODEL).holds(place, READOUTS, np.array(embedding))


def test_a_readout_on_the_very_edge_of_a_span_is_inside_and_one_step_out_is_not() -> None:
    # w = (3, 4) / 8 is of length 5 / 8; the factor's entries are multiples of one half, of 2**-9 and of 2**-30.
    centre, factor, w = np.array([1.0, -2.0]), np.array([[0.5, 2.0**-9], [3 * 2.0**-30, 1.0]]), np.array([3.0, 4.0]) / 8
    edge = (centre + factor @ w).tolist()
    assert [Fraction(v) for v in edge] == [
        1 + Fraction(3, 16) + Fraction(4, 2**12), -2 + Fraction(9, 2**33) + Fraction(1, 2),
    ]  # fmt: skip
    for size, inside in ((Fraction(5, 8), True), (Fraction(5, 8) - Fraction(1, 10**30), False), (Fraction(1), True)):
        assert lies_inside(STRENGTHS, SpanEllipsoid(centre, factor, size), edge) is inside


def test_a_flat_span_holds_nothing_exactly() -> None:
    flat = SpanEllipsoid(np.zeros(2), np.array([[1.0, 1.0], [1.0, 1.0]]), Fraction(9))
    assert not lies_inside(STRENGTHS, flat, [0.0, 0.0])


@pytest.mark.parametrize("middle", [1, 2])
def test_a_length_that_is_no_fraction_lies_inside_only_where_both_its_bounds_do(middle: int) -> None:
    # The length of (1, 1) is the root of two, above 1 and below 2, known to 160 bits.
    low = Fraction(isqrt(2 << 320), 1 << 160)
    high = low + Fraction(1, 1 << 160)
    nearer, farther = sorted((abs(low - middle), abs(high - middle)))
    for size, inside in ((nearer, False), (farther - Fraction(1, 1 << 200), False), (farther, True)):
        region = SpanEllipsoid(np.array([1.0, float(middle)]), np.eye(2), size)
        assert lies_inside(LENGTH, region, [1.0, 1.0]) is inside
    # That of (3, 4) is 5.
    for size, inside in ((Fraction(5 - middle), True), (Fraction(5 - middle) - Fraction(1, 10**30), False)):
        assert lies_inside(LENGTH, SpanEllipsoid(np.array([3.0, float(middle)]), np.eye(2), size), [3.0, 4.0]) is inside


def test_a_difference_on_the_very_edge_of_a_band_is_inside_and_one_step_out_is_not() -> None:
    assert READOUTS.pairs(STRENGTHS) == ((2, 3), (3, 2))
    # right - up is 1/2 at least where 2 - size is; up - right has room.
    for size, inside in ((Fraction(3, 2), True), (Fraction(3, 2) - Fraction(1, 10**30), False), (Fraction(2), True)):
        band = Band(np.array([2.0, -1.0]), np.array([1.0, 0.5]), size)
        assert lies_inside(STRENGTHS, band, [2.5, 2.0]) is inside
    # Of the pair read the other way round: -1/2 at least where -1/4 - size / 6 is; in binary, 1/6 is a float near it.
    sixth = 1 / 6
    edge = (Fraction(1, 2) - Fraction(1, 4)) / Fraction(sixth)
    for size, inside in ((edge, True), (edge - Fraction(1, 10**30), False)):
        assert lies_inside(STRENGTHS, Band(np.array([-9.0, -0.25]), np.array([0.0, sixth]), size), [2.5, 2.0]) is inside


def test_the_bars_of_a_band_are_thresholds_times_the_length() -> None:
    model = plane(thresholds={"right": 0.5})
    readouts = ReadoutRegions(FocusRegions(model, VerifyOptions()), VerifyOptions())
    pairs = readouts.pairs(LENGTH)
    bar = readouts.decider(LENGTH).rows.threshold_row(0)
    assert pairs == ((2, bar), (bar, 2))
    # At (3, 4) right is 3 and half the length 5/2: they differ by 1/2.
    for gaps, inside in (([0.5, -0.5], True), ([0.5 + 2**-40, -0.5], False), ([0.5, -0.5 + 2**-40], False)):
        place = ClassRegion(
            LENGTH, Band(np.array(gaps), np.zeros(2), Fraction(1)), SizedSplit(np.zeros(0)), np.zeros(0)
        )
        assert Membership(model).holds(place, readouts, np.array([3.0, 4.0])) is inside


LAYERS = (
    AffineMap(np.array([[1.0, -1.0], [0.0, 2.0]]), np.array([0.25, -1.0])),
    AffineMap(np.array([[1.0, 0.0], [0.0, 0.5], [-1.0, 1.0]]), np.array([0.0, 0.0, 0.125])),
)


@pytest.mark.parametrize(
    "head", [Head(LAYERS), Head.linear(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.ones(3))]
)
def test_logits_of_a_band_are_read_relative_to_its_class(head: Head) -> None:
    two = plane()
    model = VerificationModel(head, two.lens, ("a", "b", "c"), two.splits)
    readouts = ReadoutRegions(FocusRegions(model, VerifyOptions()), VerifyOptions())
    kinds, z = ReadoutKinds(1, (0, 1), StrengthForm.EACH), [1.5, 0.75]
    pairs = readouts.pairs(kinds)
    assert pairs == ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4), (4, 3))
    logits = head.logits(np.array([z]))[0].tolist()
    values = [*logits, *z]
    gaps = np.array([values[a] - values[b] for a, b in pairs])
    for axis in range(len(pairs)):
        for more, inside in ((0.0, True), (2.0**-40, False)):
            edge = gaps.copy()
            edge[axis] += more
            place = ClassRegion(kinds, Band(edge, np.zeros(8), Fraction(1)), SizedSplit(np.zeros(0)), np.zeros(0))
            assert Membership(model).holds(place, readouts, np.array(z)) is inside
    # A span of the same: the other two logits less that of the class, then the strengths.
    centre = np.array([logits[0] - logits[1], logits[2] - logits[1], *z])
    for more, inside in ((0.5, True), (0.5 + 2.0**-40, False)):
        span = SpanEllipsoid(centre + np.array([0.0, more, 0.0, 0.0]), np.eye(4), Fraction(1, 2))
        place = ClassRegion(kinds, span, SizedSplit(np.zeros(0)), np.zeros(0))
        assert Membership(model).holds(place, readouts, np.array(z)) is inside


# ---------------------------------------------------------------- integers in floats


def test_sums_of_digits_are_added_in_floats_as_long_as_floats_hold_them() -> None:
    limit = 1 << 21
    assert [integers._adds_up_in_floats(terms, 1) for terms in (1, limit, limit + 1)] == [True, True, False]
    assert [integers._adds_up_in_floats(terms, 4) for terms in (limit // 4, limit // 4 + 1)] == [True, False]
    assert (1 << 21) * (2**16 - 1) ** 2 < 1 << 53
    assert integers.DIGIT == 16


@given(st.lists(st.integers(1, 40), min_size=2, max_size=2), st.booleans())
def test_products_of_integers_are_exact_however_many_digits_they_have(digits: list[int], negative: bool) -> None:
    sign = -1 if negative else 1
    left = [[sign * ((1 << 16 * digits[0]) - 1), 5], [0, -1]]
    right = [[(1 << 16 * digits[1]) - 1, -sign], [1 << 16 * digits[1] - 1, 0], [-1, 0]]
    assert integers.products(left, right) == [[a * c + b * d for c, d in right] for a, b in left]


@pytest.mark.parametrize(("first", "second", "one_by_one"), [(32, 32, 0), (32, 33, 1), (1024, 1, 0), (1025, 1, 1)])
def test_python_multiplies_what_has_too_many_digits(
    first: int, second: int, one_by_one: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def counted(left: Any, right: Any) -> int:
        asked.append((left, right))
        return int(left[0] * right[0])

    monkeypatch.setattr(integers, "dot", counted)
    a, b = (1 << 16 * first) - 1, (1 << 16 * second) - 1
    assert integers.products([[a]], [[b]]) == [[a * b]]
    assert len(asked) == one_by_one


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_scaled_numbers_are_the_floats_with_the_least_shift(values: list[float]) -> None:
    whole = integers.scaled(np.array(values))
    assert [Fraction(v, 1 << whole.shift) for v in whole.integers] == [Fraction(v) for v in values]
    # The largest denominator of all is the unit: one bit less would not do.
    assert 1 << whole.shift == max(Fraction(v).denominator for v in values)
    assert whole.at(whole.shift) is whole.integers
    assert whole.at(whole.shift + 3) == [8 * v for v in whole.integers]
    over = integers.float_vector(np.array(values))
    assert (over.integers, over.denominator) == (whole.integers, 1 << whole.shift)


def test_what_is_not_finite_is_no_integer() -> None:
    for value in (inf, -inf, float("nan")):
        with pytest.raises(ValueError, match="finite"):
            integers.scaled(np.array([1.0, value]))


@given(st.lists(st.fractions(max_denominator=50), max_size=5))
def test_fractions_are_put_over_their_least_common_denominator(values: list[Fraction]) -> None:
    whole = integers.rational_vector(values)
    assert [Fraction(v, whole.denominator) for v in whole.integers] == values
    assert all(any(v.denominator % p == 0 for v in values) for p in (2, 3, 5, 7) if whole.denominator % p == 0)
    assert whole.denominator >= 1
    assert integers.rational_vector([]) == integers.RationalVector([], 1)


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=1, max_size=4))
def test_rows_are_combined_by_their_weights(rows: list[list[int]]) -> None:
    weights = [3, -2, 0, 7][: len(rows)]
    assert integers.combine(weights, rows) == [
        sum(w * row[k] for w, row in zip(weights, rows, strict=True)) for k in range(3)
    ]
    matrix = np.array(rows) / 4
    taken, shift = integers.scaled_rows(matrix)
    assert [[Fraction(v, 1 << shift) for v in row] for row in taken] == [[Fraction(v, 4) for v in row] for row in rows]


SIGNED = st.integers(-9, 9)


@given(
    st.lists(SIGNED, min_size=3, max_size=3), SIGNED, st.fractions(0, 3, max_denominator=7),
    st.dictionaries(st.integers(0, 2), st.tuples(st.fractions(-3, 3, max_denominator=7), st.fractions(0, 3, max_denominator=7))),
)  # fmt: skip
def test_ends_of_a_form_over_a_part_of_a_box_are_those_of_its_corners(
    row: list[int], middle: int, size: Fraction, parts: dict[int, tuple[Fraction, Fraction]]
) -> None:
    limits = {axis: (start, start + length) for axis, (start, length) in parts.items()}
    corners = product(*(limits.get(axis, (-size, size)) for axis in range(3)))
    values = [middle + sum((v * w for v, w in zip(row, corner, strict=True)), Fraction(0)) for corner in corners]
    assert _ends(row, middle, "max", size, limits) == (min(values), max(values))
    # Over a ball the length of the row is rounded up to a whole number above it.
    low, high = _ends(row, middle, "euclid", size, {})
    whole = isqrt(sum(v * v for v in row)) + 1
    assert (low, high) == (middle - size * whole, middle + size * whole)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=4))
def test_a_shortened_vector_has_few_digits_and_is_of_length_one_at_most(vector: list[float]) -> None:
    short = shortened(np.array(vector))
    exact = [Fraction(v) for v in short.tolist()]
    assert sum((v * v for v in exact), Fraction(0)) <= 1
    assert all((v * 2**48).denominator == 1 for v in exact)
    length = max(1.0, float(np.linalg.norm(vector)))
    assert short == pytest.approx(np.array(vector) / length, abs=1e-12)


# ---------------------------------------------------------------- what floats can tell of a formula

ULP = 2.0**-53


def told(formula: Formula, **parts: Any) -> tuple[bool, bool]:
    """Surely and maybe true, of one image whose readouts and errors are as given; the others are 0."""
    model = plane(thresholds={"right": 0.5, "up": -0.25})
    zeros = {"logits": [0.0, 0.0], "numerators": [0.0, 0.0], "logit_errors": [0.0, 0.0], "numerator_errors": [0.0, 0.0]}
    rows = {name: np.array([value]) for name, value in {**zeros, "norm": 0.0, "norm_errors": 0.0, **parts}.items()}
    bounds = ExactTruth(model).bounds(formula, SplitReadouts(**rows))
    return bool(bounds.surely[0]), bool(bounds.maybe[0])


@pytest.mark.parametrize("shared", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_a_prediction_is_sure_beyond_the_errors_and_four_roundings_of_what_is_compared(
    shared: tuple[float, float],
) -> None:
    # Logits 2 and 1: four roundings of 3. A gap of 1 is no more than the slack, and one unit less of error makes it sure.
    def errors(roundings: int) -> list[float]:
        return [share * (1 - roundings * ULP) for share in shared]

    east, west = Predict("east"), Predict("west")
    assert told(east, logits=[2.0, 1.0], logit_errors=errors(12)) == (False, True)
    assert told(east, logits=[2.0, 1.0], logit_errors=errors(14)) == (True, True)
    assert told(west, logits=[2.0, 1.0], logit_errors=errors(12)) == (False, True)
    assert told(west, logits=[2.0, 1.0], logit_errors=errors(14)) == (False, False)
    assert told(east, logits=[-1.0, -2.0], logit_errors=errors(12)) == (False, True)
    assert told(east, logits=[-1.0, -2.0], logit_errors=errors(14)) == (True, True)
    # With a lead of 1, 3 against 1, which is a gap of 1: four roundings of 5.
    lead = Predict("east", Fraction(1))
    assert told(lead, logits=[3.0, 1.0], logit_errors=errors(20)) == (False, True)
    assert told(lead, logits=[3.0, 1.0], logit_errors=errors(22)) == (True, True)
    assert told(lead, logits=[1.0, 1.0], logit_errors=errors(12)) == (False, True)
    assert told(lead, logits=[1.0, 1.0], logit_errors=errors(14)) == (False, False)
    assert told(east, logits=[1.0, 1.0]) == (False, True)


def test_a_comparison_is_sure_beyond_its_errors_and_four_roundings() -> None:
    right, up = Stronger("right", "up"), Stronger("up", "right")
    for first, second in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5)):
        for roundings, sure in ((12, False), (14, True)):
            errors = [share * (1 - roundings * ULP) for share in (first, second)]
            assert told(right, numerators=[2.0, 1.0], numerator_errors=errors) == (sure, True)
            assert told(right, numerators=[-1.0, -2.0], numerator_errors=errors) == (sure, True)
            assert told(up, numerators=[2.0, 1.0], numerator_errors=errors) == (False, not sure)
    assert told(right, numerators=[float("nan"), 0.0]) == (False, True)


def test_a_presence_is_sure_beyond_its_errors_and_where_the_embedding_is_not_nought() -> None:
    right, up = HasConcept("right"), HasConcept("up")
    # Half of a length of 2 is 1, against 2; a quarter of 4 with the other sign is -1, against -2.
    for own, length in ((1.0, 0.0), (0.0, 2.0), (0.5, 1.0)):
        for roundings, sure in ((12, False), (14, True)):
            errors: dict[str, Any] = {"numerator_errors": [own * (1 - roundings * ULP), 0.0]}
            errors["norm_errors"] = length * (1 - roundings * ULP)
            if length < 2:
                assert told(right, numerators=[2.0, 0.0], norm=2.0, **errors) == (sure, True)
                assert told(right, numerators=[0.0, 0.0], norm=2.0, **errors)[0] is False
            turned = {"numerator_errors": errors["numerator_errors"][::-1], "norm_errors": 2 * errors["norm_errors"]}
            if length < 2:
                assert told(up, numerators=[0.0, -2.0], norm=4.0, **turned) == (False, not sure)
    # The length itself must be beyond its error.
    assert told(right, numerators=[9.0, 0.0], norm=2.0, norm_errors=2.0) == (False, True)
    assert told(right, numerators=[9.0, 0.0], norm=2.0, norm_errors=2 - 2.0**-50) == (True, True)
    assert told(right, numerators=[-9.0, 0.0], norm=2.0, norm_errors=2.0) == (False, True)
    assert told(right, numerators=[-9.0, 0.0], norm=2.0, norm_errors=2 - 2.0**-50) == (False, False)


def test_truths_of_parts_are_put_together_by_kleene_s_rules() -> None:
    # Sure, open and surely false: right above up by 1, a tie of logits, and up above right.
    sure, no, unsure = Stronger("right", "up"), Stronger("up", "right"), Predict("east")
    table: dict[Formula, tuple[bool, bool]] = {
        sure: (True, True), no: (False, False), unsure: (False, True), Not(sure): (False, False), Not(no): (True, True),
        Not(unsure): (False, True), And((sure, unsure)): (False, True), And((no, unsure)): (False, False),
        And((sure, Not(no))): (True, True), Or((sure, unsure)): (True, True), Or((no, unsure)): (False, True),
        Or((no, no)): (False, False), Implies(unsure, no): (False, True), Implies(no, unsure): (True, True),
        Implies(sure, unsure): (False, True), Implies(sure, no): (False, False), Iff(sure, sure): (True, True),
        Iff(sure, no): (False, False), Iff(no, no): (True, True), Iff(sure, unsure): (False, True),
    }  # fmt: skip
    assert {formula: told(formula, numerators=[2.0, 1.0]) for formula in table} == table
