"""The engine's exact arithmetic against plain fractions: forms, what closes a state and how far, cones, ReLU heads, points."""

from collections.abc import Sequence
from fractions import Fraction
from math import inf, isqrt, nextafter
from random import Random
from sys import float_info
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.regions import Box, Ellipsoid, PrincipalBox, Region
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.verification.engine import barrier
from conspect.verification.engine.cones import ConeForms, exact_row, shortened
from conspect.verification.engine.exact import (
    ExactModel,
    ExactRegion,
    exact_map,
    rounded_down,
    supremum_excluded,
)
from conspect.verification.engine.integers import (
    RationalVector,
    combine,
    float_vector,
    rational_vector,
    scaled,
    scaled_rows,
)
from conspect.verification.engine.prover import rounded
from conspect.verification.engine.relu import ReluHead, exact_logits
from conspect.verification.queries.negation import AtomRows, ConeLiteral, LinearLiteral
from tests.checker.handmade import HEAD, LENS, exactly, readings

COARSE_HEAD: Any = [([[1.0, 2.0], [-3.0, 1.0], [0.0, -1.0]], [0.0, 5.0, -2.0])]
REGIONS: dict[str, Region] = {
    "box": Box(np.array([0.5, -3.0]), np.array([2.0, 0.125]), Fraction(1)),
    "pca-box": PrincipalBox(np.array([0.25, 1.0]), np.array([[1.0, 2.0], [-0.5, 3.0]]), Fraction(1)),
    "ellipsoid": Ellipsoid(np.array([4.0, 1.0]), np.array([[1.0, 0.25], [3.0, -1.0]]), Fraction(1)),
}
POINTS = [
    [Fraction(0), Fraction(0)],
    [Fraction(1), Fraction(0)],
    [Fraction(0), Fraction(1)],
    [Fraction(-7, 3), Fraction(5, 9)],
]
ROWS = AtomRows(3, 3, {0: Fraction(1, 4), 1: Fraction(-1, 3)})
STEP = Fraction(1, 2**40)


def lens_of(lens: Any = LENS) -> Lens:
    weight, offset, directions = (np.array(part) for part in lens)
    return Lens(AffineMap(weight, offset), tuple(f"k{k}" for k in range(len(directions))), directions)


def layers_of(head: Any) -> tuple[AffineMap, ...]:
    return tuple(AffineMap(np.array(weight), np.array(offset)) for weight, offset in head)


def model_of(head: Any = HEAD) -> ExactModel:
    (layer,) = layers_of(head)
    return ExactModel.of(layer, 3, lens_of())


def embedded(region: Region, w: Sequence[Fraction]) -> list[Fraction]:
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    return [
        Fraction(c) + sum((Fraction(v) * x for v, x in zip(row, w, strict=True)), Fraction(0))
        for c, row in zip(region.centre.tolist(), factor.tolist(), strict=True)
    ]


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize("head", [HEAD, COARSE_HEAD])
def test_base_forms_are_logits_strengths_and_nought_whichever_is_finer(head: Any) -> None:
    model = model_of(head)
    assert model.logits is not None
    assert model.shift == max(model.logits.shift, model.strengths.shift)
    assert model.logits.shift != model.strengths.shift
    forms = model.base_forms()
    for z in POINTS:
        point = rational_vector(z)
        logits, strengths, _ = readings(z, head)
        unit = point.denominator << model.shift
        assert [Fraction(model.value(k, point), unit) for k in range(7)] == [*logits, *strengths, 0]
        assert [Fraction(forms.value(k, point), point.denominator << forms.shift) for k in range(7)] == [
            *logits,
            *strengths,
            0,
        ]


def test_logits_of_a_head_that_is_not_linear_are_nought_in_the_base_forms() -> None:
    model = ExactModel.of(None, 3, lens_of())
    point = rational_vector(POINTS[3])
    assert [model.value(k, point) for k in range(3)] == [0, 0, 0]
    assert [model.base_forms().value(k, point) for k in range(3)] == [0, 0, 0]
    assert [Fraction(model.value(k, point), point.denominator << model.shift) for k in range(3, 6)] == readings(
        POINTS[3]
    )[1]
    assert model.shift == model.strengths.shift


