"""Regions of readouts by value: their shapes, who lies inside, exactly, and how the largest proved size is searched for."""

from fractions import Fraction
from math import inf, nextafter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.diagnostics import UserError
from conspect.core.regions import Box
from conspect.language import check_text
from conspect.language.syntax.tree import Formula, HasConcept, Implies, Predict, Stronger
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.numbers import require_squarable
from conspect.verification.queries.planning import names_of, plan
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.membership import Membership
from conspect.verification.regions.provable import LARGEST, Candidate, ProvableCoverage, _within
from conspect.verification.regions.readout_regions import ClassRegion, ReadoutRegions, SizedSplit
from conspect.verification.regions.shapes import FLOOR, Band, band, span_ellipsoid
from tests.verification.subjects import model_with_images, plane


def test_a_band_has_the_means_and_the_deviations_below_them() -> None:
    differences = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 2.0], [6.0, 5.0, 5.0]])
    drawn = band(differences, "from three images")
    assert drawn.centre.tolist() == [3.0, 5.0, 3.0]
    deviations = [np.sqrt((2**2 + 1**2) / 3), np.sqrt(2 / 3)]
    assert drawn.factor.tolist() == pytest.approx([deviations[0], FLOOR * deviations[0], deviations[1]])
    assert (drawn.size, drawn.provenance, FLOOR) == (Fraction(1), "from three images", 1e-6)
    # How far below its mean the farthest pair is; above it nothing counts.
    assert drawn.sizes(np.array([[3.0, 5.0, 3.0], [9.0, 9.0, 9.0]])).tolist() == [0.0, 0.0]
    low = np.array([[3.0 - 2 * deviations[0], 5.0, 3.0 - 3 * deviations[1]]])
    assert drawn.sizes(low)[0] == pytest.approx(3.0)
    flat = band(np.ones((2, 1)), "")
    assert flat.factor.tolist() == [1e-306]


def test_a_span_has_the_covariance_of_its_readouts_and_a_floor_where_they_do_not_differ() -> None:
    readouts = np.array([[1.0, 2.0], [3.0, -1.0], [5.0, 5.0], [0.0, 0.0]])
    drawn = span_ellipsoid(readouts, "four")
    assert drawn.centre.tolist() == [2.25, 1.5]
    assert drawn.factor @ drawn.factor.T == pytest.approx(np.cov(readouts.T))
    assert drawn.inverse is not None
    assert drawn.inverse @ drawn.factor == pytest.approx(np.eye(2))
    flat = span_ellipsoid(np.array([[1.0, 2.0], [3.0, 6.0]]), "")
    lengths = sorted(np.linalg.norm(flat.factor, axis=0))
    assert lengths == pytest.approx([FLOOR * np.sqrt(10), np.sqrt(10)])
    assert np.linalg.norm(span_ellipsoid(np.ones((3, 2)), "").factor, axis=0) == pytest.approx(1e-156, rel=1e-6)


def test_numbers_whose_squares_overflow_are_told() -> None:
    largest = float(np.sqrt(np.finfo(np.float64).max))
    require_squarable(np.array([1e100, -1e100]), "numbers")
    for value in (np.inf, np.nan, 2 * largest):
        with pytest.raises(UserError):
            require_squarable(np.array([1.0, value]), "numbers")


def test_sizes_of_a_split_cover_by_their_order() -> None:
    sized = SizedSplit(np.array([1.0, 2.0, 2.0, 4.0]))
    # ceil(5 c): the 4th of four for 4/5, none for more.
    covering = {Fraction(1, 5): 1.0, Fraction(2, 5): 2.0, Fraction(21, 50): 2.0, Fraction(4, 5): 4.0}
    for coverage, size in covering.items():
        assert sized.size_for(coverage) == Fraction(nextafter(size, inf))
    assert sized.size_for(Fraction(81, 100)) is None
    assert SizedSplit(np.array([1.0, inf])).size_for(Fraction(2, 3)) is None
    assert [sized.rank(size) for size in (0.5, 1.0, nextafter(1.0, inf), 2.0, 3.0, 9.0)] == [0, 0, 1, 1, 3, 4]
    assert [sized.coverage_at(size) for size in (0.5, 3.0, 9.0)] == [0, Fraction(3, 5), Fraction(4, 5)]
    assert [sized.size_beyond(rank) for rank in range(5)] == [
        nextafter(1.0, inf), nextafter(2.0, inf), nextafter(2.0, inf), nextafter(4.0, inf), None,
    ]  # fmt: skip


class Proved:
    """Proofs up to a size: one at a size carries `share` of the way from there to the end. `asked`: sizes that were tried."""

    def __init__(self, end: float, share: float) -> None:
        self.end, self.share, self.asked = end, share, list[float]()

    def __call__(self, size: float) -> Any:
        self.asked.append(size)
        return (f"proof at {size}", size + self.share * (self.end - size)) if size < self.end else None


def candidate(sizes: list[float], prove: Any) -> Candidate:
    region = Box(np.zeros(1), np.ones(1), Fraction(1))
    return Candidate(region, SizedSplit(np.array(sorted(sizes))), np.array(sizes), "embeddings", (), prove)


