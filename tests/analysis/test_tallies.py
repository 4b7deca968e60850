import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.analysis.alignment import AlignmentSums, fit, fit_arrays, fold_sums, quality, stream_sums
from conspect.analysis.heatmaps import aggregate, binarized, by_group, differential
from conspect.analysis.lens_quality import zero_shot
from conspect.analysis.localization import localize, summarise
from conspect.analysis.tallies import Interpreter, Tallies, merged
from conspect.core.spaces import AffineMap, Lens

CLASSES, CONCEPTS, D, E = 3, 5, 6, 4


def arrays(seed: int, images: int) -> dict[str, np.ndarray]:
    """Embeddings on a coarse grid, so that all arithmetic is exact and there are ties; answers that are often wrong."""
    rng = np.random.default_rng(seed)
    draw = lambda: rng.integers(0, CLASSES, images)  # noqa: E731
    return {
        "z": (rng.integers(-8, 9, (images, D)) / 4).astype(np.float32),
        "y": (rng.integers(-8, 9, (images, E)) / 4).astype(np.float32),
        **{name: draw() for name in ("labels", "outputs", "refitted")},
    }


def interpreter(seed: int) -> Interpreter:
    rng = np.random.default_rng(seed)
    alignment = AffineMap(rng.integers(-3, 4, (E, D)) / 2, rng.integers(-3, 4, E) / 2)
    directions = rng.integers(-2, 3, (CONCEPTS, E)) / 2
    return Interpreter(Lens(alignment, tuple("abcde"), directions), rng.integers(-2, 3, (CLASSES, E)) / 2)


def of(interpreted: Interpreter, data: dict[str, np.ndarray], rows: slice | np.ndarray) -> Tallies:
    return interpreted.tally(**{name: array[rows] for name, array in data.items()})[0]


@st.composite
def divided(draw):
    """Images and a division of them into shards, some of them empty."""
    images = draw(st.integers(1, 40))
    cuts = sorted(draw(st.lists(st.integers(0, images), max_size=6)))
    seed = draw(st.integers(0, 2**16))
    return arrays(seed, images), interpreter(seed + 1), [0, *cuts, images]


@given(divided())
def test_any_division_gives_the_same_counts_to_the_bit_and_sums_to_rounding(example) -> None:
    data, interpreted, cuts = example
    tallies = merged(of(interpreted, data, slice(a, b)) for a, b in itertools.pairwise(cuts))
    whole = of(interpreted, data, slice(None))
    for name in ("right", "wrong_by_label", "wrong_by_output", "confusion"):
        assert np.array_equal(getattr(tallies.heatmaps, name), getattr(whole.heatmaps, name))
    for name in ("by_vlm", "agreed", "unseen"):
        assert np.array_equal(getattr(tallies, name), getattr(whole, name))
    for name in ("images", "vlm_right", "mapped_right", "agreed", "refitted_right"):
        assert getattr(tallies.oracles, name) == getattr(whole.oracles, name)
    assert np.array_equal(tallies.oracles.verdicts, whole.oracles.verdicts)
    np.testing.assert_allclose(tallies.strengths, whole.strengths, rtol=1e-10, atol=1e-12)
    for name in ("images", "residual", "cosines", "target", "squares"):
        np.testing.assert_allclose(getattr(tallies.quality, name), getattr(whole.quality, name), rtol=1e-10, atol=1e-12)