@pytest.mark.parametrize("shape", list(REGIONS))
@pytest.mark.parametrize("head", [HEAD, COARSE_HEAD])
def test_forms_of_a_region_with_leads_are_those_of_its_embeddings(shape: str, head: Any) -> None:
    rows = AtomRows(3, 3, {}, (Fraction(1, 2), Fraction(2, 3)))
    region = ExactRegion(REGIONS[shape], model_of(head), rows)
    assert len(region.forms.rows) == rows.rows == 13
    for w in POINTS:
        logits, strengths, _ = readings(embedded(REGIONS[shape], w), head)
        expected = [*logits, *strengths, Fraction(0), *[v + lead for lead in rows.leads for v in logits]]
        point = rational_vector(w)
        unit = point.denominator << region.forms.shift
        assert [Fraction(region.forms.value(k, point)) / unit for k in range(13)] == expected
        at = region.frame.point(point)
        assert [Fraction(v, at.denominator) for v in at.integers] == embedded(REGIONS[shape], w)
    for size in (Fraction(1), Fraction(3, 7)):
        for plus in ([True, True], [True, False], [False, True], [False, False]):
            w = [size if up else -size for up in plus]
            logits, strengths, _ = readings(embedded(REGIONS[shape], w), head)
            corner = [
                Fraction(region.forms.at_corner(k, plus, size)) / (size.denominator << region.forms.shift)
                for k in range(6)
            ]
            assert corner == [*logits, *strengths]


def test_a_bar_is_the_threshold_times_the_last_entry_of_what_is_mapped() -> None:
    rows = AtomRows(3, 3, {0: Fraction(1, 4), 1: Fraction(-1, 3)}, (), True)
    region = ExactRegion(REGIONS["box"], model_of(), rows)
    for w in POINTS:
        z = embedded(REGIONS["box"], w)
        last = 2 * z[1] - 1
        point = rational_vector(w)
        unit = point.denominator << region.forms.shift
        bars = [Fraction(region.forms.value(rows.threshold_row(k), point)) / unit for k in range(3)]
        assert bars == [last / 4, -last / 3, 0]


def test_an_affine_map_is_exact_over_the_finer_of_its_denominators() -> None:
    for weight, offset in (([[1.0, 3.0]], [0.25]), ([[0.5, 3.0]], [2.0])):
        forms = exact_map(AffineMap(np.array(weight), np.array(offset)))
        unit = 1 << forms.shift
        assert [[Fraction(v, unit) for v in row] for row in forms.rows] == weight
        assert [Fraction(v, unit) for v in forms.constants] == offset


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=3))
def test_matrices_become_integers_row_by_row(rows: list[list[float]]) -> None:
    whole, shift = scaled_rows(np.array(rows))
    assert [[Fraction(v, 1 << shift) for v in row] for row in whole] == [exactly(row) for row in rows]
    vector = float_vector(np.array(rows[0]))
    assert [Fraction(v, vector.denominator) for v in vector.integers] == exactly(rows[0])
    assert [v * 4 for v in scaled(np.array(rows[0])).integers] == scaled(np.array(rows[0])).at(
        scaled(np.array(rows[0])).shift + 2
    )


@given(st.lists(st.fractions(), max_size=4), st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_vectors_of_fractions_have_one_denominator(values: list[Fraction], weights: list[int]) -> None:
    vector = rational_vector(values)
    assert [Fraction(v, vector.denominator) for v in vector.integers] == values
    assert (
        vector.denominator == np.lcm.reduce([v.denominator for v in values], dtype=object)
        if values
        else vector.denominator == 1
    )
    rows = [[1, 2], [3, -4], [5, 6]]
    assert combine(weights, rows) == [sum(w * row[k] for w, row in zip(weights, rows, strict=True)) for k in range(2)]


# ---------------------------------------------------------------- what closes


# k0 above k1 by 6 at the centre; the difference rises by 3, by 4 and by 5.
PLAIN: Any = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]])
FACTORS: list[tuple[type[Region], Any, int]] = [
    (Box, [2.0, 1.0], 3), (PrincipalBox, [[1.0, 0.0], [2.0, -3.0]], 4), (Ellipsoid, [[3.0, 0.0], [0.0, -4.0]], 5),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "factor", "reach"), FACTORS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_state_closes_up_to_its_tie_with_the_margin_that_the_numbers_give(
    kind: type[Region], factor: Any, *, reach: int, strict: bool
) -> None:
    model = ExactModel.of(AffineMap(np.eye(2), np.zeros(2)), 2, lens_of(PLAIN))
    region = ExactRegion(kind(np.array([7.0, 1.0]), np.array(factor), Fraction(1)), model, AtomRows(2, 2, {}))
    literals = (LinearLiteral(3, 2, strict), LinearLiteral(2, 3, False))
    tie, more = Fraction(6, reach), int(kind is Ellipsoid)
    for size in (Fraction(0), Fraction(1, 3), tie):
        closure = region.closing(literals, ((0, 5),), size)
        if size == tie and not strict:
            assert closure is None
            continue
        assert closure is not None
        # A root of integers is rounded up to the next one, so both come out smaller over ellipsoids.
        assert closure.margin == max(0.0, rounded_down(30 - (5 * reach + more) * size, 5))
        assert closure.carries == rounded_down(30, 5 * reach + more)
    assert region.closing(literals, ((0, 5),), tie + STEP) is None
    # With the opposite literal at half its weight the sum is half as steep, and its margin is a share of both weights.
    both = region.closing(literals, ((0, 4), (1, 2)), Fraction(1, 3))
    assert both is not None
    assert both.margin == pytest.approx(float((12 - Fraction(2 * reach + more, 3)) / 6), rel=1e-12)
    # What cancels proves something only of a strict literal with a weight.
    assert region.closing(literals, ((0, 3), (1, 3)), Fraction(1)) == ((0.0, inf) if strict else None)
    assert region.closing(literals, ((0, 0), (1, 0)), Fraction(1)) is None
    assert region.closing(literals, ((1, 1),), Fraction(1)) is None


