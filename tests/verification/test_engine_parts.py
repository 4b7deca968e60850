"""Small parts of verification by value: negations, differences over bands, searches over sizes, vertices, rays, readouts."""

import time
from fractions import Fraction
from math import hypot, inf, nextafter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.diagnostics import UserError
from conspect.core.regions import Box, Ellipsoid
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.core.verdicts import HOLDS, VIOLATED
from conspect.verification.engine import batch, exact_vertex
from conspect.verification.engine.batch import Branch, RegionForms, Task
from conspect.verification.engine.difference_graph import DifferenceGraph
from conspect.verification.engine.exact import ExactModel, ExactRegion
from conspect.verification.engine.integers import rational_vector
from conspect.verification.engine.rounding import DOUBLE, SINGLE, formula_slack, readout_errors
from conspect.verification.engine.sizes import Bracket, End, _next, above, below
from conspect.verification.engine.solvers import highs
from conspect.verification.engine.steps import Close, Open
from conspect.verification.extents.ray import Direction, Line, Ray, literals_of
from conspect.verification.extents.search import ExtentSearch, Segment, _end, _inwards, _outwards
from conspect.verification.images import binomial
from conspect.verification.images.describing import Describer
from conspect.verification.images.shares import share_verdicts
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import _short, conformal_radius
from conspect.verification.neighbourhoods.rows import IntegerRow, ReadoutRows
from conspect.verification.queries.negation import (
    AtomRows,
    ConeLiteral,
    LinearLiteral,
    State,
    contradiction,
    negation,
    opened,
)
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm
from conspect.verification.regions.shapes import Band
from tests.checker.handmade import HEAD, LENS, readings
from tests.verification.subjects import plane

ROWS = AtomRows(3, 3, {0: Fraction(0), 1: Fraction(1, 4)}, (Fraction(1, 2), Fraction(2, 3)))
ABOVE, BELOW = LinearLiteral(3, 4, True), LinearLiteral(4, 3, False)
OTHER, OPPOSITE = LinearLiteral(5, 3, True), LinearLiteral(3, 5, False)
TABLE: Any = (("stronger", 0, 1), ("stronger", 2, 0))


def assumed(table: Any, cut: int | None = None) -> State:
    """What is assumed where the formula's negation is denied: the formula itself."""
    return negation((*table, ("not", len(table) - 1)), ROWS, cut)


def test_what_a_formula_assumes_is_that_of_its_truth_table() -> None:
    assert negation(TABLE[:1], ROWS, None) == State((BELOW,), ())
    assert assumed(TABLE[:1]) == State((ABOVE,), ())
    both = (*TABLE, ("and", 0, 1))
    assert assumed(both) == State((ABOVE, OTHER), ())
    assert opened(negation(both, ROWS, None), 0, both, ROWS) == [State((BELOW,), ()), State((OPPOSITE,), ())]
    either = (*TABLE, ("or", 0, 1))
    assert negation(either, ROWS, None) == State((BELOW, OPPOSITE), ())
    implied = (*TABLE, ("implies", 0, 1))
    assert negation(implied, ROWS, None) == State((ABOVE, OPPOSITE), ())
    table = (*implied, ("not", 2))
    assert opened(negation(table, ROWS, None), 0, table, ROWS) == [State((BELOW,), ()), State((OTHER,), ())]
    alike = (*TABLE, ("iff", 0, 1))
    assert opened(negation(alike, ROWS, None), 0, alike, ROWS) == [
        State((ABOVE, OPPOSITE), ()),
        State((BELOW, OTHER), ()),
    ]
    table = (*alike, ("not", 2))
    assert opened(negation(table, ROWS, None), 0, table, ROWS) == [
        State((ABOVE, OTHER), ()),
        State((BELOW, OPPOSITE), ()),
    ]
    assert negation((TABLE[0], ("and", 0)), ROWS, None) == State((BELOW,), ())
    assert assumed((TABLE[0], ("or", 0))) == State((ABOVE,), ())


def test_predictions_compare_with_every_other_logit_raised_by_the_lead() -> None:
    cut = (LinearLiteral(1, 0, True), LinearLiteral(1, 2, True))
    assert assumed([("predict", 1)]).literals == cut
    assert negation(TABLE[:1], ROWS, 1) == State((*cut, BELOW), ())
    half = 7
    assert assumed([("predict", 1, "1/2")]).literals == (
        LinearLiteral(1, half, False),
        LinearLiteral(1, half + 2, False),
    )
    table: Any = (("predict", 1, "2/3"),)
    assert opened(negation(table, ROWS, None), 0, table, ROWS) == [
        State((LinearLiteral(10, 1, True),), ()),
        State((LinearLiteral(12, 1, True),), ()),
    ]
    assert opened(negation([("predict", 1)], ROWS, None), 0, (("predict", 1),), ROWS) == [  # type: ignore[arg-type]
        State((LinearLiteral(0, 1, False),), ()),
        State((LinearLiteral(2, 1, False),), ()),
    ]


