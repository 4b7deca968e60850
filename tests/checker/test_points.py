"""Points of certificates: where they lie and what is true there, against plain fractions."""

import base64
from collections.abc import Sequence
from fractions import Fraction
from math import sqrt
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.checker import check
from tests.checker.formulas import FORMULA, tabled, truth
from tests.checker.handmade import BOX, HEAD, body_of, encoded_region, f8, joint, readings

DEEP_HEAD = [([[1.0, -0.5], [0.25, 1.0]], [0.5, -0.125]), ([[1.0, 0.5], [-2.0, 1.0], [0.25, 0.0]], [0.0, 0.5, 1.0])]
# y is z, whose length is a whole number for these points; concepts are the axes and one between.
PYTHAGOREAN = [(3, 4), (-3, 4), (3, -4), (-3, -4), (5, 0), (0, -5), (0, 0), (-5, 0)]
PLAIN = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
AREAS: list[dict[str, Any]] = [
    BOX | {"centre": [0.5, -3.0], "factor": [2.0, 0.125]},
    {"shape": "pca-box", "centre": [0.25, 1.0], "factor": [[1.0, 2.0], [-0.5, 3.0]], "reads": None},
    {"shape": "ellipsoid", "centre": [4.0, 1.0], "factor": [[1.0, 0.25], [3.0, -1.0]], "reads": None},
    {"shape": "segment", "centre": [4.0, 1.5], "factor": [[0.5], [-3.0]], "reads": None},
]


def world(**changes: Any) -> tuple[check.Model, list[Any]]:
    model = check.Model(body_of(**changes), check.Budget())
    return model, [check.read_region(encoded_region(area), model) for area in AREAS]


def embedding(numbers: Sequence[Fraction]) -> dict[str, Any]:
    below = 1
    for number in numbers:
        below *= number.denominator
    return {"kind": "embedding", "numerators": [int(v * below) for v in numbers], "denominator": below}


def moved(area: dict[str, Any], w: Sequence[Fraction]) -> list[Fraction]:
    """centre + factor w."""
    rows = area["factor"]
    if area["shape"] == "box":
        return [Fraction(c) + Fraction(s) * x for c, s, x in zip(area["centre"], rows, w, strict=True)]
    return [
        Fraction(c) + sum(Fraction(v) * x for v, x in zip(row, w, strict=True))
        for c, row in zip(area["centre"], rows, strict=True)
    ]


def places() -> list[tuple[dict[str, Any], list[Fraction]]]:
    """Points as certificates write them, with the embedding that each is."""
    third = [Fraction(-7, 3), Fraction(5, 9)]
    found: list[tuple[dict[str, Any], list[Fraction]]] = [
        (embedding(third), third),
        ({"kind": "embedding", "float64": f8([0.75, -2.0])}, [Fraction(3, 4), Fraction(-2)]),
    ]
    for number, area in enumerate(AREAS):
        count = 1 if area["shape"] == "segment" else 2
        w = third[:count]
        given_w = embedding(w) | {"kind": "coordinates", "region": number}
        found += [
            (given_w, moved(area, w)),
            (
                {"kind": "coordinates", "float64": f8([0.5, -0.25][:count]), "region": number},
                moved(area, [Fraction(1, 2), Fraction(-1, 4)][:count]),
            ),
        ]
    for number in (0, 1):
        for signs in range(4):
            corner = {
                "kind": "corner", "signs": base64.b64encode(bytes([signs])).decode(), "size": "3/7", "region": number,
            }  # fmt: skip
            side = [Fraction(3, 7) if signs >> k & 1 else Fraction(-3, 7) for k in range(2)]
            found.append((corner, moved(AREAS[number], side)))
    return found