@given(
    st.lists(st.integers(-9, 9), min_size=2, max_size=2),
    st.integers(-20, 20),
    st.fractions(0, 3, max_denominator=4),
    st.booleans(),
)
def test_a_supremum_is_excluded_below_nought(slope: list[int], constant: int, size: Fraction, strict: bool) -> None:
    for norm in ("max", "euclid"):
        if norm == "max":
            highest = constant + size * sum(map(abs, slope))
            expected = highest < 0 or (strict and highest == 0)
        else:
            square = size * size * sum(v * v for v in slope)
            expected = constant <= 0 and (square < constant**2 or (strict and square == constant**2))
        assert supremum_excluded(slope, constant, size, norm, strict=strict) == expected
    limits = {1: (Fraction(-1, 3), size)}
    if size >= Fraction(-1, 3):
        highest = constant + size * abs(slope[0]) + max(slope[1] * Fraction(-1, 3), slope[1] * size)
        assert supremum_excluded(slope, constant, size, "max", strict=strict, limits=limits) == (
            highest < 0 or (strict and highest == 0)
        )


@given(st.fractions() | st.integers(-(10**30), 10**30), st.fractions(min_value=Fraction(1, 10**9)))
def test_quotients_are_rounded_down_to_the_next_float(numerator: Fraction, denominator: Fraction) -> None:
    below = rounded_down(numerator, denominator)
    assert Fraction(below) <= Fraction(numerator) / denominator < Fraction(nextafter(below, inf))


def test_quotients_beyond_floats_are_the_largest_float_or_minus_infinity() -> None:
    assert rounded_down(10**400, 1) == float_info.max
    assert rounded_down(-(10**400), 1) == -inf
    assert rounded_down(0, 10**400) == 0.0
    assert rounded_down(-1, 10**400) == nextafter(0.0, -inf)


# ---------------------------------------------------------------- what lies inside


@pytest.mark.parametrize(
    ("shape", "w", "size"),
    [
        ("box", [Fraction(3, 7), Fraction(-1, 9)], Fraction(3, 7)), ("pca-box", [Fraction(-2), Fraction(1, 3)], Fraction(2)),
        ("ellipsoid", [Fraction(3, 5), Fraction(-4, 5)], Fraction(1)),
        ("ellipsoid", [Fraction(-15, 13), Fraction(36, 13)], Fraction(3)),
    ],
)  # fmt: skip
def test_coordinates_lie_inside_up_to_the_edge_and_their_size_is_rounded_up(
    shape: str, w: list[Fraction], size: Fraction
) -> None:
    region = ExactRegion(REGIONS[shape], model_of(), ROWS)
    point = rational_vector(w)
    assert [region.has_coordinates(point, size * scale) for scale in (1 - STEP, Fraction(1), 1 + STEP)] == [
        False,
        True,
        True,
    ]
    above = region.size_above(False, point)
    assert size <= Fraction(above)
    if REGIONS[shape].norm == "max":
        assert above == -rounded_down(-size, 1)
    else:
        assert Fraction(above) <= size + Fraction(2, point.denominator)


@pytest.mark.parametrize(
    "w", [[Fraction(3, 4), Fraction(-1, 8)], [Fraction(1, 3), Fraction(-2, 3)], [Fraction(0), Fraction(0)]]
)
def test_an_embedding_lies_in_a_box_up_to_its_edge(w: list[Fraction]) -> None:
    region = ExactRegion(REGIONS["box"], model_of(), ROWS)
    point = rational_vector(embedded(REGIONS["box"], w))
    size = max(abs(v) for v in w)
    assert region.has_embedding(point, size)
    assert region.has_embedding(point, size + STEP)
    if size:
        assert not region.has_embedding(point, size * (1 - STEP))
        mirrored = rational_vector(embedded(REGIONS["box"], [-v for v in w]))
        assert [region.has_embedding(mirrored, size * scale) for scale in (1 - STEP, Fraction(1))] == [False, True]
    assert region.size_above(True, point) == -rounded_down(-size, 1)


