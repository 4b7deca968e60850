"""Proofs over regions: accepted up to the exact tie and refused beyond it; bounds of cones and of ReLU heads, which have to
hold, as the page's formulas give them."""

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from conspect.checker import check
from tests.checker.handmade import BOX, body_of, encoded_region, exactly, f8, joint, readings

# Strengths are x, y and 0 at the embedding (x, y); logits x and y over 4.
PLAIN = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
PLAIN_HEAD = [([[0.25, 0.0], [0.0, 0.25]], [0.0, 0.0])]
ABOVE = [["stronger", 0, 1]]  # denied: k1 at least k0
DENIED = [["stronger", 1, 0], ["not", 0]]  # denied: k1 above k0
STEP = Fraction(1, 2**40)


def plain_model(**changes: Any) -> check.Model:
    return check.Model(body_of(**{"head": PLAIN_HEAD, "lens": PLAIN, "thresholds": {}} | changes), check.Budget())


def region_of(model: check.Model, shape: str, *numbers: Any) -> Any:
    """Of a centre and a factor."""
    centre, factor = numbers
    return check.read_region(encoded_region({"shape": shape, "centre": centre, "factor": factor, "reads": None}), model)


def proves(steps: Any, formula: Any, region: Any, size: Fraction, **options: Any) -> bool:
    """Whether the multipliers do; a proof of another form is an error of the test."""
    try:
        check.check_proof(steps, formula, region, size, options.get("cut"), ends=options.get("ends"))
    except check.Refused as refusal:
        if str(refusal) not in ("multipliers prove nothing", "a cycle proves nothing"):
            raise
        return False
    return True


# k0 above k1 by 6 at the centre; (1, -1) rises by 4, by 4 and by 5 over the three.
PLACES = [
    ("box", [2.0, 1.0], Fraction(3)),
    ("pca-box", [[1.0, 0.0], [2.0, -3.0]], Fraction(4)),
    ("ellipsoid", [[3.0, 0.0], [0.0, -4.0]], Fraction(5)),
]


@pytest.mark.parametrize(("shape", "factor", "reach"), PLACES)
def test_one_literal_closes_up_to_the_size_at_which_it_is_met(shape: str, factor: Any, reach: Fraction) -> None:
    model = plain_model()
    region = region_of(model, shape, [7.0, 1.0], factor)
    size, steps = Fraction(6) / reach, [["close", [[0, 5]]]]
    for formula, tie in ((ABOVE, False), (DENIED, True)):
        said = [proves(steps, formula, region, size * scale) for scale in (1 - STEP, Fraction(1), 1 + STEP)]
        assert said == [True, tie, False]


def test_several_literals_and_leads_close_up_to_the_size_at_which_their_sum_is_met() -> None:
    """Of `predict(c0, lead = 1/2) implies k0 > k1` denied: x is at least y + 2, and y at least x."""
    model = plain_model()
    region = region_of(model, "box", [7.0, 1.0], [2.0, 1.0])
    formula = [["predict", 0, "1/2"], ["stronger", 0, 1], ["implies", 0, 1]]
    # Anywhere: 4 times the first and the second add up to 0 >= 2.
    assert proves([["close", [[0, 4], [1, 1]]]], formula, region, Fraction(10**9))
    assert not proves([["close", [[0, 4], [1, 2]]]], formula, region, Fraction(10**9))
    # The second alone: up to 2; the first alone, x >= y + 2, is true at the centre.
    assert [proves([["close", [[1, 1]]]], formula, region, 2 * scale) for scale in (1 - STEP, Fraction(1))] == [
        True,
        False,
    ]
    assert not proves([["close", [[0, 1]]]], formula, region, Fraction(0))


def test_a_prediction_with_a_lead_is_proved_up_to_its_tie() -> None:
    model = plain_model()
    region = region_of(model, "box", [7.0, 1.0], [2.0, 1.0])
    for lead, rest in (("1/2", 4), ("1/3", Fraction(14, 3))):
        # 4 (c0 - c1) is 6 at the centre and falls by 3 size; the denial is strict, since a lead may be met exactly.
        size, steps = Fraction(rest) / 3, [["open", 0], ["close", [[0, 1]]]]
        assert [proves(steps, [["predict", 0, lead]], region, size * scale) for scale in (1 - STEP, Fraction(1), 1 + STEP)] == [
            True, True, False,
        ]  # fmt: skip
        halved = [steps[0], ["halve", 0], steps[1], steps[1]]
        assert [proves(halved, [["predict", 0, lead]], region, size * scale) for scale in (1 - STEP, Fraction(1), 1 + STEP)] == [
            True, True, False,
        ]  # fmt: skip
    # Without a lead the denial is a tie that is no prediction.
    steps = [["open", 0], ["close", [[0, 1]]]]
    assert [proves(steps, [["predict", 0]], region, 2 * scale) for scale in (1 - STEP, Fraction(1))] == [True, False]


def test_the_cut_is_a_premise() -> None:
    model = plain_model()
    region = region_of(model, "box", [7.0, 1.0], [2.0, 1.0])
    assert proves([["close", [[0, 4], [1, 1]]]], ABOVE, region, Fraction(99), cut=0)
    with pytest.raises(check.Refused, match="a literal's number"):
        check.check_proof([["close", [[0, 4], [1, 1]]]], ABOVE, region, Fraction(99), None)