@pytest.mark.parametrize("head", [HEAD, DEEP_HEAD])
@pytest.mark.parametrize("place", range(18))
def test_a_point_is_the_embedding_that_its_numbers_say(place: int, head: Any) -> None:
    model, regions = world(head=head)
    value, z = places()[place]
    logits, strengths, squared = readings(z, head)
    point = check.Point(value, model, regions)
    if model.linear:
        assert [Fraction(point.value(k), point.unit) for k in range(3)] == logits
    assert [Fraction(point.value(k), point.unit) for k in range(3, 7)] == [*strengths, 0]
    assert [Fraction(v, point.unit) for v in point.logits()] == logits
    numbers, denominator = point.located()
    assert [Fraction(v, denominator) for v in numbers] == z
    y, square = point.image
    assert Fraction(square, (denominator << model.mapped.shift) ** 2) == squared
    assert len(y) == 2
    low, high = point.lengths()
    assert low**2 <= squared < high**2
    assert high - low == Fraction(1, denominator * 2 ** (model.mapped.shift + 160))
    assert [point.predicts(k) for k in range(3)] == [
        all(logits[k] > v for j, v in enumerate(logits) if j != k) for k in range(3)
    ]
    first = max(logits)
    lead = first - sorted(logits)[-2]
    best = logits.index(first)
    assert lead > 0
    assert [point.predicts(best, lead * k / 1000) for k in (999, 1000, 1001)] == [True, True, False]


def test_equal_logits_predict_nothing() -> None:
    model, regions = world(head=[([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 0.0, 0.0])])
    point = check.Point(embedding([Fraction(2), Fraction(1)]), model, regions)
    assert [point.predicts(k) for k in range(3)] == [False, False, False]
    other = check.Point(embedding([Fraction(1), Fraction(2)]), model, regions)
    assert [other.predicts(k, Fraction(1)) for k in range(3)] == [False, False, True]
    assert not other.predicts(2, Fraction(1001, 1000))


@pytest.mark.parametrize("at", PYTHAGOREAN)
@pytest.mark.parametrize(
    "limit", ["3/5", "4/5", "-3/5", "-4/5", "0", "1", "-1", "61/100", "-61/100", "59/100", "-59/100"]
)
def test_a_concept_is_there_where_its_strength_is_above_the_threshold_times_the_length(
    at: tuple[int, int], limit: str
) -> None:
    thresholds = {"k0": limit, "k1": limit, "k2": limit}
    model, regions = world(lens=PLAIN, thresholds=thresholds, head=[([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])])
    z = [Fraction(v, 7) for v in at]
    point = check.Point(embedding(z), model, regions)
    length = Fraction(5 if any(at) else 0, 7)
    for concept, strength in enumerate([z[0], z[1], (z[0] + z[1]) / 2]):
        assert point.has_concept(concept) is (strength > Fraction(limit) * length)