def test_presence_is_linear_for_a_threshold_of_nought_or_where_the_length_is_read() -> None:
    assert assumed([("has", 0)]).literals == (LinearLiteral(3, 6, True),)
    assert negation((("has", 0),), ROWS, None).literals == (LinearLiteral(6, 3, False),)
    assert assumed([("has", 1)]).literals == (ConeLiteral(1, True),)
    assert negation((("has", 1),), ROWS, None).literals == (ConeLiteral(1, False),)
    length = AtomRows(3, 3, {1: Fraction(1, 4)}, (Fraction(1, 2),), True)
    assert length.rows == 3 + 3 + 1 + 3 + 3
    assert negation((("has", 1),), length, None).literals == (LinearLiteral(11, 4, False),)


def test_rows_are_known_by_number() -> None:
    assert (ROWS.zero_row, ROWS.rows) == (6, 13)
    expected = [(k, Fraction(0)) for k in range(3)] + [None] * 4
    expected += [(k, lead) for lead in ROWS.leads for k in range(3)]
    assert [ROWS.logit(row) for row in range(13)] == expected
    assert AtomRows(3, 3, {}, (Fraction(1, 2),), True).logit(10) is None
    for lead in (Fraction(0), *ROWS.leads):
        assert [ROWS.logit(ROWS.raised_row(k, lead)) for k in range(3)] == [(k, lead) for k in range(3)]


def test_a_cycle_is_the_shortest_way_round_with_a_strict_literal() -> None:
    literal = LinearLiteral
    assert contradiction((literal(0, 1, False), literal(1, 2, True), literal(2, 0, False), literal(2, 1, False))) == [
        1,
        3,
    ]
    assert contradiction((literal(0, 1, True), literal(2, 0, True))) is None
    assert contradiction((literal(0, 1, False), literal(1, 0, False), literal(4, 5, True))) is None
    assert contradiction((literal(0, 1, False), literal(1, 0, True))) == [1, 0]


# ---------------------------------------------------------------- bands

PLAIN_ROWS = AtomRows(3, 3, {})
PAIRS = ((3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4))


def graph(*gaps: float, widths: Any = (0.0,) * 6, rows: AtomRows = PLAIN_ROWS) -> DifferenceGraph:
    band = Band(np.array(gaps), np.array(widths), Fraction(1))
    return DifferenceGraph(band, PAIRS, rows)


def decided(of: DifferenceGraph, table: Any, size: Any = 1, budget: int = 99) -> Any:
    return of.decide(table, Fraction(size), node_budget=budget, deadline=inf)


@pytest.mark.parametrize(
    ("gaps", "proved", "band"),
    [
        ([1.0, 0, 0, 0, 0, 0], True, (0,)), ([0.0, 0, 0, 0, 0, 0], False, ()), ([-9.0, 1.0, -9, -9, -9, -0.5], True, (1, 5)),
        ([-9.0, 1.0, -9, -9, -9, -1.0], False, ()), ([2.0**-20, 0, 0, 0, 0, 0], True, (0,)),
    ],
)  # fmt: skip
def test_a_comparison_is_proved_over_a_band_where_its_gaps_say_so(gaps: list[float], proved: bool, band: Any) -> None:
    outcome = decided(graph(*gaps), TABLE[:1])
    assert outcome.proved is proved
    if proved:
        assert outcome.steps[0].multipliers == (() if sum(gaps[:1]) > 9 else ((0, 1),))
        assert set(outcome.steps[0].band) == set(band)
        assert outcome.carries == inf
    else:
        assert outcome.reason == "the band allows what the property denies"


def test_a_proof_over_a_band_carries_as_far_as_its_gaps_shrink() -> None:
    of = graph(1.0, -9, -9, -9, -9, -9, widths=(0.25, 0, 0, 0, 0, 0))
    assert [decided(of, TABLE[:1], size).proved for size in (0, 3, 4, 5)] == [True, True, False, False]
    assert decided(of, TABLE[:1]).carries == 4.0
    # A strict denial is met at the tie as well.
    denied = (("stronger", 1, 0), ("not", 0))
    assert [decided(of, denied, size).proved for size in (3, 4, Fraction(9, 2))] == [True, True, False]
    table = (*denied, ("stronger", 0, 1), ("and", 1, 2))
    outcome = decided(of, table)
    assert (outcome.proved, outcome.carries) == (True, 4.0)
    assert outcome.steps[0] == Open(0)
    assert [type(step) for step in outcome.steps] == [Open, Close, Close]


def test_a_band_is_searched_within_its_budget() -> None:
    of = graph(1.0, -9, -9, -9, -9, -9)
    table = (("stronger", 0, 1), ("stronger", 0, 1), ("and", 0, 1))
    assert decided(of, table, budget=3).proved
    assert decided(of, table, budget=2).reason == "more conjuncts to examine than the budget has"
    late = of.decide(table, Fraction(1), node_budget=99, deadline=time.monotonic() - 1)
    assert late.reason == "more conjuncts to examine than the budget has"


def test_leads_are_edges_both_ways() -> None:
    rows = AtomRows(3, 3, {}, (Fraction(1, 2),))
    # Logits: c0 at least 3/4 above c1 and c2.
    pairs = ((0, 1), (0, 2))
    of = DifferenceGraph(Band(np.array([0.75, 0.75]), np.zeros(2), Fraction(1)), pairs, rows)
    assert decided(of, (("predict", 0, "1/2"),)).proved
    more = DifferenceGraph(Band(np.array([0.75, 0.25]), np.zeros(2), Fraction(1)), pairs, rows)
    assert not decided(more, (("predict", 0, "1/2"),)).proved
    assert decided(more, (("predict", 1, "1/2"), ("not", 0))).proved