def test_no_multipliers_prove_nothing() -> None:
    region = region_of(plain_model(), "box", [7.0, 1.0], [2.0, 1.0])
    assert not proves([["close", []]], ABOVE, region, Fraction(0))


# True everywhere: x > c or not x > c, as `not (c > x) or not (x > c)`; c is strength 1, which is 1/2 in these boxes.
EITHER = [["stronger", 1, 0], ["not", 0], ["stronger", 0, 1], ["not", 2], ["or", 1, 3]]


@pytest.mark.parametrize("shape", ["box", "pca-box"])
def test_a_box_is_halved_at_its_middle_the_lower_half_first(shape: str) -> None:
    factor: Any = [2.0, 0.0] if shape == "box" else [[2.0, 0.0], [0.0, 0.0]]
    region = region_of(plain_model(), shape, [0.0, 0.5], factor)
    # x is 2 w with w from -1 to 1: below 1/4 and above it. Literal 0: c > x; literal 1: x > c.
    right = [
        ["halve", 0],
        ["close", [[1, 1]]],
        ["halve", 0],
        ["halve", 0],
        ["close", [[1, 1]]],
        ["close", [[0, 1]]],
        ["close", [[0, 1]]],
    ]
    assert proves(right, EITHER, region, Fraction(1))
    for wrong in (
        [["halve", 0], ["close", [[0, 1]]], ["close", [[1, 1]]]],
        [["halve", 0], ["close", [[1, 1]]], ["close", [[0, 1]]]],
        [["halve", 0], ["close", [[1, 1]]], ["halve", 0], ["close", [[1, 1]]], ["close", [[0, 1]]]],
    ):
        assert not proves(wrong, EITHER, region, Fraction(1))
    assert not proves(right, EITHER, region, 1 - STEP)
    with pytest.raises(check.Refused, match="ends before all branches"):
        proves([["halve", 1], ["close", [[1, 1]]]], EITHER, region, Fraction(1, 8))
    # Halves of the other axis keep what is known of this one.
    inner = [["halve", 0], ["halve", 1], ["close", [[1, 1]]], ["close", [[1, 1]]]]
    assert proves([*inner, *right[2:]], EITHER, region, Fraction(1))


@pytest.mark.parametrize(
    ("shape", "factor", "step", "why"),
    [
        ("ellipsoid", [[1.0, 0.0], [0.0, 1.0]], ["halve", 0], "only boxes are halved"),
        ("segment", [[1.0], [0.0]], ["halve", 0], "only boxes are halved"),
        ("box", [1.0, 1.0], ["halve"], "only boxes are halved"),
        ("box", [1.0, 1.0], ["halve", 0, 0], "only boxes are halved"),
        ("box", [1.0, 1.0], ["halve", 2], "the axis halved is not an integer from 0 to 1"),
        ("box", [1.0, 1.0], ["halve", -1], "the axis halved is not an integer from 0 to 1"),
        ("box", [1.0, 1.0], ["phase", 0, 0], "unknown kind of step"),
        ("box", [1.0, 1.0], ["cycle", [], []], "unknown kind of step"),
        ("box", [1.0, 1.0], ["open"], "wrong length"),
        ("box", [1.0, 1.0], ["open", 0, 0], "wrong length"),
        ("box", [1.0, 1.0], ["open", 0], "the disjunction opened is not an integer from 0 to -1"),
        ("box", [1.0, 1.0], ["close"], "a closing step has the wrong shape"),
        ("box", [1.0, 1.0], ["close", [], [], [], []], "a closing step has the wrong shape"),
        ("box", [1.0, 1.0], [], "not a list with a name"),
        ("box", [1.0, 1.0], [0], "not a list with a name"),
        ("box", [1.0, 1.0], "close", "not a list with a name"),
        ("box", [1.0, 1.0], ["close", {}], "multipliers are not a list"),
        ("box", [1.0, 1.0], ["close", [[0, 1, 1]]], "a multiplier is not a pair"),
        ("box", [1.0, 1.0], ["close", [[0]]], "a multiplier is not a pair"),
        ("box", [1.0, 1.0], ["close", ["01"]], "a multiplier is not a pair"),
        ("box", [1.0, 1.0], ["close", [[1, 1]]], "a literal's number is not an integer from 0 to 0"),
        ("box", [1.0, 1.0], ["close", [[-1, 1]]], "a literal's number is not an integer from 0 to 0"),
        ("box", [1.0, 1.0], ["close", [[0, 0]]], "a multiplier is not positive"),
        ("box", [1.0, 1.0], ["close", [[0, True]]], "a multiplier is not positive"),
        ("box", [1.0, 1.0], ["close", [[0, 1], [0, 1]]], "a literal has two multipliers"),
    ],
)
def test_a_step_of_another_form_is_refused(shape: str, factor: Any, step: Any, why: str) -> None:
    region = region_of(plain_model(), shape, [7.0, 1.0], factor)
    with pytest.raises(check.Refused, match=why):
        check.check_proof([step], ABOVE, region, Fraction(1), None)


