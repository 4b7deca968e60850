import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from conspect.analysis.alignment import AlignmentSums, fit, fit_arrays, quality, solve, stream_sums
from conspect.core.spaces import AffineMap


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of 300 images in spaces of 12 and 7 dimensions, related by an affine map and noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 12)) * np.linspace(0.1, 5, 12) + 3
    y = x @ rng.normal(size=(12, 7)) + rng.normal(size=7) + rng.normal(size=(300, 7))
    return x, y


@pytest.mark.parametrize("penalty", [1e-6, 1e-2, 1.0, 10.0])
def test_solutions_equal_ridge_of_scikit_learn(pairs, penalty: float) -> None:
    x, y = pairs
    # The penalty is relative: it multiplies n times the mean variance of x.
    alpha = penalty * len(x) * x.var(axis=0).mean()
    reference = Ridge(alpha=alpha).fit(x, y)
    (ours,) = solve(AlignmentSums.of(x, y), [penalty])
    np.testing.assert_allclose(ours.weight, reference.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.offset, reference.intercept_, atol=1e-9)


def test_an_exact_affine_map_is_recovered(pairs) -> None:
    x, _ = pairs
    rng = np.random.default_rng(1)
    weight, offset = rng.normal(size=(5, 12)), rng.normal(size=5)
    fitted = fit_arrays(x, x @ weight.T + offset, penalties=[1e-14])
    np.testing.assert_allclose(fitted.map.weight, weight, atol=1e-8)
    np.testing.assert_allclose(fitted.map.offset, offset, atol=1e-8)
    assert quality(fitted.map, x, x @ weight.T + offset).r2 == pytest.approx(1)


@given(st.integers(1, 400), st.integers(1, 299))
def test_sums_are_the_same_however_they_are_streamed_or_merged(chunk: int, cut: int) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=(300, 3))
    whole = AlignmentSums.of(x, y)
    streamed = stream_sums(x, y, chunk=chunk)
    merged = AlignmentSums.of(x[cut:], y[cut:]) + AlignmentSums.of(x[:cut], y[:cut])
    less = whole - AlignmentSums.of(x[:cut], y[:cut]) + AlignmentSums.of(x[:cut], y[:cut])
    for other in (streamed, merged, less):
        assert other.count == whole.count
        for name in ("x", "y", "xx", "xy", "yy"):
            np.testing.assert_allclose(getattr(other, name), getattr(whole, name), atol=1e-10)
        np.testing.assert_allclose(solve(other, [0.01])[0].weight, solve(whole, [0.01])[0].weight, atol=1e-10)


def test_the_error_and_variation_from_sums_equal_those_from_arrays(pairs) -> None:
    x, y = pairs
    sums = AlignmentSums.of(x, y)
    (fitted,) = solve(sums, [0.1])
    assert sums.squared_error(fitted) == pytest.approx(np.square(y - fitted(x)).sum())
    assert sums.total_variation() == pytest.approx(np.square(y - y.mean(0)).sum())


def test_the_penalty_is_the_best_of_cross_validation(pairs) -> None:
    x, y = pairs
    penalties = [1e-4, 1e-2, 1.0]
    fitted = fit_arrays(x, y, folds=5, penalties=penalties)
    expected = []
    for penalty in penalties:
        error = 0.0
        for k in range(5):
            held = np.arange(len(x)) % 5 == k
            alpha = penalty * (~held).sum() * x[~held].var(axis=0).mean()
            error += np.square(y[held] - Ridge(alpha=alpha).fit(x[~held], y[~held]).predict(x[held])).sum()
        expected.append(1 - error / np.square(y - y.mean(0)).sum())
    np.testing.assert_allclose([r2 for _, r2 in fitted.r2_by_penalty], expected, atol=1e-9)
    assert fitted.penalty == penalties[int(np.argmax(expected))]
    assert fitted.images == 300


def test_quality_equals_scikit_learn_and_hand_solved_cosines(pairs) -> None:
    x, y = pairs
    fitted = fit_arrays(x, y).map
    expected = r2_score(y, fitted(x), multioutput="variance_weighted")
    assert quality(fitted, x, y).r2 == pytest.approx(expected)
    identity = AffineMap(np.eye(2), np.zeros(2))
    measured = quality(
        identity, np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([[3.0, 0.0], [1.0, 1.0], [1, 0]])
    )
    assert measured.mean_cosine == pytest.approx((1 + np.sqrt(0.5) + 0) / 3)


def test_more_dimensions_than_images_and_constant_embeddings_are_no_trouble() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, 50)), rng.normal(size=(20, 3))
    assert np.isfinite(fit_arrays(x, y).map.weight).all()
    flat = fit_arrays(np.ones((20, 4)), y)
    np.testing.assert_allclose(flat.map(np.ones((1, 4)))[0], y.mean(0), atol=1e-9)
    assert np.isfinite(flat.r2_by_penalty).all()


def test_too_few_folds_or_images_and_unequal_pairs_are_refused() -> None:
    x = np.ones((9, 2))
    with pytest.raises(ValueError, match="two folds"):
        fit([AlignmentSums.of(x, x)])
    with pytest.raises(ValueError, match="two images"):
        fit_arrays(x, x, folds=5)
    with pytest.raises(ValueError, match="pairs are needed"):
        AlignmentSums.of(x, x[:3])