@given(st.lists(st.integers(-2, 2), min_size=6, max_size=6))
def test_a_band_is_empty_where_a_cycle_adds_up_to_more_than_nought(gaps: list[int]) -> None:
    above_by = dict(zip(PAIRS, gaps, strict=True))
    cycles = [(3, 4), (3, 5), (4, 5), (3, 4, 5), (3, 5, 4)]
    sums = [sum(above_by[c[k - 1], c[k]] for k in range(len(c))) for c in cycles]
    assert graph(*map(float, gaps)).is_empty(Fraction(1)) == (max(sums) > 0)


def test_a_band_is_empty_at_sizes_below_that_at_which_its_cycle_adds_up_to_nought() -> None:
    # 1 - s from k0 over k1 and back with -1/2 - s/4: 1/2 - 5/4 s in all, which is 0 at 2/5.
    of = graph(1.0, -9, -0.5, -9, -9, -9, widths=(1.0, 0, 0.25, 0, 0, 0))
    assert [of.is_empty(Fraction(*size)) for size in ((0, 1), (39, 100), (2, 5), (41, 100), (9, 1))] == [
        True,
        True,
        False,
        False,
        False,
    ]


# ---------------------------------------------------------------- sizes


def end(size: float) -> End:
    return End(size, Box(np.zeros(1), np.ones(1), Fraction(size)), None)  # type: ignore[arg-type]


def test_a_bracket_says_what_follows_from_its_ends() -> None:
    bracket = Bracket(end(1.0), end(2.0), 8.0)
    said = [bracket.verdict(Fraction(s)).outcome for s in (0, 1, Fraction(3, 2), 2, 3)]
    assert said == ["holds", "holds", "unknown", "violated", "violated"]
    assert bracket.verdict(Fraction(1)) == HOLDS
    assert bracket.verdict(Fraction(2)) == VIOLATED
    assert Bracket(None, None, 0.0, fails_at_centre=True).verdict(Fraction(0)).outcome == "violated"
    assert Bracket(None, end(2.0), 8.0).verdict(Fraction(0)).outcome == "unknown"
    record = bracket.record()
    assert (record.low, record.high, record.searched) == (1.0, 2.0, 8.0)
    record = Bracket(None, None, 8.0).record()
    assert (record.low, record.high) == (None, None)
    assert Bracket(None, end(2.0), 8.0, fails_at_centre=True).record().high == 0.0


def test_the_next_size_is_just_within_what_a_proof_carries_then_just_beyond_then_the_middle() -> None:
    assert _next(1.0, None, inf, 8.0, 0) == 8.0
    assert _next(1.0, None, 8.0, 8.0, 0) == 8.0
    assert _next(1.0, None, 4.0, 8.0, 0) == 4.0 * (1 - 1e-9)
    assert _next(4.0, None, 4.0, 8.0, 0) == 4.0 * (1 + 5e-5)
    assert _next(4.0, None, 4.0, 8.0, 11) == 4.0 * (1 + 5e-5)
    assert _next(4.0, None, 4.0, 8.0, 12) == 6.0
    assert _next(4.0, 5.0, 9.0, 8.0, 0) == 4.5
    assert _next(4.0, 5.0, 4.5, 8.0, 0) == 4.5 * (1 - 1e-9)
    assert _next(4.0, 4.0001, 4.0, 8.0, 0) == pytest.approx(4.00005, abs=1e-9)
    assert _next(1.0, 5.0, 0.5, 8.0, 0) == 3.0


@given(st.fractions(min_value=Fraction(1, 10**9)))
def test_sizes_are_rounded_to_the_floats_on_either_side(size: Fraction) -> None:
    low, high = below(size), above(size)
    assert Fraction(low) <= size <= Fraction(high)
    assert size < Fraction(nextafter(low, inf))
    assert size > Fraction(nextafter(high, -inf))


# ---------------------------------------------------------------- vertices