def test_a_proof_ends_where_its_branches_do() -> None:
    region = region_of(plain_model(), "box", [7.0, 1.0], [2.0, 1.0])
    close = ["close", [[0, 1]]]
    check.check_proof([close], ABOVE, region, Fraction(1), None)
    with pytest.raises(check.Refused, match="goes on after all branches"):
        check.check_proof([close, close], ABOVE, region, Fraction(1), None)
    for few in ([], [["halve", 0], close]):
        with pytest.raises(check.Refused, match="ends before all branches"):
            check.check_proof(few, ABOVE, region, Fraction(1), None)
    nothing: Any = ({}, "close", None)
    for none in (*nothing, 0):
        with pytest.raises(check.Refused, match="a proof is not a list of steps"):
            check.check_proof(none, ABOVE, region, Fraction(1), None)


def test_the_number_of_steps_and_of_literals_is_limited_to_the_last(monkeypatch) -> None:
    region = region_of(plain_model(), "box", [7.0, 1.0], [2.0, 1.0])
    close = ["close", [[0, 1]]]
    steps = [["halve", 0], close, close]
    monkeypatch.setattr(check, "MOST_STEPS", 3)
    assert proves(steps, ABOVE, region, Fraction(1))
    monkeypatch.setattr(check, "MOST_STEPS", 2)
    with pytest.raises(check.Refused, match="a proof is not a list of steps"):
        check.check_proof(steps, ABOVE, region, Fraction(1), None)
    # An `or` of five denied: with each part taken, what is assumed and what still waits are 5 and then one more.
    formula = [["stronger", 0, 1], ["or", 0, 0, 0, 0, 0]]
    for limit, fine in ((5, True), (4, False)):
        monkeypatch.setattr(check, "MOST_LITERALS", limit)
        literals: list[Any] = []
        if fine:
            check.assume(formula, region, [(1, False)], literals, [])
            assert len(literals) == 5
        else:
            with pytest.raises(check.Refused, match="too many literals"):
                check.assume(formula, region, [(1, False)], literals, [])


def assumed(formula: Any, wanted: bool, model: check.Model) -> tuple[list[Any], list[Any]]:
    literals: list[Any] = []
    pending: list[Any] = []
    box = region_of(model, "box", [0.0] * model.dimension, [1.0] * model.dimension)
    check.assume(formula, box, [(len(formula) - 1, wanted)], literals, pending)
    return literals, pending


def test_what_a_formula_assumes_is_that_of_its_truth_table() -> None:
    model = check.Model(body_of(), check.Budget())
    above, below = check.Above(3, 4, True), check.Above(4, 3, False)
    other, opposite = check.Above(5, 3, True), check.Above(3, 5, False)
    table = [["stronger", 0, 1], ["stronger", 2, 0]]
    assert assumed(table[:1], True, model) == ([above], [])
    assert assumed(table[:1], False, model) == ([below], [])
    assert assumed([*table[:1], ["not", 0]], True, model) == ([below], [])
    assert assumed([*table, ["and", 0, 1]], True, model) == ([above, other], [])
    assert assumed([*table, ["and", 0, 1]], False, model) == ([], [[[(0, False)], [(1, False)]]])
    assert assumed([*table, ["or", 0, 1]], False, model) == ([below, opposite], [])
    assert assumed([*table, ["or", 0, 1]], True, model) == ([], [[[(0, True)], [(1, True)]]])
    assert assumed([*table, ["implies", 0, 1]], False, model) == ([above, opposite], [])
    assert assumed([*table, ["implies", 0, 1]], True, model) == ([], [[[(0, False)], [(1, True)]]])
    assert assumed([*table, ["iff", 0, 1]], True, model) == ([], [[[(0, True), (1, True)], [(0, False), (1, False)]]])
    assert assumed([*table, ["iff", 0, 1]], False, model) == ([], [[[(0, True), (1, False)], [(0, False), (1, True)]]])
    assert assumed([table[0], ["or", 0]], True, model) == ([above], [])
    assert assumed([table[0], ["and", 0]], False, model) == ([below], [])
    assert assumed([["predict", 1]], True, model) == ([check.Above(1, 0, True), check.Above(1, 2, True)], [])
    assert assumed([["predict", 1]], False, model) == ([], [[[check.Above(0, 1, False)], [check.Above(2, 1, False)]]])
    half = Fraction(1, 2)
    assert assumed([["predict", 1, "1/2"]], True, model) == (
        [check.Above(1, 0, False, half), check.Above(1, 2, False, half)],
        [],
    )
    assert assumed([["predict", 1, "1/2"]], False, model) == (
        [], [[[check.Above(0, 1, True, -half)], [check.Above(2, 1, True, -half)]]],
    )  # fmt: skip


@pytest.mark.parametrize(("limit", "linear"), [("0", True), ("1", False), ("-1", False), ("1/4", False)])
def test_presence_is_linear_for_a_threshold_of_nought_alone(limit: str, linear: bool) -> None:
    model = check.Model(body_of(thresholds={"k1": limit}), check.Budget())
    for wanted in (True, False):
        (literal,), _ = assumed([["has", 1]], wanted, model)
        expected = check.Above(4, 6, True) if wanted else check.Above(6, 4, False)
        assert literal == (expected if linear else check.Has(1, wanted))