def test_a_flat_axis_of_a_box_has_no_share_in_the_size() -> None:
    flat = ExactRegion(Box(np.array([0.5, -3.0]), np.array([2.0, 0.0]), Fraction(1)), model_of(), ROWS)
    point = RationalVector([5, -12], 4)
    assert flat.size_above(True, point) == 0.375
    assert flat.has_embedding(point, Fraction(3, 8))
    assert not flat.has_embedding(RationalVector([5, -11], 4), Fraction(9))


# ---------------------------------------------------------------- cones

CONE_LENS: Any = ([[0.5, 0.0], [0.0, 0.25]], [0.25, 0.0], [[0.5, 0.125], [-0.5, 1.0]])
CONE_HEAD: Any = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
CONE_REGIONS: dict[str, Region] = {
    "box": Box(np.array([0.75, -2.0]), np.array([1.5, 3.0]), Fraction(1)),
    "pca-box": PrincipalBox(np.array([0.75, -2.0]), np.array([[1.5, 0.5], [1.0, 3.0]]), Fraction(1)),
    "ellipsoid": Ellipsoid(np.array([0.75, -2.0]), np.array([[1.5, 0.5], [1.0, 3.0]]), Fraction(1)),
}
GRID = [[Fraction(a, 4), Fraction(b, 4)] for a in range(-4, 5) for b in range(-4, 5)]
SPARSE = GRID[::6]


def cone_parts(shape: str, limit: Fraction) -> tuple[ExactRegion, ConeForms, Any]:
    (layer,) = layers_of(CONE_HEAD)
    lens = lens_of(CONE_LENS)
    thresholds = {0: limit, 1: limit}
    region = ExactRegion(CONE_REGIONS[shape], ExactModel.of(layer, 2, lens), AtomRows(2, 2, thresholds))
    mapped = region.model.mapped.seen_from(region.frame)
    factor = CONE_REGIONS[shape].factor
    weight = lens.alignment.weight @ (factor if factor.ndim == 2 else np.diag(factor))
    y = lens.alignment(CONE_REGIONS[shape].centre[None, :])[0]
    forms = ConeForms(weight, y, lens.directions @ weight, lens.directions @ y, thresholds)
    return region, forms, mapped


def y_of(z: Sequence[Fraction]) -> list[Fraction]:
    return [z[0] / 2 + Fraction(1, 4), z[1] / 4]


@pytest.mark.parametrize("shape", list(CONE_REGIONS))
@pytest.mark.parametrize("limit", [Fraction(1, 3), Fraction(-2, 5)])
@pytest.mark.parametrize("concept", [0, 1])
def test_cuts_of_vectors_are_what_they_should_be_exactly_and_in_floats(
    shape: str, limit: Fraction, concept: int
) -> None:
    region, forms, mapped = cone_parts(shape, limit)
    wanted = limit > 0
    literal, sign = ConeLiteral(concept, wanted), 1 if wanted else -1
    assert forms.is_convex(literal)
    assert not forms.is_convex(ConeLiteral(concept, not wanted))
    for p in ([0.6, 0.75], [1.0, 0.0], [-0.5, 0.25]):
        vector = np.array(p)
        slope, constant = exact_row(region, mapped, literal, vector, size=Fraction(1), limits={}, threshold=limit)
        cut, inner = forms.cut(literal, vector), forms.inner(literal, vector)
        for w in SPARSE:
            z = embedded(CONE_REGIONS[shape], w)
            strength, along = (
                readings(z, CONE_HEAD, CONE_LENS)[1][concept],
                sum(Fraction(a) * b for a, b in zip(p, y_of(z), strict=True)),
            )
            above, below = sign * strength - abs(limit) * along, sign * strength + abs(limit) * along
            value = (sum(a * b for a, b in zip(slope, w, strict=True)) + constant) / (1 << region.forms.shift)
            assert value == above
            u = np.array([float(v) for v in w])
            assert float(cut[0] @ u + cut[1]) == pytest.approx(float(above), abs=1e-12)
            assert float(inner[0] @ u + inner[1]) == pytest.approx(float(below), abs=1e-12)
            assert forms.mapped(u) == pytest.approx([float(v) for v in y_of(z)], abs=1e-12)


