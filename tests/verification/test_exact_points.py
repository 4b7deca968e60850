"""Exact points of the engine: the truth of formulas at embeddings, coordinates and corners, with leads and thresholds."""

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.regions import Box, Ellipsoid, PrincipalBox, Region
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.verification.engine.batch import RegionForms
from conspect.verification.engine.exact import ExactModel, ExactRegion
from conspect.verification.engine.integers import rational_vector
from conspect.verification.engine.points import SHRINKS, SizedRegion
from conspect.verification.queries.formula_table import lead_of, leads_asked
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel
from conspect.verification.queries.negation import AtomRows, ConeLiteral, LinearLiteral
from tests.checker.formulas import FORMULA, tabled, truth
from tests.checker.handmade import HEAD, LENS, readings

DEEP: Any = [([[1.0, -0.5], [0.25, 1.0]], [0.5, -0.125]), ([[1.0, 0.5], [-2.0, 1.0], [0.25, 0.0]], [0.0, 0.5, 1.0])]
THRESHOLDS = {0: Fraction(1, 4), 1: Fraction(-1, 3), 2: Fraction(0)}
NAMES = ("c0", "c1", "c2"), ("k0", "k1", "k2")
REGIONS: dict[str, Region] = {
    "box": Box(np.array([0.5, -3.0]), np.array([2.0, 0.125]), Fraction(3, 7)),
    "pca-box": PrincipalBox(np.array([0.25, 1.0]), np.array([[1.0, 2.0], [-0.5, 3.0]]), Fraction(3, 7)),
    "ellipsoid": Ellipsoid(np.array([4.0, 1.0]), np.array([[1.0, 0.25], [3.0, -1.0]]), Fraction(3, 7)),
}


def sized(shape: str, head: Any = HEAD, leads: tuple[Fraction, ...] = ()) -> SizedRegion:
    layers = tuple(AffineMap(np.array(weight), np.array(offset)) for weight, offset in head)
    lens = Lens(AffineMap(np.array(LENS[0]), np.array(LENS[1])), NAMES[1], np.array(LENS[2]))
    rows, region = AtomRows(3, 3, THRESHOLDS, leads), REGIONS[shape]
    model = ExactModel.of(layers[0] if len(layers) == 1 else None, 3, lens)
    base = AffineMap(np.zeros((rows.rows, 2)), np.zeros(rows.rows))
    return SizedRegion(
        ExactRegion(region, model, rows), RegionForms.of(region, base), region.size, rows, Head(layers), lens.alignment
    )


def moved(region: Region, w: list[Fraction]) -> list[Fraction]:
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    rows = zip(region.centre.tolist(), factor.tolist(), strict=True)
    return [Fraction(c) + sum(Fraction(v) * x for v, x in zip(row, w, strict=True)) for c, row in rows]


def has_of(strengths: list[Fraction], squared: Fraction) -> list[bool]:
    """s > t |y|, by signs and squares."""
    has = []
    for k, strength in enumerate(strengths):
        t = THRESHOLDS[k]
        right = t * t * squared
        if strength >= 0:
            has.append(bool(squared) and (t < 0 or strength * strength > right) if strength or t < 0 else False)
        else:
            has.append(t < 0 and strength * strength < right)
    return has


@pytest.mark.parametrize("shape", list(REGIONS))
@pytest.mark.parametrize("head", [HEAD, DEEP])
@given(FORMULA, st.integers(0, 10**6))
def test_formulas_are_true_where_the_semantics_say(shape: str, head: Any, formula: Any, seed: int) -> None:
    table: list[Any] = []
    tabled(formula, table)
    nodes = tuple(map(tuple, table))
    place = sized(shape, head, tuple(sorted(leads_asked(nodes))))
    random = Random(seed)
    w = [Fraction(random.randint(-40, 40), 8) for _ in range(2)]
    z = moved(REGIONS[shape], w)
    logits, strengths, squared = readings(z, head)
    expected = truth(formula, logits, strengths, has_of(strengths, squared))
    at = place.at_coordinates(rational_vector(w))
    assert at.point.makes_true(nodes) is expected
    assert at.witness.kind == "coordinates"
    assert at.witness.floats == pytest.approx([float(v) for v in z])
    direct = place._point(rational_vector(z), rational_vector(z))
    assert direct.makes_true(nodes) is expected
    for point in (at.point, direct):
        for row in range(3, 6):
            assert point.numerator(row - 3) == strengths[row - 3]
        assert point.squared_norm() == squared
        signs = [(point.value(a) > point.value(b), logits[a] > logits[b]) for a in range(3) for b in range(3)]
        assert all(got == wanted for got, wanted in signs)
        for first in range(3, 7):
            for second in range(3, 7):
                values = [*logits, *strengths, Fraction(0)]
                gap = values[first] - values[second]
                assert point.satisfies(LinearLiteral(first, second, True)) is (gap > 0)
                assert point.satisfies(LinearLiteral(first, second, False)) is (gap >= 0)
        for concept, there in enumerate(has_of(strengths, squared)):
            assert point.satisfies(ConeLiteral(concept, True)) is there
            assert point.satisfies(ConeLiteral(concept, False)) is not there
        reading = point.reading(nodes, NAMES)
        lead = max((lead_of(node) for node in nodes if node[0] == "predict"), default=Fraction(0))
        if lead:
            assert list(reading.logits) == logits
        if any(node[0] == "has" for node in nodes):
            assert reading.squared_norm == squared