def test_presence_is_a_row_and_a_bar_where_the_length_is_read() -> None:
    model = check.Model(body_of(), check.Budget())
    for presence in (False, True):
        width = 4 if presence else 2
        span = {
            "shape": "span",
            "centre": [0.0] * width,
            "factor": [[0.0] * width] * width,
            "reads": joint(None, presence),
        }
        place: Any = check.read_region(encoded_region(span), model)
        literals: list[Any] = []
        if presence:
            check.assume([["has", 1]], place, [(0, True)], literals, [])
            assert literals == [check.Above(4, 9, True)]
        else:
            with pytest.raises(check.Refused, match="does not read what hasCon asks for"):
                check.assume([["has", 1]], place, [(0, True)], literals, [])


# ---------------------------------------------------------------- bands

BAND = {"shape": "band", "factor": [0.0] * 6, "reads": joint(None, False)}
# Pairs of strengths in order: (3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4).


@pytest.mark.parametrize(
    ("gaps", "step", "closes"),
    [
        # k0 at least 1 above k1; denied: k1 at least k0.
        ([1.0, 0, 0, 0, 0, 0], ["cycle", [[0, 1]], [0]], True),
        ([0.0, 0, 0, 0, 0, 0], ["cycle", [[0, 1]], [0]], False),
        ([-1.0, 0, 0, 0, 0, 0], ["cycle", [[0, 1]], [0]], False),
        # k0 above k2 by 1, k2 above k1 by -1/2.
        ([-9.0, 1.0, -9, -9, -9, -0.5], ["cycle", [[0, 1]], [1, 5]], True),
        ([-9.0, 1.0, -9, -9, -9, -1.0], ["cycle", [[0, 1]], [1, 5]], False),
        ([1.0, 0, 0, 0, 0, 0], ["cycle", [[0, 2]], [0, 0]], True),
    ],
)
def test_a_cycle_closes_where_its_gaps_add_up_to_more_than_nought(gaps: list[float], step: Any, closes: bool) -> None:
    model = check.Model(body_of(), check.Budget())
    band: Any = check.read_region(encoded_region(BAND | {"centre": gaps}), model)
    assert proves([step], ABOVE, band, Fraction(1)) is closes


def test_a_cycle_of_nought_closes_with_a_strict_literal() -> None:
    model = check.Model(body_of(), check.Budget())
    band: Any = check.read_region(encoded_region(BAND | {"centre": [0.0] * 6}), model)
    assert proves([["cycle", [[0, 1]], [0]]], DENIED, band, Fraction(1))
    assert not proves([["cycle", [[0, 1]], [0]]], ABOVE, band, Fraction(1))
    below: Any = check.read_region(encoded_region(BAND | {"centre": [-(2.0**-40)] + [0.0] * 5}), model)
    assert not proves([["cycle", [[0, 1]], [0]]], DENIED, below, Fraction(1))


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (["cycle", [[0, 1]], [1]], "does not return"),
        (["cycle", [[0, 1]], []], "does not return"),
        (["cycle", [[0, 1]], [6]], "an axis of the band is not an integer from 0 to 5"),
        (["cycle", [[0, 1]], [-1]], "an axis of the band is not an integer from 0 to 5"),
        (["cycle", [[0, 1]], {}], "a cycle has the wrong shape"),
        (["cycle", [[0, 1]]], "a cycle has the wrong shape"),
        (["cycle", [[0, 1]], [0], 0], "a cycle has the wrong shape"),
        (["close", [[0, 1]], [0]], "a cycle has the wrong shape"),
    ],
)
def test_what_is_no_cycle_is_refused(step: Any, why: str) -> None:
    model = check.Model(body_of(), check.Budget())
    band: Any = check.read_region(encoded_region(BAND | {"centre": [1.0] * 6}), model)
    with pytest.raises(check.Refused, match=why):
        check.check_proof([step], ABOVE, band, Fraction(1), None)


@pytest.mark.parametrize("size", [Fraction(1, 2), Fraction(3)])
def test_a_band_is_empty_at_the_sizes_at_which_a_cycle_is_above_itself(size: Fraction) -> None:
    model = check.Model(body_of(), check.Budget())
    # 1 - size and -1/2: together above 0 below a size of 1/2 alone.
    band: Any = check.read_region(
        encoded_region(BAND | {"centre": [1.0, -9, -0.5, -9, -9, -9], "factor": [1.0, 0, 0, 0, 0, 0]}), model
    )
    assert band.empty(size) is False
    assert band.empty(Fraction(1, 2) - STEP) is True
    assert band.empty(size) is False


# ---------------------------------------------------------------- cones


def value_of(parts: Sequence[Any], constant: Fraction, w: Sequence[Fraction]) -> Fraction:
    return constant + sum(
        (
            weight * (sum((v * x for v, x in zip(slope, w, strict=True)), Fraction(0)) + start)
            for weight, slope, start in parts
        ),
        Fraction(0),
    )


# Lenses and regions of different powers of two: y = (x/2 + 1/4, y/4), strengths over 8.
CONE_LENS = ([[0.5, 0.0], [0.0, 0.25]], [0.25, 0.0], [[0.5, 0.125], [-0.5, 1.0]])
CONE_HEAD = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
GRID = [(Fraction(a, 4), Fraction(b, 4)) for a in range(-4, 5) for b in range(-4, 5)]
SPARSE = GRID[::5]


