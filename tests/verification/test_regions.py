"""Focus regions: what they contain, and how their size is chosen."""

from fractions import Fraction

import numpy as np
import pytest

from conspect.core.regions import Box, Ellipsoid, PrincipalBox, conformal_size, estimate_region

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(400, 3)) @ np.array([[2.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 0.1]]) + 5


def test_a_box_is_the_mean_plus_and_minus_gamma_standard_deviations():
    box = estimate_region(DATA, "box", Fraction(2, 5))
    assert np.allclose(box.centre, DATA.mean(axis=0))
    assert np.allclose(box.factor, DATA.std(axis=0, ddof=1))
    corner = box.centre + 0.4 * box.factor
    assert box.contains(np.array([box.centre, corner - 1e-12, corner + 1e-9])).tolist() == [True, True, False]


def test_an_ellipsoid_contains_by_mahalanobis_distance():
    ellipsoid = estimate_region(DATA, "ellipsoid", Fraction(2))
    covariance = ellipsoid.factor @ ellipsoid.factor.T
    offset = DATA - ellipsoid.centre
    distances = np.sqrt((offset * np.linalg.solve(covariance, offset.T).T).sum(axis=1))
    assert np.allclose(ellipsoid.sizes(DATA), distances)
    assert (ellipsoid.contains(DATA) == (distances <= 2)).all()


def test_a_principal_box_has_orthogonal_axes_of_one_standard_deviation_each():
    box = estimate_region(DATA, "pca-box", Fraction(1))
    products = box.factor.T @ box.factor
    assert np.allclose(products, np.diag(np.diag(products)))
    assert np.allclose(box.coordinates(DATA).std(axis=0), 1, atol=0.1)


@pytest.mark.parametrize("shape", ["box", "ellipsoid", "pca-box"])
def test_points_and_coordinates_undo_each_other(shape):
    region = estimate_region(DATA, shape, Fraction(1))
    assert np.allclose(region.points(region.coordinates(DATA)), DATA)


@pytest.mark.parametrize("shape", ["box", "ellipsoid", "pca-box"])
def test_a_split_conformal_size_covers_the_asked_share_of_new_images(shape):
    region = estimate_region(DATA[:100], shape, Fraction(1))
    size = conformal_size(region, DATA[100:200], Fraction(9, 10))
    assert size is not None
    assert (region.sizes(DATA[100:200]) <= float(size)).mean() >= 0.9
    assert (region.sizes(DATA[200:]) <= float(size)).mean() >= 0.8


def test_too_few_images_cannot_show_a_high_coverage():
    region = estimate_region(DATA[:100], "box", Fraction(1))
    assert conformal_size(region, DATA[100:105], Fraction(99, 100)) is None


def test_a_cut_region_needs_to_know_the_predictions():
    box = Box(np.zeros(2), np.ones(2), Fraction(1), cut=1)
    with pytest.raises(ValueError, match="predicted"):
        box.contains(np.zeros((1, 2)))
    assert box.contains(np.zeros((2, 2)), np.array([0, 1])).tolist() == [False, True]


def test_a_flat_direction_holds_only_its_own_value():
    box = Box(np.zeros(2), np.array([1.0, 0.0]), Fraction(1))
    assert box.contains(np.array([[0.5, 0.0], [0.5, 1e-300]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("centre", "factor", "size"),
    [
        (np.zeros(2), np.ones(3), Fraction(1)),
        (np.array([np.nan, 0]), np.ones(2), Fraction(1)),
        (np.zeros(2), np.array([np.inf, 0]), Fraction(1)),
        (np.zeros(2), np.ones(2), Fraction(-1)),
    ],
)
def test_regions_of_bad_numbers_are_refused(centre, factor, size):
    with pytest.raises(ValueError):
        Box(centre, factor, size)


def test_the_digest_tells_shape_size_and_cut_apart():
    centre, factor = np.zeros(2), np.eye(2)
    regions = [
        Ellipsoid(centre, factor, Fraction(1)),
        PrincipalBox(centre, factor, Fraction(1)),
        PrincipalBox(centre, factor, Fraction(2)),
        PrincipalBox(centre, factor, Fraction(2), cut=0),
        PrincipalBox(centre, 2 * factor, Fraction(2)),
    ]
    assert len({region.digest for region in regions}) == len(regions)
    assert Box(centre, np.ones(2), Fraction(1), provenance="a").digest == Box(centre, np.ones(2), Fraction(1)).digest