@pytest.mark.parametrize(
    ("shape", "narrow"), [("box", False), ("box", True), ("pca-box", False), ("pca-box", True), ("ellipsoid", False)]
)
@pytest.mark.parametrize("limit", [Fraction(1, 3), Fraction(-2, 5)])
def test_chords_are_what_they_should_be_exactly_and_in_floats(shape: str, narrow: bool, limit: Fraction) -> None:
    region, forms, mapped = cone_parts(shape, limit)
    wanted, size, s = limit < 0, Fraction(2, 3), Fraction(5, 7)
    literal, sign = ConeLiteral(1, wanted), 1 if wanted else -1
    limits = {1: (Fraction(-1, 2), Fraction(1, 4))} if narrow else {}
    slope, constant = exact_row(region, mapped, literal, s, size=size, limits=limits, threshold=limit)
    sides = [limits.get(axis, (-size, size)) for axis in range(2)]
    factor = CONE_REGIONS[shape].factor
    rows = (factor if factor.ndim == 2 else np.diag(factor)).tolist()
    reached, scale, shift = [], [Fraction(1, 2), Fraction(1, 4)], [Fraction(1, 4), Fraction(0)]
    for e in range(2):
        along = [scale[e] * Fraction(v) for v in rows[e]]
        middle = scale[e] * Fraction(CONE_REGIONS[shape].centre[e]) + shift[e]
        if shape == "ellipsoid":
            unit = 1 << mapped.shift
            wide = size * Fraction(isqrt(int(sum(v * v for v in along) * unit**2)) + 1, unit)
            reached.append((middle - wide, middle + wide))
        else:
            corners = [along[0] * a + along[1] * b for a in sides[0] for b in sides[1]]
            reached.append((middle + min(corners), middle + max(corners)))
    low, high = (np.array([float(pair[end]) for pair in sides]) for end in (0, 1))
    floats = forms.chord(literal, float(s), low, high)
    for w in SPARSE:
        z = embedded(CONE_REGIONS[shape], w)
        chords = sum((a + b) * v - a * b for v, (a, b) in zip(y_of(z), reached, strict=True))
        expected = sign * readings(z, CONE_HEAD, CONE_LENS)[1][1] + abs(limit) * (chords + s * s) / (2 * s)
        value = (sum(a * b for a, b in zip(slope, w, strict=True)) + constant) / (1 << region.forms.shift)
        assert value == expected
        if shape != "ellipsoid":
            assert float(floats[0] @ np.array([float(v) for v in w]) + floats[1]) == pytest.approx(
                float(expected), abs=1e-12
            )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4))
def test_a_shortened_vector_points_the_same_way_and_is_no_longer_than_one(values: list[float]) -> None:
    short = shortened(np.array(values))
    assert sum(Fraction(v) ** 2 for v in short.tolist()) <= 1
    norm = float(np.linalg.norm(values))
    expected = np.array(values) / max(norm, 1.0)
    assert np.abs(short - expected).max() <= 2.0**-43
    assert all(v * 2.0**48 == int(v * 2.0**48) for v in short.tolist())


# ---------------------------------------------------------------- ReLU heads

DEEP: Any = [
    ([[1.0, -0.5], [0.25, 1.0], [-1.0, 2.0]], [0.5, -0.125, 0.25]),
    ([[1.0, 0.5, -1.0], [-2.0, 1.0, 0.5]], [0.125, 0.5]),
    ([[1.0, 0.25], [-0.5, 1.0], [0.5, -2.0]], [0.25, 0.0, -1.0]),
]
DEEP_REGIONS: dict[str, Region] = {
    "box": Box(np.array([0.25, -0.5]), np.array([0.75, 0.5]), Fraction(1)),
    "ellipsoid": Ellipsoid(np.array([0.25, -0.5]), np.array([[0.75, 0.25], [0.0, 0.5]]), Fraction(1)),
}


def relu_of(shape: str, size: Fraction) -> ReluHead:
    head = Head(layers_of(DEEP))
    region = ExactRegion(DEEP_REGIONS[shape], ExactModel.of(None, 3, lens_of()), ROWS)
    return ReluHead(head, region, size)


def bounds_of(size: Fraction) -> list[list[tuple[Fraction, Fraction]]]:
    box = DEEP_REGIONS["box"]
    ends = [
        (Fraction(c) - size * Fraction(s), Fraction(c) + size * Fraction(s))
        for c, s in zip(box.centre, box.factor, strict=True)
    ]
    layers = []
    for depth, (weight, offset) in enumerate(DEEP[:-1]):
        inner = [(max(a, Fraction(0)), max(b, Fraction(0))) for a, b in ends] if depth else ends
        ends = []
        for row, constant in zip(weight, offset, strict=True):
            low = sum(
                (Fraction(v) * (a if v > 0 else b) for v, (a, b) in zip(row, inner, strict=True)), Fraction(constant)
            )
            high = sum(
                (Fraction(v) * (b if v > 0 else a) for v, (a, b) in zip(row, inner, strict=True)), Fraction(constant)
            )
            ends.append((low, high))
        layers.append(ends)
    return layers