def cone_world(limit: str, shape: str) -> tuple[check.Model, Any, Any]:
    model = check.Model(body_of(head=CONE_HEAD, lens=CONE_LENS, thresholds={"k0": limit, "k1": limit}), check.Budget())
    factor: Any = [1.5, 3.0] if shape == "box" else [[1.5, 0.5], [1.0, 3.0]]
    value = {"shape": shape, "centre": [0.75, -2.0], "factor": factor, "reads": None}
    return model, check.read_region(encoded_region(value), model), value


def moved(value: Any, w: Sequence[Fraction]) -> list[Fraction]:
    rows = value["factor"]
    if value["shape"] == "box":
        return [Fraction(c) + Fraction(s) * x for c, s, x in zip(value["centre"], rows, w, strict=True)]
    return [
        Fraction(c) + sum(Fraction(v) * x for v, x in zip(row, w, strict=True))
        for c, row in zip(value["centre"], rows, strict=True)
    ]


@pytest.mark.parametrize("shape", ["box", "pca-box", "ellipsoid"])
@pytest.mark.parametrize("limit", ["1/3", "-2/5"])
@pytest.mark.parametrize("concept", [0, 1])
def test_where_presence_is_convex_a_vector_of_length_one_gives_the_bound(shape: str, limit: str, concept: int) -> None:
    """Above ±(q'y - t |y|) lies ±q'y - |t| p'y."""
    _, region, value = cone_world(limit, shape)
    wanted = Fraction(limit) > 0
    sign = 1 if wanted else -1
    for p in ([0.6, 0.75], [1.0, 0.0], [-0.5, 0.25], [0.0, 0.0]):
        parts, constant = check.cone(check.Has(concept, wanted), f8(p), region, (Fraction(1), {}))
        assert constant == 0
        for w in GRID[::7]:
            z = moved(value, w)
            _, strengths, _ = readings(z, CONE_HEAD, CONE_LENS)
            y = [z[0] / 2 + Fraction(1, 4), z[1] / 4]
            expected = sign * strengths[concept] - abs(Fraction(limit)) * sum(
                Fraction(a) * b for a, b in zip(p, y, strict=True)
            )
            assert value_of(parts, constant, w) == expected * 2**region.exponent
    # 3/5 and 4/5 are no float64: the nearest above is longer than 1, as is one more bit.
    for p in ([1.0, 2.0**-30], [0.6, 0.8000000000000002], [-1.0000000000000002, 0.0]):
        with pytest.raises(check.Refused, match="longer than 1"):
            check.cone(check.Has(concept, wanted), f8(p), region, (Fraction(1), {}))


@pytest.mark.parametrize(
    ("shape", "narrow"), [("box", False), ("box", True), ("pca-box", False), ("pca-box", True), ("ellipsoid", False)]
)
@pytest.mark.parametrize("limit", ["1/3", "-2/5"])
def test_elsewhere_squares_lie_under_their_chords(shape: str, limit: str, narrow: bool) -> None:
    """|y| <= (|y|^2 + s^2) / 2s, and y_e^2 <= (low + high) y_e - low high between the ends that it reaches."""
    model, region, value = cone_world(limit, shape)
    wanted, size, s = Fraction(limit) < 0, Fraction(2, 3), Fraction(5, 7)
    sign = 1 if wanted else -1
    ends = {1: (Fraction(-1, 2), Fraction(1, 4))} if narrow else {}
    parts, constant = check.cone(check.Has(1, wanted), str(s), region, (size, ends))
    sides = [ends.get(axis, (-size, size)) for axis in range(2)]
    rows = [[Fraction(value["factor"][0]), Fraction(0)], [Fraction(0), Fraction(value["factor"][1])]] if shape == "box" else [
        [Fraction(v) for v in row] for row in value["factor"]
    ]  # fmt: skip
    scale, shift, seen = [Fraction(1, 2), Fraction(1, 4)], [Fraction(1, 4), Fraction(0)], 0
    reached = []
    for e in range(2):
        slope = [scale[e] * v for v in rows[e]]
        middle = scale[e] * Fraction(value["centre"][e]) + shift[e]
        if shape == "ellipsoid":
            unit = 2 ** (model.mapped.shift + region.shift)
            # The root above: rounded up to the next of these units.
            wide = Fraction(check.root_above(int(sum(v * v for v in slope) * unit**2)), unit) * size
            reached.append((middle - wide, middle + wide))
        else:
            corners = [slope[0] * a + slope[1] * b for a in sides[0] for b in sides[1]]
            reached.append((middle + min(corners), middle + max(corners)))
    for w in GRID:
        if not all(low <= x <= high for x, (low, high) in zip(w, sides, strict=True)):
            continue
        seen += 1
        z = moved(value, w)
        _, strengths, squared = readings(z, CONE_HEAD, CONE_LENS)
        y = [z[0] / 2 + Fraction(1, 4), z[1] / 4]
        chords = sum((low + high) * v - low * high for v, (low, high) in zip(y, reached, strict=True))
        expected = sign * strengths[1] + abs(Fraction(limit)) * (chords + s * s) / (2 * s)
        assert value_of(parts, constant, w) == expected * 2**region.exponent
        if shape != "ellipsoid":
            assert squared <= chords
    assert seen > 5


@pytest.mark.parametrize(
    ("bound", "why"), [("0", "not positive"), ("-1", "not positive"), ([0.5, 0.5], "not a fraction")]
)
def test_a_scale_is_a_positive_fraction(bound: object, why: str) -> None:
    _, region, _ = cone_world("1/3", "box")
    with pytest.raises(check.Refused, match=why):
        check.cone(check.Has(0, False), bound, region, (Fraction(1), {}))