SEARCH = ProvableCoverage.of([], plane(), VerifyOptions())


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40),
    st.integers(0, 62),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(-1, 40),
)
def test_the_largest_size_holds_as_many_images_as_any_that_is_proved(
    sizes: list[int], end: int, share: float, least: int
) -> None:
    prove = Proved(end + 0.5, share)
    of = candidate([float(size) for size in sizes], prove)
    largest = SEARCH._largest(of, least)
    possible = sum(size < end + 0.5 for size in sizes)
    if least >= 0 and possible <= least:
        assert largest is None
        return
    assert largest is not None
    size, evidence = largest[0], str(largest[1])
    assert size < end + 0.5
    assert of.sized.rank(size) == possible
    assert evidence == f"proof at {max(tried for tried in prove.asked if tried < end + 0.5)}"
    assert len(prove.asked) <= 3 + np.log2(len(sizes) + 1)
    assert prove.asked[0] == (0.0 if least < 0 else of.sized.size_beyond(least))
    assert of.inside(2.0) == (sum(size <= 2 for size in sizes), len(sizes))


def test_nothing_is_proved_where_the_centre_is_not_and_no_size_is_beyond_the_largest() -> None:
    assert SEARCH._largest(candidate([1.0], Proved(-1.0, 0.0)), -1) is None
    everywhere: Any = SEARCH._largest(candidate([1.0, 2.0], lambda size: ("proof", inf)), -1)
    assert everywhere == (nextafter(LARGEST, 0.0), "proof")
    assert LARGEST == 1e6
    assert _within(3.0) == nextafter(3.0, 0.0)
    assert _within(inf) == nextafter(1e6, 0.0)


def regions_of(model: VerificationModel, formula: Formula, shape: str) -> tuple[ReadoutRegions, ClassRegion]:
    options = VerifyOptions()
    readouts = ReadoutRegions(FocusRegions(model, options), options)
    return readouts, readouts.place("car", tabulate(formula, names_of(model)), shape)


@pytest.mark.parametrize("shape", ["span", "band"])
@pytest.mark.parametrize(
    "formula",
    [
        Stronger("a", "b"),
        Implies(Predict("car"), Stronger("c", "a")),
        Implies(HasConcept("a"), Stronger("b", "c")),
        Implies(Predict("car"), HasConcept("d")),
    ],
)
def test_an_image_lies_inside_exactly_where_its_size_says_so(shape: str, formula: Formula) -> None:
    model = model_with_images(4)
    readouts, place = regions_of(model, formula, shape)
    exactly = Membership(model)
    rows = readouts.members("test", "car")
    embeddings = model.splits["test"].embeddings[rows]
    assert len(rows) == 20
    for row, size in enumerate(place.measured.tolist()):
        for factor, inside in ((1 - 1e-6, size == 0.0), (1 + 1e-6, True)):
            at = place.at(Fraction(size * factor), "")
            assert exactly.holds(at, readouts, embeddings[row]) == inside
    assert (place.measured > 0).sum() > 10


@pytest.mark.parametrize("shape", ["span", "band"])
def test_regions_of_readouts_are_estimated_on_one_split_sized_on_a_second_and_measured_on_a_third(shape: str) -> None:
    model = model_with_images(4)
    readouts, place = regions_of(model, Stronger("a", "b"), shape)
    folded = model.lens.folded
    values = {name: folded(np.asarray(split.embeddings, np.float64)) for name, split in model.splits.items()}
    labels = {name: np.asarray(split.labels) for name, split in model.splits.items()}
    train = np.asarray(model.splits["train"].embeddings, np.float64)
    right = (labels["train"] == 0) & (model.head.logits(train).argmax(axis=1) == 0)

    def read(name: str, rows: Any) -> Any:
        chosen = values[name][rows]
        if shape == "span":
            return chosen[:, :2]
        return np.column_stack([chosen[:, i] - chosen[:, j] for i in range(4) for j in range(4) if i != j])

    expected: Any = (span_ellipsoid if shape == "span" else band)(read("train", right), "")
    assert place.region.centre == pytest.approx(expected.centre, abs=1e-9)
    assert np.abs(place.region.factor @ np.atleast_2d(place.region.factor).T) == pytest.approx(
        np.abs(expected.factor @ np.atleast_2d(expected.factor).T), abs=1e-9
    )
    sized, measured = (expected.sizes(read(name, labels[name] == 0)) for name in ("val", "test"))
    assert place.sized.sizes == pytest.approx(np.sort(sized), rel=1e-9)
    assert place.measured == pytest.approx(measured, rel=1e-9)
    moved = place.at(Fraction(3, 2), "a note")
    assert moved.region.size == Fraction(3, 2)
    assert moved.region.provenance == f"{place.region.provenance}; a note"
    assert isinstance(moved.region, Band) == (shape == "band")
    assert readouts.place("car", tabulate(Stronger("a", "b"), names_of(model)), shape) is place


def test_only_properties_of_regions_have_a_largest_region() -> None:
    model = model_with_images(1)
    text = (
        "property p: for 50% of x in images(car): a > b or b > a\nproperty q: for all x in focus(car): a > b or b > a\n"
    )
    jobs = plan(check_text(text).require(), model)
    shares, regions = ProvableCoverage.of(jobs, model, VerifyOptions()).search(jobs, ["span", "band"])
    assert shares == {}
    assert set(regions) == {"span", "band"}