def backwards(weights: Any, slopes: Any, size: Fraction, phases: Any, last: int = 2) -> tuple[list[Fraction], Fraction]:
    """CROWN through the layers up to `last`, in fractions: a form in z."""
    bounds = bounds_of(size)
    outer, constant = list(weights), Fraction(0)
    for depth in range(last, -1, -1):
        weight, offset = DEEP[depth]
        constant += sum((v * Fraction(b) for v, b in zip(outer, offset, strict=True)), Fraction(0))
        inner = [
            sum((v * Fraction(row[k]) for v, row in zip(outer, weight, strict=True)), Fraction(0))
            for k in range(len(weight[0]))
        ]
        if depth == 0:
            return inner, constant
        outer = []
        for neuron, number in enumerate(inner):
            key = depth - 1, neuron
            low, high = bounds[depth - 1][neuron]
            slope = slopes(key) if callable(slopes) else slopes.get(key, Fraction(0))
            if phases.get(key, low >= 0):
                outer.append(number + (0 if callable(slopes) else slope))
            elif key in phases or high <= 0:
                outer.append(Fraction(0) if callable(slopes) else -slope)
            elif number > 0:
                outer.append(number * high / (high - low))
                constant -= number * high / (high - low) * low
            else:
                outer.append(number * slope)
    raise AssertionError


def test_logits_that_are_not_named_have_no_weight() -> None:
    relu = relu_of("box", Fraction(1, 3))
    for named in ({0: 2}, {1: -3, 2: 3}):
        whole = {k: named.get(k, 0) for k in range(3)}
        assert relu.exact_row(named, {}, {}) == relu.exact_row(whole, {}, {})


@pytest.mark.parametrize("size", [Fraction(1), Fraction(1, 3), Fraction(2)])
def test_neurons_are_bounded_by_interval_arithmetic(size: Fraction) -> None:
    relu, expected = relu_of("box", size), bounds_of(size)
    assert relu.bounds == expected
    keys = [(d, k) for d, layer in enumerate(expected) for k, (low, high) in enumerate(layer) if low < 0 < high]
    assert relu.unstable({}) == keys
    assert relu.unstable(dict.fromkeys(keys[:1], True)) == keys[1:]
    for d, layer in enumerate(expected):
        assert relu.low[d].tolist() == [float(low) for low, _ in layer]
        assert relu.high[d].tolist() == [float(high) for _, high in layer]
        assert relu.lower_slopes(d).tolist() == [float(high > -low) for low, high in layer]


def test_neurons_over_an_ellipsoid_are_bounded_by_the_next_whole_root() -> None:
    region, size = DEEP_REGIONS["ellipsoid"], Fraction(2, 3)
    relu = relu_of("ellipsoid", size)
    assert len(relu.bounds[0]) == 3
    for (low, high), (row, constant) in zip(relu.bounds[0], zip(*DEEP[0], strict=True), strict=True):
        middle = sum(Fraction(v) * Fraction(c) for v, c in zip(row, region.centre.tolist(), strict=True)) + Fraction(
            constant
        )
        slope = [sum(Fraction(row[k]) * Fraction(region.factor[k, axis]) for k in range(2)) for axis in range(2)]
        wide = (high - low) / 2
        assert (low + high) / 2 == middle
        unit = 1 << relu.layers[0].seen_from(relu.region.frame).shift
        assert wide == size * Fraction(isqrt(int(sum(v * v for v in slope) * unit**2)) + 1, unit)


@pytest.mark.parametrize("seed", range(16))
def test_backward_bounds_are_crown_s_exactly_and_in_floats(seed: int) -> None:
    random = Random(seed)
    size = Fraction(random.choice((1, 2)), random.choice((1, 3)))
    relu = relu_of("box", size)
    weights = {k: random.randint(-3, 3) for k in range(3)}
    keys = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    phases = {key: random.random() < 0.5 for key in relu.unstable({}) if random.random() < 0.4}
    slopes = {key: Fraction(random.randint(0, 4), 4) for key in keys if random.random() < 0.7}
    row, constant = relu.exact_row(weights, phases, slopes)
    whole = [Fraction(weights[k]) for k in range(3)]
    expected, start = backwards(whole, slopes, size, phases)
    box, unit = DEEP_REGIONS["box"], 1 << relu.region.forms.shift
    for w in SPARSE:
        form = sum((a * b for a, b in zip(expected, embedded(box, w), strict=True)), start)
        assert (sum((a * b for a, b in zip(row, w, strict=True)), Fraction(0)) + constant) / unit == form
    lower = {
        (d, k): Fraction(high > -low) for d, layer in enumerate(bounds_of(size)) for k, (low, high) in enumerate(layer)
    }
    slope, offset = relu.relaxed(np.array([float(v) for v in whole]), phases)
    expected, start = backwards(whole, lower.__getitem__, size, phases)
    assert slope == pytest.approx([float(v) for v in expected], abs=1e-12)
    assert offset == pytest.approx(float(start), abs=1e-12)
    neuron = [Fraction(0), Fraction(random.choice((1, -1)))]
    slope, offset = relu.relaxed(np.array([float(v) for v in neuron]), phases, 1)
    expected, start = backwards(neuron, lower.__getitem__, size, phases, 1)
    assert slope == pytest.approx([float(v) for v in expected], abs=1e-12)
    assert offset == pytest.approx(float(start), abs=1e-12)