def test_a_lens_over_powers_of_two_changes_no_comparison_with_the_length() -> None:
    lens = ([[0.5, 0.0], [0.0, 0.25]], [0.125, 0.0], [[0.25, 0.0], [0.0, 0.0625]])
    model, regions = world(
        lens=lens, thresholds={"k0": "3/20", "k1": "-1/20"}, head=[([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
    )
    for scale in (Fraction(999, 1000), Fraction(1), Fraction(1001, 1000)):
        # y = (3, 4) and (3, -4) at these embeddings: strengths 3/4 and 1/4 or -1/4; length 5.
        for sign in (1, -1):
            z = [(3 * scale - Fraction(1, 8)) * 2, Fraction(16 * sign)]
            point = check.Point(embedding(z), model, regions)
            length_squared = (3 * scale) ** 2 + 16
            assert point.has_concept(0) is ((Fraction(3, 4) * scale) ** 2 > Fraction(9, 400) * length_squared)
            assert point.has_concept(1) is (sign > 0 or Fraction(1, 16) < Fraction(1, 400) * length_squared)


@given(FORMULA, st.integers(0, 10**6))
def test_formulas_are_evaluated_as_the_semantics_say(formula: Any, seed: int) -> None:
    model, regions = world()
    random = Random(seed)
    z = [Fraction(random.randint(-40, 40), 8) for _ in range(2)]
    point = check.Point(embedding(z), model, regions)
    logits, strengths, _ = readings(z)
    nodes: list[Any] = []
    tabled(formula, nodes)
    table = check.read_formula(nodes, model)
    assert point.satisfies(table) is truth(formula, logits, strengths, [point.has_concept(k) for k in range(3)])


# ---------------------------------------------------------------- where it lies

ON_THE_EDGE = [
    (0, [Fraction(3, 7), Fraction(-3, 7)], Fraction(3, 7)),
    (0, [Fraction(0), Fraction(-2, 3)], Fraction(2, 3)),
    (1, [Fraction(-2), Fraction(1, 3)], Fraction(2)),
    (2, [Fraction(3, 5), Fraction(-4, 5)], Fraction(1)),
    (2, [Fraction(-15, 13), Fraction(36, 13)], Fraction(3)),
    (3, [Fraction(-1, 2)], Fraction(1, 2)),
]
SMALLER, LARGER = Fraction(10**9 - 1, 10**9), Fraction(10**9 + 1, 10**9)


@pytest.mark.parametrize(("number", "w", "size"), ON_THE_EDGE)
def test_coordinates_lie_in_their_own_region_up_to_its_edge(number: int, w: list[Fraction], size: Fraction) -> None:
    model, regions = world()
    point = check.Point(embedding(w) | {"kind": "coordinates", "region": number}, model, regions)
    assert [point.lies_in(regions[number], size * scale) for scale in (SMALLER, Fraction(1), LARGER)] == [
        False,
        True,
        True,
    ]
    # The answer at one size is not that at another, asked again in another order.
    assert [point.lies_in(regions[number], size * scale) for scale in (LARGER, SMALLER)] == [True, False]


@pytest.mark.parametrize("number", [0, 1])
def test_a_corner_lies_in_its_box_up_to_its_size(number: int) -> None:
    model, regions = world()
    corner = {"kind": "corner", "signs": base64.b64encode(b"\x02").decode(), "size": "3/7", "region": number}
    point = check.Point(corner, model, regions)
    assert [point.lies_in(regions[number], Fraction(3, 7) * scale) for scale in (SMALLER, Fraction(1), LARGER)] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("w", [w for number, w, _ in ON_THE_EDGE if number == 0])
def test_an_embedding_lies_in_a_box_up_to_its_edge(w: list[Fraction]) -> None:
    model, regions = world()
    point = check.Point(embedding(moved(AREAS[0], w)), model, regions)
    size = max(abs(v) for v in w)
    assert [point.lies_in(regions[0], size * scale) for scale in (SMALLER, Fraction(1), LARGER)] == [False, True, True]


def test_only_a_box_can_tell_where_an_embedding_is() -> None:
    model, regions = world()
    point = check.Point(embedding([Fraction(0), Fraction(0)]), model, regions)
    for number in (1, 2, 3):
        with pytest.raises(check.Refused, match="only a box can tell"):
            point.lies_in(regions[number], Fraction(1))
    inside = check.Point(embedding([Fraction(0), Fraction(0)]) | {"kind": "coordinates", "region": 1}, model, regions)
    with pytest.raises(check.Refused, match="only a box can tell"):
        inside.lies_in(regions[0], Fraction(10**6))


@pytest.mark.parametrize("head", [HEAD, DEEP_HEAD])
@pytest.mark.parametrize("presence", [False, True])
@pytest.mark.parametrize("own", [None, 1])
def test_an_embedding_lies_in_a_band_where_every_pair_is_far_enough_apart(
    own: int | None, presence: bool, head: Any
) -> None:
    """Every pair's bound is moved alone to where the embedding is, just inside, and just outside."""
    model = check.Model(body_of(head=head), check.Budget())
    # |y| is 5 here: y = M z + d is (3, -4), and everything is dyadic.
    z = [Fraction(7, 2), Fraction(-3, 2)]
    logits, strengths, squared = readings(z, head)
    assert squared == 25
    rows = dict(enumerate([*logits, *strengths])) | {8: Fraction(5, 4), 9: Fraction(-5, 3), 10: Fraction(0)}
    reads = joint(own, presence)
    empty = check.Readouts.read(reads, model)
    groups = ([range(3)] if own is not None else []) + [range(3, 6)]
    pairs = [(a, b) for group in groups for a in group for b in group if a != b]
    pairs += [(3 + k, 8 + k) for k in range(3)] + [(8 + k, 3 + k) for k in range(3)] if presence else []
    point = check.Point(embedding(z), model, [])
    assert empty.dimension(model) >= 2
    for moved_pair, (a, b) in enumerate(pairs):
        gap = rows[a] - rows[b]
        for off, inside in ((-0.001953125, True), (0.001953125, False)):
            # Bounds are dyadic: nearest below, then one step either way.
            least = float(Fraction(int(gap * 2**40), 2**40)) + off
            band = {
                "shape": "band", "centre": [least if k == moved_pair else -100.0 for k in range(len(pairs))],
                "factor": [0.0] * len(pairs), "reads": reads,
            }  # fmt: skip
            assert point.lies_in(check.read_region(encoded_region(band), model), Fraction(1)) is inside, (a, b)


@pytest.mark.parametrize("head", [HEAD, DEEP_HEAD])
@pytest.mark.parametrize("own", [None, 1])
def test_an_embedding_lies_in_a_span_or_near_an_image_up_to_the_edge(own: int | None, head: Any) -> None:
    model = check.Model(body_of(head=head), check.Budget())
    z = [Fraction(7, 2), Fraction(-3, 2)]
    logits, strengths, _ = readings(z, head)
    values = [logits[0] - logits[1], logits[2] - logits[1]] if own == 1 else []
    values += [strengths[1] - strengths[0], strengths[2] - strengths[0]]
    width = len(values)
    # |w| is exactly 5 where the factor is a fourth of the identity: (3, 4, 0, ...) from the centre.
    steps = [Fraction(3, 4), Fraction(1)] + [Fraction(0)] * (width - 2)
    centre = [float(v - s) for v, s in zip(values, steps, strict=True)]
    factor = [[0.25 * (i == k) for k in range(width)] for i in range(width)]
    reads = joint(own, False)
    span = {"shape": "span", "centre": centre, "factor": factor, "reads": reads}
    near = {"shape": "near", "centre": [[c + 9 for c in centre], centre], "factor": factor, "reads": reads, "images": 2}
    point = check.Point(embedding(z), model, [])
    for value, image in ((span, 0), (near, 1)):
        place = check.read_region(encoded_region(value), model)
        assert [point.lies_in(place, 5 * scale, image) for scale in (SMALLER, Fraction(1), LARGER)] == [
            False,
            True,
            True,
        ]
    assert not point.lies_in(check.read_region(encoded_region(near), model), Fraction(5), 0)
    coordinates = check.Point(
        embedding([Fraction(0)] * 2) | {"kind": "coordinates", "region": 0},
        model,
        [check.read_region(encoded_region(AREAS[0]), model)],
    )
    with pytest.raises(check.Refused, match="only an embedding has readouts"):
        coordinates.lies_in(check.read_region(encoded_region(span), model), Fraction(5))


def test_the_length_is_a_readout_of_a_span_with_presence() -> None:
    model = check.Model(body_of(), check.Budget())
    z = [Fraction(7, 2), Fraction(-3, 2)]
    _, strengths, squared = readings(z)
    assert squared == 25
    values = [*strengths, Fraction(5)]
    centre = [float(v) for v in values[:3]] + [4.0]
    factor = [[1.0 * (i == k) for k in range(4)] for i in range(4)]
    span = {"shape": "span", "centre": centre, "factor": factor, "reads": joint(None, True)}
    point = check.Point(embedding(z), model, [])
    place = check.read_region(encoded_region(span), model)
    # The length is enclosed between 5 and 5 + 2**-163, so its edge cannot be met exactly.
    assert [point.lies_in(place, size) for size in (SMALLER, Fraction(1), LARGER)] == [False, False, True]
    assert point.lies_in(place, 1 + Fraction(1, 2**160))


# ---------------------------------------------------------------- what is no point


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"kind": "nowhere"}, "unknown kind"), (None, "unknown kind"), ([], "unknown kind"), ({}, "unknown kind"),
        ({"kind": "embedding", "numerators": [1], "denominator": 1}, "wrong length"),
        ({"kind": "embedding", "numerators": [1, 2, 3], "denominator": 1}, "wrong length"),
        ({"kind": "embedding", "numerators": "12", "denominator": 1}, "wrong length"),
        ({"kind": "embedding", "numerators": [1, True], "denominator": 1}, "not an integer"),
        ({"kind": "embedding", "numerators": [1, 2], "denominator": 0}, "no positive denominator"),
        ({"kind": "embedding", "numerators": [1, 2], "denominator": -1}, "no positive denominator"),
        ({"kind": "embedding", "numerators": [1, 2], "denominator": True}, "no positive denominator"),
        ({"kind": "embedding", "numerators": [1, 2], "denominator": 1, "region": 0}, "exactly the keys"),
        ({"kind": "coordinates", "numerators": [1, 2], "denominator": 1}, "exactly the keys"),
        ({"kind": "coordinates", "numerators": [1, 2], "denominator": 1, "region": 5}, "region is not an integer from 0 to 4"),
        ({"kind": "coordinates", "numerators": [1, 2], "denominator": 1, "region": -1}, "region is not an integer from 0 to 4"),
        ({"kind": "coordinates", "numerators": [1, 2], "denominator": 1, "region": 3}, "wrong length"),
        ({"kind": "coordinates", "numerators": [1, 2], "denominator": 1, "region": 4}, "region of readouts"),
        ({"kind": "embedding", "float64": f8([1.0])}, "has 8 bytes and not 16"),
        ({"kind": "corner", "signs": "AA==", "size": "1", "region": 2}, "only boxes have corners"),
        ({"kind": "corner", "signs": "AA==", "size": "1", "region": 3}, "only boxes have corners"),
        ({"kind": "corner", "signs": "AA==", "size": "-1", "region": 0}, "only boxes have corners"),
        ({"kind": "corner", "signs": "BA==", "size": "1", "region": 0}, "more signs than axes"),
        ({"kind": "corner", "signs": "AAA=", "size": "1", "region": 0}, "has 2 bytes and not 1"),
        ({"kind": "corner", "signs": "AA==", "size": "1"}, "exactly the keys"),
    ],
)  # fmt: skip
def test_what_is_no_point_is_refused(value: object, why: str) -> None:
    model, regions = world()
    span = {
        "shape": "span",
        "centre": [0.5, 1.0],
        "factor": [[1.0, 0.0], [0.0, 1.0]],
        "reads": joint(None, False),
    }
    regions.append(check.read_region(encoded_region(span), model))
    with pytest.raises(check.Refused, match=why):
        check.Point(value, model, regions)