def vertex_region(kind: Any = Box) -> ExactRegion:
    """Strengths x, y and their mean; the square around the origin."""
    lens = Lens(AffineMap(np.eye(2), np.zeros(2)), ("a", "b", "c"), np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    model = ExactModel.of(AffineMap(np.eye(2), np.zeros(2)), 2, lens)
    return ExactRegion(kind(np.zeros(2), np.ones(2), Fraction(1)), model, AtomRows(2, 3, {}))


def test_ties_are_decided_at_exact_vertices() -> None:
    region = vertex_region()
    # Rows: 2 is x, 3 is y, 4 their mean, 5 nought. x > y and y >= mean contradict each other; x >= y and y >= mean meet at ties.
    none = (LinearLiteral(2, 3, True), LinearLiteral(3, 4, False))
    multipliers = exact_vertex.decide(region, none, Fraction(1), inf)
    assert isinstance(multipliers, tuple)
    assert region.closing(none, multipliers, Fraction(1)) is not None
    some = (LinearLiteral(2, 3, False), LinearLiteral(3, 4, False))
    point = exact_vertex.decide(region, some, Fraction(1), inf)
    assert not isinstance(point, tuple | str)
    x, y = (Fraction(v, point.denominator) for v in point.integers)
    assert x == y
    # The strict one is pushed as far as the others allow.
    mixed = (LinearLiteral(2, 5, True), LinearLiteral(2, 3, False), LinearLiteral(3, 4, False))
    point = exact_vertex.decide(region, mixed, Fraction(1, 3), inf)
    assert not isinstance(point, tuple | str)
    assert [Fraction(v, point.denominator) for v in point.integers] == [Fraction(1, 3), Fraction(1, 3)]
    assert exact_vertex.decide(region, mixed, Fraction(1, 3), time.monotonic() - 1) == exact_vertex.OUT_OF_TIME


THREE = st.lists(st.integers(-3, 3), min_size=3, max_size=3)


@given(st.lists(THREE, min_size=3, max_size=3), THREE)
def test_systems_are_solved_exactly_or_singular(matrix: list[list[int]], right: list[int]) -> None:
    solution = exact_vertex.solve(matrix, [Fraction(v) for v in right], inf)
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if determinant == 0:
        assert solution is None
    else:
        assert isinstance(solution, list)
        assert [sum(v * x for v, x in zip(row, solution, strict=True)) for row in matrix] == right
    assert exact_vertex.solve(matrix, [Fraction(v) for v in right], -inf) == exact_vertex.OUT_OF_TIME


def test_the_linear_program_is_the_largest_smallest_value() -> None:
    # max t with x >= t, 1 - x >= t, and y - x >= 0: t = 1/2 at x = 1/2.
    slopes, offsets = np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 1.0]]), np.array([0.0, 1.0, 0.0])
    counted = np.array([True, True, False])
    vertex = highs.maximise_smallest(slopes, offsets, counted, np.full(2, -1.0), np.full(2, 1.0))
    assert vertex.status == "optimal"
    assert vertex.values[0] == pytest.approx(0.5)
    assert vertex.multipliers == pytest.approx([0.5, 0.5, 0.0])
    assert (vertex.places[0], vertex.places[2]) == (highs.BASIC, highs.BASIC)
    assert vertex.active.tolist()[:2] == [True, True]
    assert np.sum(vertex.places == highs.BASIC) == np.sum(vertex.active)
    infeasible = highs.maximise_smallest(
        np.array([[1.0]]), np.array([-2.0]), np.array([False]), -np.ones(1), np.ones(1)
    )
    assert infeasible.status == "infeasible"
    assert len(infeasible.places) == len(infeasible.values) == 0


# ---------------------------------------------------------------- the float engine's parts


def forms_of(region: Any) -> RegionForms:
    return RegionForms.of(region, AffineMap(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 1.0, 5.0])))


@pytest.mark.parametrize(("region", "reach"), [
    (Box(np.array([1.0, 2.0]), np.array([3.0, 4.0]), Fraction(1, 2)), [7.0, 4.0, 3.0]),
    (Ellipsoid(np.array([1.0, 2.0]), np.array([[3.0, 0.0], [0.0, 4.0]]), Fraction(1, 2)), [5.0, 4.0, 3.0]),
])  # fmt: skip
def test_margins_of_plain_comparisons_are_closed_forms(region: Any, reach: list[float]) -> None:
    forms = forms_of(region)
    assert forms.slopes.tolist() == [[1.5, 0.0], [0.0, 2.0], [1.5, 2.0]]
    assert forms.offsets.tolist() == [1.0, 3.0, 8.0]
    assert forms.resized(region.resized(Fraction(2))).slopes.tolist() == [[6.0, 0.0], [0.0, 8.0], [6.0, 8.0]]
    margins, largest = batch.strength_margins(forms, np.array([[1, 0], [2, 0], [2, 1], [0, 1]]))
    gaps = [2.0, 7.0, 5.0, -2.0]
    lengths = [reach[0], 4.0, 3.0, reach[0]]
    assert margins.tolist() == pytest.approx([gap - length / 2 for gap, length in zip(gaps, lengths, strict=True)])
    assert largest.tolist() == pytest.approx([gaps[0] / lengths[0], 7 / 4, 5 / 3, 0.0])


def test_truths_of_formulas_at_a_float_point() -> None:
    reading = AtomRows(2, 2, {0: Fraction(0), 1: Fraction(1)}, (Fraction(1),), True)
    # Logits 3 and 2, strengths 1 and 1, nought, logits raised by 1, bars 0.5 and 1.5.
    values = np.array([3.0, 2.0, 1.0, 1.0, 0.0, 4.0, 3.0, 0.5, 1.5])
    table: Any = (("predict", 0), ("predict", 1), ("predict", 0, "1"), ("stronger", 0, 1), ("has", 0), ("has", 1),
                  ("not", 0), ("and", 0, 4), ("and", 0, 1), ("or", 1, 0), ("or", 1, 3), ("implies", 0, 1), ("implies", 1, 0),
                  ("implies", 0, 4), ("iff", 0, 4), ("iff", 0, 1), ("iff", 1, 3))  # fmt: skip
    truths = [batch._true(k, values, table, reading) for k in range(len(table))]
    assert truths == [
        True,
        False,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        True,
        False,
        False,
        True,
        True,
        True,
        False,
        True,
    ]
    plain = AtomRows(2, 2, {0: Fraction(0)})
    assert batch._true(0, np.array([0, 0, 0.25, 0.0, 0.0]), (("has", 0),), plain)
    assert not batch._true(0, np.array([0, 0, 0.0, 0.0, 0.0]), (("has", 0),), plain)