def test_logits_behind_layers_are_those_of_fractions() -> None:
    for z in POINTS:
        assert exact_logits(Head(layers_of(DEEP)), z) == relu_of("box", Fraction(1)).logits(z) == readings(z, DEEP)[0]


# ---------------------------------------------------------------- the barrier method


@pytest.mark.parametrize("norm", ["max", "euclid"])
def test_the_inner_point_is_the_one_where_its_gradient_vanishes(norm: Any) -> None:
    v = np.array([[0.3, -1.2, 0.0], [2.0, 0.5, -0.25]])
    mu = np.array([0.1, 0.7])
    root, u = barrier._inner(v, mu, norm)
    # v - 2 mu u / (1 - |u|^2) is 0, axis by axis for boxes.
    square = u**2 if norm == "max" else np.square(u).sum(axis=1, keepdims=True)
    assert v == pytest.approx(2 * mu[:, None] * u / (1 - square), abs=1e-12)
    assert root == pytest.approx(
        np.sqrt(mu[:, None] ** 2 + (v**2 if norm == "max" else np.square(v).sum(axis=1, keepdims=True)))
    )
    logs = np.log(1 - square).sum(axis=1)
    assert barrier._smoothed_norm(v, mu, norm) == pytest.approx((v * u).sum(axis=1) + mu * logs, abs=1e-12)


def dual(A: Any, b: Any, weights: Any, mu: float, norm: Any) -> float:
    value = weights @ b - mu * np.log(weights).sum()
    return float(value + barrier._smoothed_norm((weights @ A)[None], np.array([mu]), norm)[0])


@pytest.mark.parametrize("norm", ["max", "euclid"])
def test_the_newton_direction_is_that_of_differences(norm: Any) -> None:
    """On the simplex, from gradient and Hessian by central differences."""
    rng = np.random.default_rng(3)
    A, b, mu = rng.normal(size=(4, 3)), rng.normal(size=4), 0.3
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    v = (weights @ A)[None]
    root, u = barrier._inner(v, np.array([mu]), norm)
    values = b + A @ u[0]
    relative, decrement = barrier._newton(A[None], weights[None], values[None], (v, root, np.array([mu])), norm)
    step, eye = 1e-4, np.eye(4)
    f = lambda x: dual(A, b, x, mu, norm)  # noqa: E731
    gradient = np.array([(f(weights + step * e) - f(weights - step * e)) / (2 * step) for e in eye])
    hessian = np.array([
        [(f(weights + step * (a + c)) - f(weights + step * (a - c)) - f(weights - step * (a - c)) + f(weights - step * (a + c)))
         / (4 * step**2) for c in eye]
        for a in eye
    ])  # fmt: skip
    system = np.block([[hessian, np.ones((4, 1))], [np.ones((1, 4)), np.zeros((1, 1))]])
    direction = np.linalg.solve(system, np.append(-gradient, 0.0))[:4]
    assert relative[0] * weights == pytest.approx(direction, rel=1e-3, abs=1e-5)
    assert decrement[0] == pytest.approx(np.sqrt(direction @ hessian @ direction / mu), rel=1e-3)
    moved = barrier._step(A[None], b[None], weights[None], relative, smoothing=np.array([mu]), norm=norm)[0]
    longest = 0.95 / max(-relative[0].min(), 0.95)
    tried = [weights * (1 + fraction * longest * relative[0]) for fraction in barrier.FRACTIONS]
    best = min(tried, key=f)
    assert moved == pytest.approx(best / best.sum(), abs=1e-12)