def test_a_proof_of_absence_by_a_chord_is_accepted_up_to_its_tie() -> None:
    """y is (x, 4), x from -size to size, and q'y is 8 everywhere; hasCon denied says 8 <= |y|."""
    lens = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[0.0, 2.0]])
    model = plain_model(lens=lens, thresholds={"k0": "1"})
    region = region_of(model, "box", [0.0, 4.0], [1.0, 0.0])
    # |y| <= (x^2 + 16 + s^2) / 2s and x^2 <= size^2: with s = 4 the bound is -8 + (size^2 + 32) / 8, nought at size^2 = 32.
    # With s = 5 it is -8 + (size^2 + 41) / 10, nought at size^2 = 39; with s = 8: -8 + (size^2 + 80) / 16, at 48.
    for s, square in ((4, 32), (5, 39), (8, 48), (16, -16)):
        steps = [["close", [[0, 3]], [[0, str(s)]]]]
        for size in (Fraction(5), Fraction(23, 4), Fraction(6), Fraction(13, 2), Fraction(27, 4), Fraction(7)):
            assert proves(steps, [["has", 0]], region, size) is (size * size < square)


def test_a_proof_of_presence_is_accepted_up_to_its_tie() -> None:
    """y is (x, 4) with x from 3 - size to 3 + size, t = 4/5 for the second axis: q'y = 4 and t |y| = 4 at x = 3."""
    lens = ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[0.0, 1.0], [0.0, -1.0]])
    model = plain_model(lens=lens, thresholds={"k0": "4/5", "k1": "-4/5"})
    region = region_of(model, "box", [3.0, 4.0], [1.0, 0.0])
    far = region_of(model, "box", [4.0, 3.0], [1.0, 0.0])
    absent = [["has", 0], ["not", 0]]
    # Denied, q'y > 4/5 |y| is strict. With p = (3/4, 1/2) its bound is 3 - 4/5 (3/4 (4 + w) + 3/2) = -3/5 - 3/5 w.
    steps = [["close", [[0, 1]], [[0, f8([0.75, 0.5])]]]]
    assert proves(steps, absent, far, Fraction(1) - STEP)
    assert proves(steps, absent, far, Fraction(1))
    assert not proves(steps, absent, far, 1 + STEP)
    # hasCon(k1) with t = -4/5, denied: -4 <= -4/5 |y|, that is |y| <= 5, not strict: its convex side, met at x = 3.
    near = [["close", [[0, 1]], [[0, f8([1.0, 0.0])]]]]
    assert not proves(near, [["has", 1]], region, Fraction(0))
    with pytest.raises(check.Refused, match="a hasCon literal without its bound"):
        check.check_proof([["close", [[0, 1]], [[1, f8([1.0, 0.0])]]]], [["has", 1]], region, Fraction(0), None)


# ---------------------------------------------------------------- heads with ReLU layers

DEEP = [
    ([[1.0, -0.5], [0.25, 1.0], [-1.0, 2.0]], [0.5, -0.125, 0.25]),
    ([[1.0, 0.5, -1.0], [-2.0, 1.0, 0.5]], [0.125, 0.5]),
    ([[1.0, 0.25], [-0.5, 1.0], [0.5, -2.0]], [0.25, 0.0, -1.0]),
]
DEEP_BOX = BOX | {"centre": [0.25, -0.5], "factor": [0.75, 0.5]}
DEEP_BALL = BOX | {"shape": "ellipsoid", "centre": [0.25, -0.5], "factor": [[0.75, 0.25], [0.0, 0.5]]}


def box_bounds(size: Fraction) -> list[list[tuple[Fraction, Fraction]]]:
    """Interval arithmetic over the box, in fractions."""
    axes = zip(exactly(DEEP_BOX["centre"]), exactly(DEEP_BOX["factor"]), strict=True)
    ends = [(c - size * s, c + size * s) for c, s in axes]
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


@pytest.mark.parametrize("size", [Fraction(1), Fraction(1, 3)])
def test_neurons_are_bounded_by_interval_arithmetic(size: Fraction) -> None:
    model = check.Model(body_of(head=DEEP), check.Budget())
    region: Any = check.read_region(encoded_region(DEEP_BOX), model)
    layers = check.neuron_bounds(model, region, size)
    assert [[(Fraction(a, unit), Fraction(b, unit)) for a, b in bounds] for bounds, unit in layers] == box_bounds(size)


def test_neurons_over_an_ellipsoid_are_bounded_by_the_next_whole_root() -> None:
    model = check.Model(body_of(head=DEEP), check.Budget())
    region: Any = check.read_region(encoded_region(DEEP_BALL), model)
    size = Fraction(2, 3)
    (bounds, unit), *_ = check.neuron_bounds(model, region, size)
    assert len(bounds) == 3
    for (low, high), row, constant in zip(bounds, DEEP[0][0], DEEP[0][1], strict=True):
        middle = sum(Fraction(v) * Fraction(c) for v, c in zip(row, DEEP_BALL["centre"], strict=True)) + Fraction(
            constant
        )
        slope = [sum(Fraction(row[k]) * Fraction(DEEP_BALL["factor"][k][axis]) for k in range(2)) for axis in range(2)]
        squared = sum(v * v for v in slope) * size * size
        assert Fraction(low + high, 2 * unit) == middle
        wide = Fraction(high - low, 2 * unit)
        assert squared < wide**2
        # One unit of the first layer, times the size, is all that is given away.
        assert (wide - size * Fraction(1, 2 ** (model.layers[0].shift + region.shift))) ** 2 <= squared