@pytest.mark.parametrize("shape", list(REGIONS))
def test_float_coordinates_are_moved_inside(shape: str) -> None:
    place, region = sized(shape), REGIONS[shape]
    size = region.size
    edge = np.array([0.6, -0.8]) if shape == "ellipsoid" else np.array([1.0, -0.25])
    at = place.inside(edge)
    assert at is not None
    if shape == "box":
        assert at.witness.kind == "embedding"
        z = [Fraction(v, at.witness.vector.denominator) for v in at.witness.vector.integers]
        assert all(
            abs(v - Fraction(c)) <= size * Fraction(s)
            for v, c, s in zip(z, region.centre.tolist(), region.factor.tolist(), strict=True)
        )
        assert at.witness.floats == pytest.approx(region.points((edge * float(size))[None])[0], rel=1e-9)
    else:
        assert at.witness.kind == "coordinates"
        w = [Fraction(v, at.witness.vector.denominator) for v in at.witness.vector.integers]
        inside = sum(v * v for v in w) <= size**2 if shape == "ellipsoid" else max(map(abs, w)) <= size
        assert inside
        assert [float(v) for v in w] == pytest.approx((edge * float(size)).tolist(), rel=1e-9)
    assert place.inside(edge) is at
    assert place.inside(edge * 1.001) is None
    assert place.inside(np.array([np.nan, 0.0])) is None
    assert SHRINKS == (1e-15, 1e-14, 1e-12, 0.0)


@pytest.mark.parametrize("shape", ["box", "pca-box"])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_corners_are_exact_and_shown_from_within(shape: str, signs: tuple[int, int]) -> None:
    place, region = sized(shape), REGIONS[shape]
    at = place.inside(np.array(signs, dtype=float))
    assert at is not None
    assert at.witness.kind == "corner"
    w = [s * region.size for s in signs]
    assert [Fraction(v, at.witness.vector.denominator) for v in at.witness.vector.integers] == w
    logits, strengths, _ = readings(moved(region, w))
    unit = region.size.denominator << place.region.forms.shift
    assert [Fraction(at.point.value(k)) / unit for k in range(6)] == [*logits, *strengths]
    exact = moved(region, w)
    for shown, corner, centre in zip(at.witness.floats.tolist(), exact, region.centre.tolist(), strict=True):
        assert shown == pytest.approx(float(corner), rel=1e-12)
        if shape == "box":
            assert abs(Fraction(shown) - Fraction(centre)) < abs(corner - Fraction(centre))
    deep = sized(shape, DEEP).inside(np.array(signs, dtype=float))
    assert deep is not None
    assert deep.witness.kind != "corner"


def test_a_model_says_what_does_not_fit() -> None:
    head = Head((AffineMap(np.eye(2), np.zeros(2)),))
    lens = Lens(AffineMap(np.eye(2), np.zeros(2)), ("a", "b"), np.eye(2))
    split = EmbeddingSplit(np.zeros((1, 2)), np.zeros(1, dtype=np.int64), ("i",))
    splits = dict.fromkeys(("train", "val", "test"), split)
    model = VerificationModel(head, lens, ("x", "y"), splits, {"a": 0.5, "b": float("nan")})
    assert (model.thresholds, model.dimension, model.concept_names) == ({"a": 0.5}, 2, ("a", "b"))
    with pytest.raises(ValueError, match="1 class names for 2 logits"):
        VerificationModel(head, lens, ("x",), splits)
    with pytest.raises(ValueError, match="differ in number"):
        VerificationModel(head, Lens(lens.alignment, ("a",), np.eye(2)), ("x", "y"), splits)
    for missing in splits:
        with pytest.raises(ValueError, match=missing):
            VerificationModel(head, lens, ("x", "y"), {k: v for k, v in splits.items() if k != missing})
    for rows, labels, ids in ((2, 1, 1), (1, 2, 1), (1, 1, 2)):
        with pytest.raises(ValueError, match="differ in length"):
            EmbeddingSplit(np.zeros((rows, 2)), np.zeros(labels, dtype=np.int64), ("i",) * ids)
