"""Affine forms of the checker, each against the same in fractions: rows of head and lens, readouts, regions, their inverses."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt, lcm
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.checker import check
from tests.checker.handmade import BOX, HEAD, THRESHOLDS, body_of, encoded_region, joint, readings

# Logits over finer and over coarser powers of two than strengths.
COARSE_HEAD = [([[1.0, 2.0], [-3.0, 1.0], [0.0, -1.0]], [0.0, 5.0, -2.0])]
DEEP_HEAD = [([[1.0, -0.5], [0.25, 1.0]], [0.5, -0.125]), ([[1.0, 0.5], [-2.0, 1.0], [0.25, 0.0]], [0.0, 0.5, 1.0])]
POINTS = [
    [Fraction(0), Fraction(0)],
    [Fraction(1), Fraction(0)],
    [Fraction(0), Fraction(1)],
    [Fraction(-7, 3), Fraction(5, 9)],
]
REGIONS: dict[str, Any] = {
    "box": BOX | {"centre": [0.5, -3.0], "factor": [2.0, 0.125]},
    "pca-box": {"shape": "pca-box", "centre": [0.25, 1.0], "factor": [[1.0, 2.0], [-0.5, 3.0]], "reads": None},
    "ellipsoid": {"shape": "ellipsoid", "centre": [4.0, 1.0], "factor": [[1.0, 0.25], [3.0, -1.0]], "reads": None},
    "segment": {"shape": "segment", "centre": [4.0, 1.5], "factor": [[0.5], [-3.0]], "reads": None},
}
Weights = dict[int, Fraction]


def model_of(**changes: Any) -> check.Model:
    return check.Model(body_of(**changes), check.Budget())


def region_of(region: dict[str, Any], model: check.Model) -> Any:
    return check.read_region(encoded_region(region), model)


def at(form: tuple[Sequence[int], int], point: Sequence[Fraction], unit: int) -> Fraction:
    """A form over a denominator, at a point."""
    slope, constant = form
    return (sum((v * x for v, x in zip(slope, point, strict=True)), Fraction(0)) + constant) / unit


@pytest.mark.parametrize("head", [HEAD, COARSE_HEAD])
def test_rows_of_the_model_are_its_logits_and_strengths(head: Any) -> None:
    model = model_of(head=head)
    for z in POINTS:
        logits, strengths, _ = readings(z, head)
        rows = [at(model.row(k), z, 2**model.shift) for k in range(model.zero + 1)]
        assert rows == [*logits, *strengths, Fraction(0)]
    with pytest.raises(check.Refused, match="only regions of readouts have such a row"):
        model.row(model.zero + 1)
    assert (model.zero, model.bar(0), model.bar(2)) == (6, 8, 10)
    assert model.linear


def test_a_row_is_made_once_and_its_memory_counted() -> None:
    model = model_of()
    before = model.budget.left
    first = model.row(4)
    assert before - model.budget.left == 2 * (40 + (model.shift + 64) // 7)
    assert model.row(4) is first
    assert before - model.budget.left == 2 * (40 + (model.shift + 64) // 7)


def test_logits_of_a_head_with_layers_are_no_rows_but_strengths_are() -> None:
    model = model_of(head=DEEP_HEAD)
    assert not model.linear
    for z in POINTS:
        assert [at(model.row(k), z, 2**model.shift) for k in range(3, 6)] == readings(z)[1]
    with pytest.raises(check.Refused, match="is not linear"):
        model.row(0)


@pytest.mark.parametrize("presence", [False, True])
@pytest.mark.parametrize("own", [None, 0, 1, 2])
def test_readouts_are_differences_and_rows_read_them_again(own: int | None, presence: bool) -> None:
    model = model_of()
    reads = check.Readouts.read(joint(own, presence), model)
    assert reads.record() == joint(own, presence)
    logits, strengths, length = (
        [Fraction(5), Fraction(7), Fraction(-11)],
        [Fraction(13), Fraction(17), Fraction(-19)],
        Fraction(23),
    )
    values = reads.values(dict(enumerate([*logits, *strengths])), length, model)
    expected = [] if own is None else [v - logits[own] for k, v in enumerate(logits) if k != own]
    expected += [*strengths, length] if presence else [v - strengths[0] for v in strengths[1:]]
    assert values == expected
    assert len(values) == reads.dimension(model)
    base = Fraction(0) if presence else strengths[0]
    for k, strength in enumerate(strengths):
        assert at(reads.row(3 + k, model), values, 1) == strength - base
    for k in range(3):
        if own is None:
            with pytest.raises(check.Refused, match="does not read logits"):
                reads.row(k, model)
        else:
            assert at(reads.row(k, model), values, 1) == logits[k] - logits[own]
    with pytest.raises(check.Refused, match="the region does not read this"):
        reads.row(model.zero, model)
    if presence:
        assert at(reads.row(model.zero + 1, model), values, 1) == length
    else:
        with pytest.raises(check.Refused, match="the region does not read this"):
            reads.row(model.zero + 1, model)


@pytest.mark.parametrize(
    ("concepts", "form", "why"),
    [
        ([0, 0], "each", "not in order, each once"), ([1, 0], "each", "not in order, each once"),
        ([3], "each", "a concept that is read is not an integer from 0 to 2"), ([-1], "each", "a concept that is read"),
        ([0, 1, 2, 2], "each", "of more concepts than there are"), ({}, "each", "of more concepts than there are"),
        ([0], "all", "how strengths are read"), ([], "relative", "readouts of no strengths"),
        ([], "length", "readouts of no strengths"),
        ([], "each", None), ([0, 2], "relative", None), ([0, 1, 2], "length", None),
    ],
)  # fmt: skip
def test_readouts_name_concepts_in_order_each_once_and_how_they_are_read(
    concepts: Any, form: str, why: str | None
) -> None:
    value = {"class": None, "concepts": concepts, "strengths": form}
    if why is None:
        assert check.Readouts.read(value, model_of()).record() == value
    else:
        with pytest.raises(check.Refused, match=why):
            check.Readouts.read(value, model_of())


@pytest.mark.parametrize(
    "value",
    [joint(3, False), joint(-1, False), joint(None, False) | {"strengths": 0},
     joint(True, True),
     joint(1.0, False), {"class": None}, None],
)  # fmt: skip
def test_readouts_of_no_class_or_of_no_kind_are_refused(value: object) -> None:
    with pytest.raises(check.Refused):
        check.Readouts.read(value, model_of())


def embedded(region: dict[str, Any], w: Sequence[Fraction]) -> list[Fraction]:
    """centre + factor w in fractions."""
    factor = region["factor"]
    if region["shape"] == "box":
        offset = [Fraction(s) * x for s, x in zip(factor, w, strict=True)]
    else:
        offset = [sum((Fraction(v) * x for v, x in zip(row, w, strict=True)), Fraction(0)) for row in factor]
    return [Fraction(c) + o for c, o in zip(region["centre"], offset, strict=True)]


@pytest.mark.parametrize("head", [HEAD, COARSE_HEAD])
@pytest.mark.parametrize("shape", list(REGIONS))
def test_rows_seen_from_a_region_are_those_of_its_embeddings(shape: str, head: Any) -> None:
    model, value = model_of(head=head), REGIONS[shape]
    region = region_of(value, model)
    assert region.norm == ("euclid" if shape == "ellipsoid" else "max")
    assert (region.linear, region.reads) == (True, None)
    for point in POINTS:
        w = point[: region.dimension]
        logits, strengths, squared = readings(embedded(value, w), head)
        assert [at(region.row(k), w, 2**region.exponent) for k in range(6)] == [*logits, *strengths]
        y = [at(form, w, 2 ** (model.mapped.shift + region.shift)) for form in region.mapped]
        assert sum(v * v for v in y) == squared
        below = 9
        numbers, denominator = region.embedding([int(v * below) for v in w], below)
        assert [Fraction(v, denominator) for v in numbers] == embedded(value, w)
    assert region.row(4) is region.row(4)


def test_a_region_of_readouts_is_linear_whatever_the_head() -> None:
    for head, linear in ((HEAD, True), (DEEP_HEAD, True)):
        model = model_of(head=head)
        factor = [[2.0 * (i == k) for k in range(4)] for i in range(4)]
        span = {"shape": "span", "centre": [0.5, 1.0, -2.0, 0.25], "factor": factor,
                "reads": joint(1, False)}  # fmt: skip
        region = region_of(span, model)
        assert (region.linear, region.norm, region.dimension) == (linear, "euclid", 4)
        # Readouts at w: logits 0 and 2 above logit 1, then strengths 1 and 2 above strength 0.
        w = [Fraction(k, 3) for k in (1, -2, 4, 5)]
        values = embedded(span, w)
        assert [at(region.row(k), w, 2**region.exponent) for k in range(6)] == [
            values[0],
            0,
            values[1],
            0,
            values[2],
            values[3],
        ]
    box = region_of(REGIONS["box"], model_of(head=DEEP_HEAD))
    assert not box.linear


@pytest.mark.parametrize("shape", ["box", "pca-box", "ellipsoid"])
def test_the_reach_of_a_sum_is_its_largest_rise_over_the_region(shape: str) -> None:
    model = model_of()
    region = region_of(REGIONS[shape], model)
    weights = ((0, Fraction(2, 3)), (1, Fraction(-1)), (4, Fraction(5)))
    rise, constant, common = region.reach(weights)
    unit = common * 2**region.exponent

    def total(w: Sequence[Fraction]) -> Fraction:
        return sum((weight * at(region.row(row), w, 2**region.exponent) for row, weight in weights), Fraction(0))

    middle = total([Fraction(0)] * 2)
    slope = [total([Fraction(k == axis) for k in range(2)]) - middle for axis in range(2)]
    assert Fraction(constant, unit) == middle
    if shape == "ellipsoid":
        assert Fraction(rise, unit**2) == sum(v * v for v in slope)
    else:
        assert Fraction(rise, unit) == sum(abs(v) for v in slope)


@given(st.integers(0, 10**40))
def test_the_root_is_the_first_integer_above(number: int) -> None:
    assert check.root_above(number) == isqrt(number) + 1
    assert check.root_above(number * number) == number + 1


@given(st.lists(st.fractions() | st.integers(), max_size=6))
def test_numbers_stand_over_their_least_common_denominator(values: list[Fraction | int]) -> None:
    numbers, common = check.over_one(values)
    assert [Fraction(v, common) for v in numbers] == values
    assert common == lcm(*(Fraction(v).denominator for v in values))


WEIGHTS = st.fractions(max_denominator=9) | st.integers(-2, 2)
ENTRIES = st.integers(-9, 9)
QUARTERS = st.fractions(-3, 3, max_denominator=4)


@given(st.lists(st.tuples(WEIGHTS, ENTRIES, ENTRIES, ENTRIES), min_size=1, max_size=5))
def test_weighted_forms_add_up(parts: list[tuple[Fraction, int, int, int]]) -> None:
    slope, constant, common = check.combined([(weight, (a, b), start) for weight, a, b, start in parts])
    assert [Fraction(v, common) for v in slope or [0, 0]] == [
        sum(w * row for w, *row_ in parts for row in [row_[k]]) for k in range(2)
    ]
    assert Fraction(constant, common) == sum(weight * start for weight, _, _, start in parts)


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=5))
def test_the_spread_is_the_dual_norm(slope: list[int]) -> None:
    assert check.spread(slope, "max") == sum(abs(v) for v in slope)
    assert check.spread(slope, "euclid") == sum(v * v for v in slope)


@given(
    st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    st.fractions(0, 3, max_denominator=4),
    st.dictionaries(st.integers(0, 2), st.tuples(QUARTERS, QUARTERS.map(abs)), max_size=3),
)
def test_what_a_form_reaches_within_narrower_ends_is_its_largest_corner(
    slope: list[int], size: Fraction, given_ends: Any
) -> None:
    ends = {axis: (low, low + width) for axis, (low, width) in given_ends.items()}
    sides = [ends.get(axis, (-size, size)) for axis in range(3)]
    corners = [(a, b, c) for a in sides[0] for b in sides[1] for c in sides[2]]
    assert check.reach_within(slope, size, ends) == max(
        sum(v * x for v, x in zip(slope, corner, strict=True)) for corner in corners
    )


@pytest.mark.parametrize("strict", [False, True])
@given(st.integers(0, 9), st.integers(-9, 9), st.fractions(0, 3, max_denominator=3))
def test_a_form_is_excluded_where_its_largest_value_is_below_nought(
    strict: bool, reach: int, constant: int, size: Fraction
) -> None:
    for norm, squared in (("max", reach), ("euclid", reach * reach)):
        largest = constant + size * reach
        assert check.excluded(squared, constant, norm, size, strict) == (largest < 0 or (strict and largest == 0))


def test_matrices_are_inverted_in_integers_whatever_stands_in_the_corner() -> None:
    random, tried = Random(4), 0
    for size in (1, 2, 3, 4):
        for _ in range(20):
            columns = [[random.choice((-3, -1, 0, 0, 1, 2)) for _ in range(size)] for _ in range(size)]
            if not determinant(columns):
                with pytest.raises(check.Refused, match="the region is flat"):
                    check.inverse(columns, check.Budget())
                continue
            rows, below = check.inverse(columns, check.Budget())
            tried += 1
            assert abs(below) == abs(determinant(columns))
            product = [[sum(row[k] * columns[j][k] for k in range(size)) for j in range(size)] for row in rows]
            assert product == [[below * (i == j) for j in range(size)] for i in range(size)]
    assert tried > 30


def determinant(columns: Sequence[Sequence[int]]) -> int:
    """By its first column (Laplace)."""
    if not columns:
        return 1
    return sum(
        (-1) ** k * value * determinant([[v for row, v in enumerate(column) if row != k] for column in columns[1:]])
        for k, value in enumerate(columns[0])
    )


def test_an_inverse_takes_the_memory_of_its_longest_entries() -> None:
    budget = check.Budget()
    check.inverse([[1, 0, 0], [0, -9, 0], [0, 0, 5]], budget)
    # 9 has 4 bits; an entry of the inverse is a determinant of at most three of them.
    assert 4096 * 10**6 - budget.left == 18 * (40 + 3 * (4 + 2) // 7)


def test_readouts_lie_in_a_span_up_to_its_edge() -> None:
    model = model_of()
    span = {
        "shape": "span",
        "centre": [0.5, -1.0],
        "factor": [[2.0, 1.0], [0.25, 3.0]],
        "reads": joint(None, False),
    }
    region = region_of(span, model)
    for w in ([Fraction(3, 5), Fraction(4, 5)], [Fraction(-5, 13), Fraction(12, 13)], [Fraction(0), Fraction(-1)]):
        for size in (Fraction(1), Fraction(7, 3)):
            for factor, inside in ((1, True), (Fraction(10**9 - 1, 10**9), True), (Fraction(10**9 + 1, 10**9), False)):
                values = embedded(span, [v * size * factor for v in w])
                assert region.holds_readouts(values, size) is inside


@pytest.mark.parametrize("own", [None, 1])
@pytest.mark.parametrize("presence", [False, True])
def test_pairs_of_a_band_are_all_ordered_pairs_and_bars_both_ways(own: int | None, presence: bool) -> None:
    model = model_of()
    logits = [(a, b) for a in range(3) for b in range(3) if a != b] if own is not None else []
    strengths = [(a, b) for a in range(3, 6) for b in range(3, 6) if a != b]
    bars = [(3 + k, 8 + k) for k in range(3)] + [(8 + k, 3 + k) for k in range(3)] if presence else []
    pairs = logits + strengths + bars
    numbers = [k / 4 for k in range(len(pairs))]
    band = {
        "shape": "band",
        "centre": numbers,
        "factor": [k / 8 for k in range(len(pairs))],
        "reads": joint(own, presence),
    }
    place = region_of(band, model)
    assert isinstance(place, check.Band)
    assert place.pairs == pairs
    assert (place.norm, place.linear) == ("band", True)
    for k, middle in enumerate(numbers):
        assert place.least(k, Fraction(3, 7)) == Fraction(middle) - Fraction(3, 7) * Fraction(k, 8)


@pytest.mark.parametrize("wrong", [{"factor": [1.0, -0.5, 1, 1, 1, 1]}, {"centre": [0.0] * 5}, {"factor": [0.0] * 7}])
def test_a_band_has_a_width_that_is_not_negative_for_each_of_its_pairs(wrong: dict[str, Any]) -> None:
    band = {"shape": "band", "centre": [0.0] * 6, "factor": [0.0] * 6, "reads": joint(None, False)}
    assert region_of(band, model_of())
    with pytest.raises(check.Refused):
        region_of(band | wrong, model_of())


def test_a_literal_weighs_its_rows_and_bars_weigh_the_length() -> None:
    model = model_of()
    weights: dict[int, Any] = {}
    check.add_pair(weights, 3, 4, 2, model)
    check.add_pair(weights, 4, 8, 5, model)
    check.add_pair(weights, 9, 3, 3, model)
    # Thresholds 1/4 and -1/3: 5 times the bar of k0 is 5/4 of the length, 3 times that of k1 is -1.
    assert weights == {3: 2 - 3, 4: -2 + 5, 7: Fraction(-5, 4) + 3 * Fraction(-1, 3)}
    chosen: list[tuple[int, check.Above | check.Has, int]] = [
        (0, check.Above(3, 4, False, Fraction(1, 2)), 2),
        (1, check.Above(5, 3, True, Fraction(-3)), 4),
        (2, check.Has(1, False), 7),
    ]
    assert check.summed(chosen, model) == ({3: -2, 4: -2, 5: 4}, Fraction(-11), True)
    assert check.summed(chosen[:1], model) == ({3: 2, 4: -2}, Fraction(1), False)
    assert check.summed(chosen[2:], model)[2] is False
    assert check.summed([(2, check.Has(1, True), 7)], model)[2] is True
    assert check.summed([*chosen[1:2], *chosen[:1], *chosen[2:]], model)[2] is True


NEAR: dict[str, Any] = {
    "shape": "near", "centre": [[1.0, -2.0], [0.5, 4.0], [-3.0, 0.25], [0.0, 0.0]], "factor": [[3.0, 0.0], [4.0, 0.5]],
    "reads": joint(None, False), "images": 4,
}  # fmt: skip
# Literals over strengths 0 to 2; readouts are strengths 1 and 2 above strength 0.
LITERALS = [
    check.Above(3, 4, False),
    check.Above(4, 5, True),
    check.Above(5, 3, False, Fraction(1, 3)),
    check.Above(3, 5, True, Fraction(-2)),
]


@given(
    st.dictionaries(st.integers(0, 3), st.integers(1, 9), min_size=1, max_size=3),
    st.fractions(0, 2, max_denominator=5),
)
def test_images_are_closed_where_the_sum_stays_below_nought_all_around_them(
    chosen: dict[int, int], radius: Fraction
) -> None:
    place = region_of(NEAR, model_of())
    branch = check.Branch(LITERALS, [], {}, {}, [])
    closed = place.closed([[k, v] for k, v in chosen.items()], branch, radius)
    slopes = [(-1, 0), (1, -1), (0, 1), (0, -1)]
    slope = [sum(v * slopes[k][axis] for k, v in chosen.items()) for axis in range(2)]
    lead = sum((v * LITERALS[k].lead for k, v in chosen.items()), Fraction(0))
    assert len(NEAR["centre"]) == 4
    strict = any(LITERALS[k].strict for k in chosen)
    squared = (3 * slope[0] + 4 * slope[1]) ** 2 + Fraction(slope[1], 2) ** 2
    for image, centre in enumerate(NEAR["centre"]):
        middle = sum((s * Fraction(c) for s, c in zip(slope, centre, strict=True)), Fraction(0)) - lead
        rise = radius * radius * squared
        below = middle < 0 and middle * middle > rise
        tie = middle <= 0 and middle * middle == rise
        assert (closed >> 8 * image & 255) == (below or (tie and strict)), (image, middle, rise)


def test_ties_around_images_are_met_exactly() -> None:
    """Slopes whose length is a whole number: the sum is 0 at its largest around some image."""
    place = region_of(
        NEAR | {"centre": [[-5.0, 0.0], [-10.0, 0.0]], "factor": [[3.0, 4.0], [0.0, 0.0]], "images": 2}, model_of()
    )
    for strict, radius, expected in ((False, 1, 256), (True, 1, 257), (False, 2, 0), (True, 2, 256), (True, 3, 0)):
        branch = check.Branch([check.Above(4, 3, strict)], [], {}, {}, [])
        for multiplier in (1, 2, 7):
            assert place.closed([[0, multiplier]], branch, Fraction(radius)) == expected
    mirrored = region_of(
        NEAR | {"centre": [[5.0, 0.0], [10.0, 0.0]], "factor": [[3.0, 4.0], [0.0, 0.0]], "images": 2}, model_of()
    )
    for strict, radius, expected in ((False, 1, 256), (True, 1, 257), (False, 2, 0), (True, 2, 256), (True, 3, 0)):
        branch = check.Branch([check.Above(3, 4, strict)], [], {}, {}, [])
        for multiplier in (1, 2, 7):
            assert mirrored.closed([[0, multiplier]], branch, Fraction(radius)) == expected
    branch = check.Branch([check.Above(4, 3, False, Fraction(-5))], [], {}, {}, [])
    assert place.closed([[0, 1]], branch, Fraction(9, 10)) == 256
    with pytest.raises(check.Refused, match="a multiplier is not positive"):
        place.closed([[0, 0]], branch, Fraction(1))


def test_what_images_take_is_given_back() -> None:
    place = region_of(NEAR, model_of())
    branch = check.Branch(LITERALS, [], {}, {}, [])
    place.closed([[0, 1]], branch, Fraction(1))
    before = place.model.budget.left
    place.closed([[0, 1]], branch, Fraction(1))
    assert place.model.budget.left == before


@pytest.mark.parametrize("opened", [0, 1, 2])
def test_every_disjunction_that_is_not_opened_stays_pending(opened: int) -> None:
    """Three disjunctions, each closed around all images by its own cases alone: opened in any order, every one is there."""
    place = region_of(NEAR, model_of())
    # not (a and b), for three pairs: each is a disjunction of two strict or plain comparisons.
    formula = [["stronger", 0, 1], ["not", 0], ["and", 0, 1], ["stronger", 1, 2], ["not", 3], ["and", 3, 4], ["stronger", 2, 0],
               ["not", 6], ["and", 6, 7], ["or", 2, 5, 8]]  # fmt: skip
    seen = []

    def closed(pairs: Any, branch: check.Branch, radius: Fraction) -> int:
        seen.append((len(branch.pending), [literal.first for literal in branch.literals]))
        return 0

    place.closed = closed
    leaf: Any = [[[]], None, []]
    second = [[], 1, [leaf, leaf]]
    place.proved([[], opened, [second, second]], formula, check.Branch([], [], {}, {}, [(9, False)]), Fraction(1))
    firsts = {0: {4, 3}, 1: {5, 4}, 2: {3, 5}}
    left = [k for k in range(3) if k != opened]
    assert len(seen) == 4
    assert {count for count, _ in seen} == {1}
    for _, (one, two) in seen:
        assert one in firsts[opened]
        assert two in firsts[left[1]]


def test_thresholds_lenses_and_layers_that_do_not_fit_are_refused() -> None:
    assert model_of(thresholds={}).thresholds == {}
    assert model_of(thresholds=dict(THRESHOLDS)).thresholds == {0: Fraction(1, 4), 1: Fraction(-1, 3), 2: Fraction(0)}
    with pytest.raises(check.Refused, match="a threshold belongs to no concept"):
        model_of(thresholds={"k3": "0"})
    with pytest.raises(check.Refused, match="one logit per class"):
        check.Model(body_of() | {"head": body_of(head=[([[1.0, 0.0]], [0.0])])["head"]}, check.Budget())
    body = body_of()
    for width, why in ((0, "from 1 to 1048576"), (2**20 + 1, "from 1 to 1048576"), (2**20, "bytes and not")):
        with pytest.raises(check.Refused, match=why):
            check.Model(body | {"lens": body["lens"] | {"width": width}}, check.Budget())
        with pytest.raises(check.Refused, match=why):
            check.Model(body | {"dimension": width}, check.Budget())
        with pytest.raises(check.Refused, match=why):
            check.Model(body | {"head": [body["head"][0] | {"outputs": width}]}, check.Budget())


@pytest.mark.parametrize("deep", [HEAD, DEEP_HEAD])
def test_the_digests_of_head_and_lens_are_those_of_the_format(deep: Any) -> None:
    body = body_of(head=deep)
    model = check.Model(body, check.Budget())
    assert {"head": model.head_digest, "lens": model.lens_digest} == body["digests"]


@pytest.mark.parametrize("names", [["c0", "c0", "c2"], [], ["c0", 1, "c2"], "c0", ["c" * 10_000, "c1", "c2"]])
def test_names_are_texts_each_once(names: object) -> None:
    body = body_of()
    with pytest.raises(check.Refused, match=r"bad names|a name appears twice"):
        check.Model(body | {"names": body["names"] | {"classes": names}}, check.Budget())
    long = ["c" * 9_999, "c1", "c2"]
    assert check.Model(body | {"names": body["names"] | {"classes": long}}, check.Budget()).class_names == long