Neurons = dict[tuple[int, int], Any]


def relaxed(
    weights: dict[int, Fraction], slopes: Neurons, size: Fraction, phases: Neurons
) -> tuple[list[Fraction], Fraction]:
    """CROWN backwards through the layers, in fractions: slope in z and constant of a form above the weighted logits."""
    bounds = box_bounds(size)
    outer, constant = [Fraction(weights.get(c, 0)) for c in range(3)], Fraction(0)
    for depth in (2, 1, 0):
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
            slope = slopes.get(key, Fraction(0))
            if phases.get(key, low >= 0):
                outer.append(number + slope)
            elif key in phases or high <= 0:
                outer.append(-slope)
            elif number > 0:
                outer.append(number * high / (high - low))
                constant -= number * high / (high - low) * low
            else:
                outer.append(number * slope)
    raise AssertionError


@pytest.mark.parametrize("seed", range(24))
def test_the_bound_of_a_relu_head_is_crown_s_and_is_above_its_logits(seed: int) -> None:
    random = Random(seed)
    model = check.Model(body_of(head=DEEP), check.Budget())
    region: Any = check.read_region(encoded_region(DEEP_BOX), model)
    size = Fraction(random.choice((1, 2)), random.choice((1, 3)))
    weights = {k: Fraction(random.randint(-3, 3), random.choice((1, 3))) for k in range(3)}
    keys = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    phases = {key: random.random() < 0.5 for key in keys if random.random() < 0.3}
    slopes = {key: Fraction(random.randint(0, 4), 4) for key in keys if random.random() < 0.7}
    given_slopes = [[*key, str(value)] for key, value in slopes.items()]
    weight, slope, start = check.relaxed_head(weights, given_slopes, region, (size, phases))
    expected, constant = relaxed(weights, slopes, size, phases)
    for place in SPARSE:
        w = [x * size for x in place]
        z = [Fraction(c) + Fraction(s) * x for c, s, x in zip(DEEP_BOX["centre"], DEEP_BOX["factor"], w, strict=True)]
        form = sum((a * b for a, b in zip(expected, z, strict=True)), constant)
        bound = weight * (sum((v * x for v, x in zip(slope, w, strict=True)), Fraction(0)) + start) / 2**region.exponent
        assert bound == form
        if not phases:
            logits, _, _ = readings(z, DEEP)
            # A multiplier of a condition adds its neuron where that is known to have its sign.
            assert sum(weights[k] * logits[k] for k in range(3)) <= bound


def test_neurons_whose_ends_are_nought_are_known_and_others_are_not() -> None:
    """Pre-activations from -1 to 1, from 0 to 2, from -2 to 0, over a box of whole numbers."""
    head = [
        ([[1.0, 0.0]] * 3, [0.0, 1.0, -1.0]),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0, 0.0, 0.0]),
    ]
    model = plain_model(head=head)
    region = region_of(model, "box", [0.0, 0.0], [1.0, 1.0])
    assert check.neuron_bounds(model, region, Fraction(1)) == [([(-1, 1), (0, 2), (-2, 0)], 1)]
    half = Fraction(1, 2)
    slopes = [[0, k, "1/2"] for k in range(3)]
    # (class, its weight): slope in w and constant of the bound, by the table of the page.
    expected = {
        (0, 1): (half, half), (0, -1): (-half, 0), (1, 1): (Fraction(3, 2), Fraction(3, 2)), (1, -1): (-half, -half),
        (2, 1): (-half, half), (2, -1): (-half, half),
    }  # fmt: skip
    for (index, weight), (slope, constant) in expected.items():
        own = [entry for entry in slopes if entry[1] == index]
        factor, row, start = check.relaxed_head({index: Fraction(weight)}, own, region, (Fraction(1), {}))
        assert [factor * v / 2**region.exponent for v in row] == [slope, 0]
        assert factor * start / 2**region.exponent == constant


@pytest.mark.parametrize(
    ("slopes", "why"),
    [
        ({}, "bad slopes"), ([[0, 0]], "bad slopes"), ([["0", 0, "1"]], "bad slopes"), ([[0, True, "1"]], "bad slopes"),
        ([[True, 0, "1"]], "bad slopes"), ([(0, 0, "1")], "bad slopes"),
        ([[0, 0, "1"], [0, 0, "1"]], "a neuron has two slopes"), ([[0, 0, "-1/2"]], "a slope is negative"),
        ([[0, 0, 1]], "a slope is not a fraction"),
    ],
)  # fmt: skip
def test_slopes_of_another_form_are_refused(slopes: Any, why: str) -> None:
    model = check.Model(body_of(head=DEEP), check.Budget())
    region: Any = check.read_region(encoded_region(DEEP_BOX), model)
    with pytest.raises(check.Refused, match=why):
        check.relaxed_head({0: Fraction(1)}, slopes, region, (Fraction(1), {}))