def test_the_margin_of_a_task_is_that_of_its_narrowest_branch() -> None:
    leaves = [Branch(State((), ()), margin=2.0), Branch(State((), ()), margin=0.5)]
    task = Task((), 0, None, Branch(State((), ()), children=leaves))
    assert batch.margin_of(task) == 0.5
    task.witness, task.margin = np.zeros(1), -3.0
    assert batch.margin_of(task) == -3.0
    task.stuck = True
    assert batch.margin_of(task) is None
    task.nodes = 7
    task.restart()
    assert [task.witness, task.stuck, task.nodes, task.root.children] == [None, False, 0, []]
    assert batch.margin_of(task) is None


# ---------------------------------------------------------------- rounding


def test_units_of_roundoff_are_half_of_what_follows_one() -> None:
    assert float(np.finfo(np.float32).eps) / 2 == SINGLE
    assert float(np.finfo(np.float64).eps) / 2 == DOUBLE


def gamma(terms: int, unit: float) -> float:
    return terms * unit / (1 - terms * unit)


@pytest.mark.parametrize("unit", [SINGLE, DOUBLE])
def test_rounding_bounds_follow_the_layers_by_the_rule_of_the_page(unit: float) -> None:
    """Higham's rule, term by term, for a head of two layers over numbers that are easily added up."""
    head = Head(
        (
            AffineMap(np.array([[1.0, -2.0]]), np.array([3.0])),
            AffineMap(np.array([[2.0], [-4.0]]), np.array([1.0, 0.5])),
        )
    )
    lens = Lens(
        AffineMap(np.array([[1.0, 1.0], [0.0, -2.0]]), np.array([0.0, 1.0])),
        ("a", "b"),
        np.array([[1.0, 0.0], [0.6, -0.8]]),
    )
    model = plane(head=head)
    model = type(model)(head, lens, model.class_names, model.splits)
    errors = readout_errors(model, np.array([[5.0, 7.0]]), unit)
    start = [5 * unit, 7 * unit]
    size = (5 + start[0]) + 2 * (7 + start[1]) + 3
    hidden = start[0] + 2 * start[1] + gamma(2 + 3, unit) * size
    logits = [w * hidden + gamma(1 + 3, unit) * (w * (size + hidden) + b) for w, b in ((2, 1), (4, 0.5))]
    assert errors.logits[0] == pytest.approx([v * (1 + 1e-6) for v in logits], rel=1e-9)
    sizes = [(5 + start[0]) + (7 + start[1]), 2 * (7 + start[1]) + 1]
    off = [start[0] + start[1] + gamma(5, unit) * sizes[0], 2 * start[1] + gamma(5, unit) * sizes[1]]
    whole = [sizes[0] + off[0], 0.6 * (sizes[0] + off[0]) + 0.8 * (sizes[1] + off[1])]
    numerators = [off[0], 0.6 * off[0] + 0.8 * off[1]]
    numerators = [e + gamma(5, unit) * s + 4 * unit * s for e, s in zip(numerators, whole, strict=True)]
    assert errors.numerators[0] == pytest.approx([v * (1 + 1e-6) for v in numerators], rel=1e-9)
    norm = hypot(*off) + gamma(2 + 4, unit) * hypot(*sizes)
    assert errors.norm[0] == pytest.approx(norm * (1 + 1e-6), rel=1e-9)


@pytest.mark.parametrize(("region", "reach"), [
    (Box(np.array([1.0, -2.0]), np.array([0.5, 3.0]), Fraction(2)), [2.0, 8.0]),
    (Ellipsoid(np.array([1.0, -2.0]), np.array([[0.3, 0.4], [5.0, 12.0]]), Fraction(2)), [2.0, 28.0]),
])  # fmt: skip
def test_the_slack_of_a_formula_is_that_of_its_loosest_atom(region: Any, reach: list[float]) -> None:
    model = plane(thresholds={"up": -0.25, "right": 0.5})
    errors = readout_errors(model, np.array([reach]), SINGLE)
    (east, west), (right, up), norm = errors.logits[0], errors.numerators[0], errors.norm[0]
    atoms: dict[Any, float] = {
        ("predict", 0): east + west, ("predict", 1, "3"): east + west + 2 * SINGLE * (1 + 1e-6) * 3,
        ("stronger", 0, 1): right + up, ("has", 1): up + 0.25 * norm, ("has", 0): right + 0.5 * norm,
    }  # fmt: skip
    for atom, slack in atoms.items():
        assert formula_slack(model, region, (atom, ("not", 0))) == pytest.approx(slack, rel=1e-9)
    both: Any = (("stronger", 0, 1), ("has", 0), ("and", 0, 1))
    assert formula_slack(model, region, both) == pytest.approx(max(right + up, right + 0.5 * norm), rel=1e-9)


# ---------------------------------------------------------------- rays


def ray_of(z: list[float], step: list[float]) -> Ray:
    lens = Lens(AffineMap(np.array(LENS[0]), np.array(LENS[1])), ("k0", "k1", "k2"), np.array(LENS[2]))
    model = ExactModel.of(AffineMap(np.array(HEAD[0][0]), np.array(HEAD[0][1])), 3, lens)
    return Ray(model, ROWS, np.array(z), Direction(np.array(step)))