def alone(slopes: Any, offsets: Any, norm: Any, *, steps: int, tight: bool, tolerance: float) -> Any:
    """One question `slopes [L, D]`, `offsets [L]`, step by step: its status, enclosure, multipliers and point."""
    lengths = np.abs(slopes).sum(axis=1) if norm == "max" else np.linalg.norm(slopes, axis=1)
    scale = float(np.maximum(np.abs(offsets), lengths).max()) or 1.0
    A, b = slopes / scale, offsets / scale
    weights, mu = np.full(len(offsets), 1 / len(offsets)), 0.1
    status, low, high = barrier.OPEN, -np.inf, np.inf
    multipliers, point = weights, np.zeros(slopes.shape[1])
    for _ in range(steps):
        v = weights @ A
        root, u = barrier._inner(v[None], np.array([mu]), norm)
        values = b + A @ u[0]
        reach = np.abs(v).sum() if norm == "max" else np.linalg.norm(v)
        worst, bound = values.min() * scale, (weights @ b + reach) * scale
        if worst > low:
            low, point = worst, u[0]
        if bound < high:
            high, multipliers = bound, weights
        if high < -tolerance * scale:
            status = barrier.CLOSED
        if low > tolerance * scale:
            status = barrier.POINT
        relative, decrement = barrier._newton(
            A[None], weights[None], values[None], (v[None], root, np.array([mu])), norm
        )
        weights = barrier._step(A[None], b[None], weights[None], relative, smoothing=np.array([mu]), norm=norm)[0]
        if decrement[0] < 0.1:
            mu *= 0.1
        if (status != barrier.OPEN and not tight) or high - low <= tolerance * scale:
            break
        if mu <= (1e-6 if tight else 1e-9):
            break
    return status, low, high, multipliers, point


@pytest.mark.parametrize("norm", ["max", "euclid"])
@pytest.mark.parametrize("tight", [False, True])
def test_many_questions_are_answered_as_each_alone(norm: Any, tight: bool) -> None:
    rng = np.random.default_rng(7)
    slopes, offsets = rng.normal(size=(12, 3, 2)), 0.7 * rng.normal(size=(12, 3))
    slopes[1], offsets[1] = [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], [0.0, 0.0, 1.0]  # a tie
    slopes[2], offsets[2] = 0.0, 0.0
    slopes[3], offsets[3] = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [1e-10, 1e-10, 1.0]  # within the tolerance of one
    slopes[4] *= 1e6
    offsets[4] *= 1e6
    slopes[5], offsets[5] = 1e6 * slopes[3], 1e6 * offsets[3]
    slopes[6], offsets[6] = slopes[5], [-1e-4, -1e-4, 1e6]
    # The tolerance is of the scale, a hundred thousandth here: these are no ties.
    slopes[7:9] = 1e-5 * slopes[3]
    offsets[7], offsets[8] = [1e-10, 1e-10, 1e-5], [-1e-10, -1e-10, 1e-5]
    seen = set()
    for steps in (1, 2, 5, 100):
        answers = barrier.answer(slopes, offsets, norm, steps=steps, tolerance=1e-9, tight=tight)
        for k in range(12):
            status, low, high, multipliers, point = alone(
                slopes[k], offsets[k], norm, steps=steps, tight=tight, tolerance=1e-9
            )
            assert answers.status[k] == status
            assert [answers.lower[k], answers.upper[k]] == pytest.approx([low, high], rel=1e-6, abs=1e-8)
            assert answers.multipliers[k] == pytest.approx(multipliers, abs=1e-6)
            assert answers.points[k] == pytest.approx(point, abs=1e-6)
            seen.add(status)
    assert seen == {barrier.OPEN, barrier.CLOSED, barrier.POINT}
    assert answers.status[7:9].tolist() == [barrier.POINT, barrier.CLOSED]
    # Fractions of a step, the whole one first: more than that could leave the simplex.
    assert barrier.FRACTIONS == tuple(sorted(barrier.FRACTIONS, reverse=True)) == (1.0, 0.5, 0.2, 0.07, 0.02)
    usual = barrier.answer(slopes, offsets, norm)
    asked = barrier.answer(slopes, offsets, norm, steps=100, tolerance=1e-9, tight=False)
    assert (usual.lower == asked.lower).all()
    assert (usual.upper == asked.upper).all()
    nothing = barrier.answer(np.zeros((0, 3, 2)), np.zeros((0, 3)), norm)
    assert nothing.status.shape == (0,)


def test_floats_are_made_whole_in_proportion_to_the_largest() -> None:
    assert rounded({4: 0.25}, 20) == ((4, 1),)
    assert rounded({0: 0.5, 3: 0.25, 7: 1e-30}, 4) == ((0, 16), (3, 8))
    assert rounded({0: 1.0, 1: 3.0}, 20) == ((0, round(2**20 / 3)), (1, 2**20))