def test_a_corner_of_no_size_is_the_centre() -> None:
    model, regions = world()
    point = check.Point({"kind": "corner", "signs": "AA==", "size": "0", "region": 0}, model, regions)
    assert point.lies_in(regions[0], Fraction(0))
    assert [Fraction(v, point.located()[1]) for v in point.located()[0]] == AREAS[0]["centre"]


@pytest.mark.parametrize("axes", [8, 9])
def test_signs_are_read_eight_to_a_byte(axes: int) -> None:
    head = [([[1.0] * axes, [0.0] * axes], [0.0, 0.0])]
    lens = ([[1.0] * axes], [0.0], [[1.0]])
    model = check.Model(body_of(head=head, lens=lens, thresholds={}), check.Budget())
    box = {"shape": "box", "centre": [0.0] * axes, "factor": [2.0**k for k in range(axes)], "reads": None}
    regions = [check.read_region(encoded_region(box), model)]
    signs = 1 << (axes - 1) | 1
    data = base64.b64encode(signs.to_bytes((axes + 7) // 8, "little")).decode()
    point = check.Point({"kind": "corner", "signs": data, "size": "1", "region": 0}, model, regions)
    assert Fraction(point.value(0), point.unit) == 2 * signs - (2**axes - 1)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("limit", ["-1", "-1/2", "0", "1/2", "1", "3/2"])
def test_a_concept_is_there_where_its_numerator_is_above_the_bar_in_the_smallest_integers(
    shift: int, limit: str
) -> None:
    # Floats tell all of them apart: a root that is no whole number is far from every ratio that occurs.
    model = SimpleNamespace(thresholds=[Fraction(limit)], directions=[[1, 0]], directions_shift=shift)
    lengths = [(0, 0), *((numerator, squared) for numerator in range(-4, 5) for squared in range(1, 17))]
    points: list[Any] = [
        SimpleNamespace(model=model, image=([numerator, 0], squared)) for numerator, squared in lengths
    ]
    bar = float(Fraction(limit))
    there = [numerator / 2**shift > bar * sqrt(squared) for numerator, squared in lengths]
    assert [check.Point.has_concept(point, 0) for point in points] == there
    assert len(set(there)) == 2