@given(st.lists(st.integers(-16, 16), min_size=4, max_size=4), st.fractions(-3, 3, max_denominator=9))
def test_lines_are_base_forms_along_the_ray_up_to_one_factor(numbers: list[int], w: Fraction) -> None:
    z, step = [v / 8 for v in numbers[:2]], [v / 4 for v in numbers[2:]]
    ray = ray_of(z, step)
    at = [Fraction(a) + w * Fraction(b) for a, b in zip(z, step, strict=True)]
    logits, strengths, _ = readings(at)
    values = [*logits, *strengths, Fraction(0), *(v + lead for lead in ROWS.leads for v in logits)]
    lines = [ray.line(row).at(w) for row in range(13)]
    unit = ray.line(7).at(w) - ray.line(0).at(w)
    assert unit > 0
    assert [line / (2 * unit) for line in lines] == values
    for atom in (("predict", 1), ("predict", 1, "1/2"), ("stronger", 0, 2), ("has", 0)):
        literals = literals_of(atom, ROWS)
        others = [v for k, v in enumerate(logits) if k != 1]
        true = {
            "predict": (
                all(logits[1] > v for v in others)
                if len(atom) < 3
                else all(logits[1] >= v + Fraction(1, 2) for v in others)
            ),
            "stronger": strengths[0] > strengths[2],
            "has": strengths[0] > 0,
        }[str(atom[0])]
        assert ray.makes_true((atom,), w) is true
        gaps = [ray.gap(literal) for literal in literals]
        assert ray.crossings((atom,)) == sorted({-Fraction(gap.start) / gap.slope for gap in gaps if gap.slope})
        assert ray.makes_true((atom, ("not", 0)), w) is not true
        assert ray.makes_true((atom, ("iff", 0, 0)), w)
        assert ray.makes_true((atom, ("implies", 0, 0), ("and", 0, 1)), w) is true
        assert ray.makes_true((atom, ("not", 0), ("or", 1, 0)), w)
        assert ray.makes_true((atom, ("not", 0), ("implies", 0, 1)), w) is not true


def test_places_are_rounded_to_the_next_float_inwards_and_outwards() -> None:
    third = Fraction(1, 3)
    near, far = Fraction(float(third)), Fraction(nextafter(float(third), inf))
    assert near < third < far
    assert _inwards(third, 1) == near
    assert _inwards(-third, -1) == -near
    assert _outwards(third, 1, Fraction(9)) == far
    assert _outwards(-third, -1, Fraction(-9)) == -far
    half = Fraction(1, 2)
    assert _inwards(half, 1) == Fraction(nextafter(0.5, 0.0))
    assert _outwards(half, 1, Fraction(9)) == Fraction(nextafter(0.5, inf))
    assert _outwards(third, 1, third + Fraction(1, 10**30)) == third + Fraction(1, 10**30)
    assert _outwards(third, 1, far) == far


def test_an_extent_ends_where_its_line_crosses_and_nowhere_else() -> None:
    """k0 > k2 along a ray: strengths at z = (x, 0) are x + 1/4 and 1, so it is false up to 3/4 and true beyond."""
    ray, table = ray_of([0.0, 0.0], [1.0, 0.0]), (("stronger", 0, 2),)
    assert ray.crossings(table) == [Fraction(3, 4)]
    assert _end(ray, table, [Fraction(3, 4)], value=False) == (
        Fraction(nextafter(0.75, 0.0)),
        Fraction(nextafter(0.75, inf)),
    )
    for further in ([Fraction(2)], [Fraction(2), Fraction(3)]):
        assert _end(ray, table, [Fraction(3, 4), *further], value=False) == (
            Fraction(nextafter(0.75, 0.0)),
            Fraction(nextafter(0.75, inf)),
        )
    for places in ([Fraction(1, 4), Fraction(3, 4)], [Fraction(1, 4), Fraction(3, 4), Fraction(2)]):
        assert _end(ray, table, places, value=False)[0] == Fraction(nextafter(0.75, 0.0))
    assert _end(ray, table, [], value=False) == (Fraction(64), None)
    assert _end(ray, table, [], value=False, sign=-1) == (Fraction(-64), None)
    assert _end(ray, table, [Fraction(3, 4)], value=True) == (None, Fraction(3, 4))
    proof = ray.proof((*table, ("not", 0)), Fraction(-64), Fraction(nextafter(0.75, 0.0)))
    assert proof == [Close(((0, 1),))]
    assert ray.proof((*table, ("not", 0)), Fraction(0), Fraction(1)) is None
    assert Line(2, Fraction(1, 2)).at(Fraction(3)) == Fraction(7, 2)
    assert Segment(np.zeros(2), np.ones((2, 1)), Fraction(1)).norm == "max"


def test_two_literals_that_cross_are_closed_together_by_helly() -> None:
    # k0 > k2 (beyond 3/4) and k2 > k0 (before) are never both so; at the tie neither is strict enough alone.
    ray = ray_of([0.0, 0.0], [1.0, 0.0])
    table: Any = (("stronger", 0, 2), ("stronger", 2, 0), ("and", 0, 1), ("not", 2))
    (step,) = ray.proof(table, Fraction(-2), Fraction(2)) or []
    assert isinstance(step, Close)
    gaps = [ray.gap(LinearLiteral(3, 5, True)), ray.gap(LinearLiteral(5, 3, True))]
    total = [sum(v * (gaps[k].start if part == 0 else gaps[k].slope) for k, v in step.multipliers) for part in (0, 1)]
    assert total == [0, 0]
    either: Any = (("stronger", 0, 2), ("stronger", 2, 0), ("or", 0, 1))
    assert ray.proof(either, Fraction(-2), Fraction(2)) is None