@given(divided())
def test_what_follows_from_the_tallies_is_what_the_arrays_give(example) -> None:
    data, interpreted, cuts = example
    tallies = merged(of(interpreted, data, slice(a, b)) for a, b in itertools.pairwise(cuts))
    labels, outputs, right = data["labels"], data["outputs"], data["labels"] == data["outputs"]
    numerators = interpreted.lens.folded(data["z"])
    for ours, theirs in (
        (tallies.heatmaps.ground_truth(), by_group(numerators, labels, CLASSES)),
        (tallies.heatmaps.output_label(), by_group(numerators, outputs, CLASSES)),
        (tallies.ground_truth_by_vlm(), by_group(data["y"] @ interpreted.lens.directions.T, labels, CLASSES)),
    ):
        for a, b in zip(ours, theirs, strict=True):
            assert a.images == b.images
            assert np.array_equal(a.greater, b.greater)
            if a.images:
                assert np.array_equal(binarized(a, 0.75), binarized(b, 0.75))
    for changed, groups in (
        (tallies.heatmaps.differential_by_label(confidence=0.9), labels),
        (tallies.heatmaps.differential_by_output(confidence=0.9), outputs),
    ):
        for c, ours_of_class in enumerate(changed):
            theirs_of_class = differential(
                aggregate(numerators[(groups == c) & right]),
                aggregate(numerators[(groups == c) & ~right]),
                confidence=0.9,
            )
            for name in ("difference", "low", "high", "p_value"):
                np.testing.assert_array_equal(getattr(ours_of_class, name), getattr(theirs_of_class, name))
    mapped = interpreted.lens.alignment(data["z"])
    verdicts = localize(
        labels,
        outputs,
        vlm_on_image=zero_shot(data["y"], interpreted.classes),
        vlm_on_mapped=zero_shot(mapped, interpreted.classes),
        refitted=data["refitted"],
    )
    assert tallies.oracles.localization(0.9) == summarise(verdicts, 0.9)
    on_image, on_mapped = (zero_shot(rows, interpreted.classes) for rows in (data["y"], mapped))
    assert tallies.oracles.images == len(labels)
    assert tallies.oracles.vlm_right == (on_image == labels).sum()
    assert tallies.oracles.mapped_right == (on_mapped == labels).sum()
    assert tallies.oracles.agreed == (on_image == on_mapped).sum()
    assert tallies.oracles.refitted_right == (data["refitted"] == labels).sum()
    whole = quality(interpreted.lens.alignment, data["z"], data["y"])
    assert tallies.quality.quality().r2 == pytest.approx(whole.r2, rel=1e-10, abs=1e-10)
    assert tallies.quality.quality().mean_cosine == pytest.approx(whole.mean_cosine, rel=1e-10, abs=1e-12)
    strengths = interpreted.lens.strengths(data["z"])
    for c in np.unique(labels):
        np.testing.assert_allclose(tallies.mean_strengths()[c], strengths[labels == c].mean(0), rtol=1e-10, atol=1e-12)


def test_chosen_concepts_are_a_part_of_the_tables() -> None:
    data, interpreted, chosen = arrays(3, 50), interpreter(4), np.array([4, 1])
    heatmaps = of(interpreted, data, slice(None)).heatmaps.taken(chosen)
    numerators = interpreted.lens.folded(data["z"])[:, chosen]
    assert len(heatmaps.ground_truth()) == CLASSES
    for a, b in zip(heatmaps.ground_truth(), by_group(numerators, data["labels"], CLASSES), strict=True):
        assert np.array_equal(a.greater, b.greater)


@given(divided(), st.integers(2, 5))
def test_the_sums_of_folds_are_those_of_the_arrays(example, folds: int) -> None:
    data, _, cuts = example
    z, y = data["z"], data["y"]
    parts = [fold_sums(z[a:b], y[a:b], a, folds) for a, b in itertools.pairwise(cuts)]
    sums = [merged(part[k] for part in parts) for k in range(folds)]
    assert len(sums) == folds
    for k, ours in enumerate(sums):
        theirs = AlignmentSums.of(z[k::folds], y[k::folds])
        assert ours.count == theirs.count
        for name in ("x", "y", "xx", "xy", "yy"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-10, atol=1e-12)


def test_an_alignment_of_merged_sums_is_that_of_the_arrays() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, D)).astype(np.float32)
    y = (x @ rng.normal(size=(D, E)) + 0.3 * rng.normal(size=(500, E))).astype(np.float32)
    cuts = [0, 7, 200, 201, 500]
    parts = [fold_sums(x[a:b], y[a:b], a, 5) for a, b in itertools.pairwise(cuts)]
    ours, theirs = fit([merged(part[k] for part in parts) for k in range(5)]), fit_arrays(x, y, folds=5)
    assert (ours.penalty, ours.images) == (theirs.penalty, theirs.images)
    np.testing.assert_allclose(ours.map.weight, theirs.map.weight, rtol=1e-9)
    assert merged([stream_sums(x[:9], y[:9]), stream_sums(x[9:], y[9:])]).count == 500