def test_a_lower_line_is_no_steeper_than_the_neuron() -> None:
    model = check.Model(body_of(head=DEEP), check.Budget())
    region: Any = check.read_region(encoded_region(DEEP_BOX), model)
    open_ones = [(0, k) for k, (low, high) in enumerate(box_bounds(Fraction(1))[0]) if low < 0 < high]
    assert len(open_ones) == 2
    for sign in (1, -1):
        weights = {0: Fraction(sign)}
        ends: Any = (Fraction(1), {})
        assert check.relaxed_head(weights, [[*key, "1"] for key in open_ones], region, ends)
        with pytest.raises(check.Refused, match="a slope is larger than 1"):
            check.relaxed_head(weights, [[*key, "9/8"] for key in open_ones], region, ends)


def phase_model() -> check.Model:
    """Logits are relu(x) and 1/4 - relu(-x) over strengths of no interest: c0 above c1 exactly where |x| > 1/4."""
    head = [([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0]), ([[1.0, 0.0], [0.0, -1.0]], [0.0, 0.25])]
    return plain_model(head=head)


def test_a_head_is_split_by_the_sign_of_a_neuron_off_and_on() -> None:
    region = region_of(phase_model(), "box", [0.0, 0.0], [1.0, 0.0])
    # relu(x) + relu(-x) + 1/4 > 0, as `c0 is more than -1/2 above c1` cannot be said: predict(c1) or x is not small.
    formula = [["predict", 1], ["not", 0]]
    # At x = 0 c1 leads: no proof of the opposite, whatever is split.
    close = ["close", [[0, 1]], [], []]
    for steps in (
        [close],
        [["phase", 0, 0], close, close],
        [["phase", 0, 0], ["phase", 0, 1], close, close, ["phase", 0, 1], close, close],
    ):
        assert not proves(steps, formula, region, Fraction(1))
    far = region_of(phase_model(), "box", [0.0, 0.0], [0.125, 0.0])
    # |x| <= 1/8: c0 - c1 = |x| - 1/4 < 0, c1 is predicted; denied c0 >= c1, one disjunction of one.
    opened = ["open", 0]
    assert proves([opened, ["phase", 0, 0], close, close], [["predict", 1]], far, Fraction(1))
    for without in (["close", [[0, 1]]], ["close", [[0, 1]], []]):
        assert proves([opened, without], [["predict", 1]], far, Fraction(1))
    # Up to a size of 2, where |x| = 1/4 is a tie that predicts nothing.
    signs = [opened, ["phase", 0, 0], ["phase", 0, 1], close, close, ["phase", 0, 1], close, close]
    assert [proves(signs, [["predict", 1]], far, 2 * scale) for scale in (1 - STEP, Fraction(1))] == [True, False]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (["phase", 1, 0], "a layer is not an integer from 0 to 0"),
        (["phase", -1, 0], "a layer is not an integer from 0 to 0"),
        (["phase", 0, 2], "a neuron is not an integer from 0 to 1"),
        (["phase", 0, -1], "a neuron is not an integer from 0 to 1"),
        (["phase", 0], "unknown kind of step"),
        (["phase", 0, 0, 0], "unknown kind of step"),
        (["split", 0, 0], "unknown kind of step"),
    ],
)
def test_only_neurons_are_split(step: Any, why: str) -> None:
    region = region_of(phase_model(), "box", [0.0, 0.0], [1.0, 0.0])
    with pytest.raises(check.Refused, match=why):
        check.check_proof([["open", 0], step], [["predict", 1]], region, Fraction(1), None)


# ---------------------------------------------------------------- segments


def line(gradient: Sequence[int], step: Sequence[int], exponent: int) -> Any:
    """A segment whose concept has this gradient: integers alone are asked for."""
    model = SimpleNamespace(classes=2, row=lambda index: (gradient, 0))
    return SimpleNamespace(model=model, columns=[step], exponent=exponent)


def test_a_step_is_along_the_gradient_within_the_last_bit_that_is_allowed() -> None:
    """The angle whose sine is exactly 2**-32: 2**64 - 1 is a sum of four squares."""
    four = next(
        [b, c, d, e]
        for b in [2**32 - 1]
        for c in range(92681, 0, -1)
        for d in range(1, 600)
        if (rest := 2**64 - 1 - b * b - c * c - d * d) > 0 and (e := check.root_above(rest) - 1) ** 2 == rest
    )
    exact_angle = [2**64 - 1, *four]
    along = [1, 0, 0, 0, 0]
    assert check.rise(line(along, exact_angle, 64), 0) == Fraction(2**64 - 1, 2**64)
    steeper = [2**64 - 1, four[0] + 1, *four[1:]]
    with pytest.raises(check.Refused, match="not that in which"):
        check.rise(line(along, steeper, 64), 0)


@pytest.mark.parametrize(("off", "fine"), [(0, True), (1, True), (2, False), (-1, True), (-2, False)])
def test_a_step_raises_the_strength_by_one_within_a_part_in_four_billion(off: int, fine: bool) -> None:
    region = line([1, 0], [2**32 + off, 0], 32)
    if fine:
        assert check.rise(region, 0) == 1 + Fraction(off, 2**32)
    else:
        with pytest.raises(check.Refused, match="rises by 1"):
            check.rise(region, 0)