def test_directions_raise_the_strength_by_one() -> None:
    search = ExtentSearch(plane())
    for concept, expected in (("right", [1.0, 0.0]), ("up", [0.0, 1.0])):
        assert search.direction(concept).step.tolist() == expected
    with pytest.raises(UserError):
        search.direction("down")


# ---------------------------------------------------------------- images


def test_sums_of_tails_are_fractions_or_too_much_work(monkeypatch) -> None:
    assert binomial._sum(1, 2, 2, Fraction(1, 3)) == Fraction(5, 9)
    assert binomial._sum(0, 2, 3, Fraction(1, 4)) == Fraction(63, 64)
    assert binomial._sum(2, 1, 3, Fraction(1, 4)) == 0
    assert [binomial._sum(low, 3, 3, Fraction(1)) for low in (0, 3)] == [1, 1]
    assert binomial._sum(0, 2, 3, Fraction(1)) == 0
    # Three terms of three trials and a denominator of three bits and one.
    monkeypatch.setattr(binomial, "WORK", 3 * 3 * 4)
    assert binomial._sum(0, 2, 3, Fraction(1, 4)) == Fraction(63, 64)
    monkeypatch.setattr(binomial, "WORK", 3 * 3 * 4 - 1)
    assert binomial._sum(0, 2, 3, Fraction(1, 4)) is None


@pytest.mark.parametrize("upper", [False, True])
def test_a_tail_far_from_its_limit_is_not_added_up_and_one_near_it_is(upper: bool, monkeypatch) -> None:
    asked: list[tuple[int, int]] = []
    real = binomial._sum

    def counted(low: int, high: int, trials: int, share: Fraction) -> Fraction | None:
        asked.append((low, high))
        return real(low, high, trials, share)

    monkeypatch.setattr(binomial, "_sum", counted)
    share, trials = Fraction(1, 2), 9
    for successes in range(10):
        exact = real(successes, 9, 9, share) if upper else real(0, successes, 9, share)
        assert exact is not None
        asked.clear()
        assert binomial.tail_at_most(successes, trials, share, exact * 2, upper=upper) is True
        assert binomial.tail_at_most(successes, trials, share, exact / 2, upper=upper) is False
        assert asked == []
        assert binomial.tail_at_most(successes, trials, share, exact, upper=upper) is True
        assert binomial.tail_at_most(successes, trials, share, exact * (1 - Fraction(1, 10**9)), upper=upper) is False
        low, high = (successes, 9) if upper else (0, successes)
        if high - low + 1 > 5:
            low, high = (0, successes - 1) if upper else (successes + 1, 9)
        assert asked == [(low, high)] * 2


def test_shares_say_why_they_are_left_open(monkeypatch) -> None:
    (none, p), (holds, _), (violated, _) = share_verdicts([(0, 0), (60, 60), (10, 60)], [Fraction(9, 10)] * 3, 0.95)
    assert (none.outcome, none.reason, p) == ("unknown", "there are no images", 1.0)
    assert (holds.outcome, violated.outcome) == ("holds", "violated")
    ((verdict, p),) = share_verdicts([(54, 60)], [Fraction(9, 10)], 0.95)
    assert (verdict.outcome, p) == ("unknown", 1.0)
    assert verdict.reason == "54 of 60 images do not decide it at confidence 0.95"
    monkeypatch.setattr("conspect.verification.images.shares.tail_at_most", lambda *a, **k: None)
    ((verdict, p),) = share_verdicts([(54, 60)], [Fraction(9, 10)], 0.95)
    assert (verdict.outcome, p) == ("unknown", 1.0)
    assert "so close to its limit" in verdict.reason
    assert share_verdicts([], [], 0.95) == []


@pytest.mark.parametrize("scale", [1.0, 1e30])
def test_the_nearest_images_are_those_of_plain_distances(scale: float) -> None:
    model = plane(count=60)
    split = model.splits["test"]
    big = type(split)((split.embeddings * scale).astype(np.float32), split.labels, split.ids)
    model = type(model)(model.head, model.lens, model.class_names, {**model.splits, "test": big})
    at = np.array([0.3, 0.9]) * scale
    distances = np.linalg.norm(big.embeddings.astype(np.float64) - at, axis=1)
    order = np.argsort(distances, kind="stable")
    for nearest in (0, 1, 3):
        record = Describer(model, nearest).describe(at, None)
        assert [image.image_id for image in record.nearest] == [big.ids[k] for k in order[:nearest]]
        assert [image.distance for image in record.nearest] == pytest.approx(distances[order[:nearest]].tolist())
    own = Describer(model, 2).describe(at, None, image_id=big.ids[order[0]])
    assert [image.image_id for image in own.nearest] == [big.ids[k] for k in order[1:3]]
    assert record.predicted == "east"
    assert [name for name, _ in record.profile] == ["up", "right"]
    assert record.size == 0.0


# ---------------------------------------------------------------- neighbourhoods


@pytest.mark.parametrize("own", [None, 1])
@pytest.mark.parametrize("presence", [False, True])
def test_rows_over_readouts_are_what_readouts_say(own: int | None, presence: bool) -> None:
    atoms = AtomRows(3, 3, {0: Fraction(1, 4), 1: Fraction(-1, 3), 2: Fraction(0)}, (Fraction(1, 2),), presence)
    rows = ReadoutRows(ReadoutKinds(own, (0, 1, 2), StrengthForm.LENGTH if presence else StrengthForm.RELATIVE), atoms)
    logits, strengths, length = (
        [Fraction(5), Fraction(7), Fraction(-11)],
        [Fraction(13), Fraction(17), Fraction(-19)],
        Fraction(23),
    )
    readouts = [] if own is None else [v - logits[own] for k, v in enumerate(logits) if k != own]
    readouts += [*strengths, length] if presence else [v - strengths[0] for v in strengths[1:]]
    assert rows.dimension == len(readouts)
    values: dict[int, Fraction] = dict(enumerate([*logits, *strengths]))
    if own is not None:
        values |= {7 + k: v + Fraction(1, 2) for k, v in enumerate(logits)}
    else:
        values = {k: v for k, v in values.items() if k >= 3}
    if presence:
        values |= {6: Fraction(0)} | {10 + k: t * length for k, t in atoms.thresholds.items()}
    pairs = [(a, b) for a in values for b in values if a != b and ((a < 3 or 7 <= a < 10) == (b < 3 or 7 <= b < 10))]
    for a, b in pairs:
        row = rows.literal(LinearLiteral(a, b, True))
        assert sum(v * readouts[k] for k, v in row.coefficients) + row.constant == values[a] - values[b]
        vector, constant = rows.floats(row)
        assert float(vector @ np.array([float(v) for v in readouts])) + constant == pytest.approx(
            float(values[a] - values[b])
        )
    literals = [LinearLiteral(a, b, False) for a, b in pairs[:3]]
    whole = rows.combined(literals, ((0, 2), (1, 3), (2, 6)))
    exact = sum(m * (values[a] - values[b]) for m, (a, b) in zip((2, 3, 6), pairs, strict=False))
    got = sum(v * readouts[k] for k, v in whole.coefficients) + whole.constant
    assert got * exact > 0 or got == exact == 0
    assert all(v for _, v in whole.coefficients)
    groups = rows.compared()
    assert [len(group) for group in groups] == [3] + [3] * (own is not None) + [2] * (3 if presence else 0)
    numbers = np.array([float(v) for v in readouts])
    assert (groups[0] @ numbers - groups[0][0] @ numbers).tolist() == pytest.approx([0.0, 4.0, -32.0])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    st.integers(-5, 5),
    st.integers(-5, 5),
    st.sampled_from([1, 1 << 40]),
)
def test_integer_rows_are_compared_at_centres_exactly(numbers: list[float], first: int, second: int, lift: int) -> None:
    centres = Centres.of(np.array(numbers).reshape(2, 2))
    unit = 2.0**-centres.shift
    assert np.abs(centres.floats - np.array(numbers).reshape(2, 2)).max() <= unit / 2
    assert np.abs(centres.integers).max() < 1 << 44
    largest = max(map(abs, numbers))
    assert (centres.shift == 59) if largest <= 2.0**-16 else (np.abs(centres.integers).max() >= 1 << 43)
    row = IntegerRow(((0, first * lift), (1, second * lift)), 3)
    for image in range(2):
        exact = sum(v * int(centres.integers[image, k]) for k, v in row.coefficients) + (3 << centres.shift)
        for limit, expected in ((exact - 1, False), (exact, True), (exact + 1, True)):
            assert centres.at_most(row, np.array([image]), limit).tolist() == [expected]
    assert centres.taken(np.array([1])).integers.tolist() == [centres.integers[1].tolist()]
    assert len(centres) == 2


def test_the_radius_is_the_order_statistic_of_all_pictures() -> None:
    sizes = np.arange(1.0, 13.0).reshape(4, 3)
    # ceil(share * 5 * 3): the 6th for 2/5, the 12th for 4/5, none for more; a hair more than the size itself.
    for share, rank in ((Fraction(2, 5), 6), (Fraction(4, 5), 12), (Fraction(1, 15), 1), (Fraction(37, 100), 6)):
        radius = conformal_radius(sizes, share)
        assert radius is not None
        assert rank < radius <= Fraction(rank) * (1 + Fraction(2, 10**9))
        assert radius > Fraction(rank) * (1 + Fraction(9, 10**10))
    assert conformal_radius(sizes, Fraction(13, 15)) is None
    assert conformal_radius(sizes, Fraction(0)) is None
    assert conformal_radius(np.full((4, 3), np.inf), Fraction(1, 2)) is None


def test_factors_are_short_multiples_of_one_power_of_two() -> None:
    factor = np.array([[0.3, -5.1], [1e-9, 7.9]])
    short, unit = _short(factor), 2.0 ** (3 - 44)
    assert np.abs(short - factor).max() <= unit / 2
    assert (short / unit == np.rint(short / unit)).all()
    assert rational_vector([Fraction(1, 2), Fraction(1, 3)]).denominator == 6
