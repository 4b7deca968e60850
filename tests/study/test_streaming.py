import itertools

import numpy as np
import pytest

from conspect.adapters.engines.local import LocalEngine
from conspect.adapters.store.arrays import PairedFiles, paired_files
from conspect.analysis.alignment import fit_arrays, quality
from conspect.analysis.heatmaps import by_group
from conspect.analysis.localization import localize, summarise
from conspect.analysis.tallies import Reading
from conspect.bench.scale import World
from conspect.core.spaces import Lens
from conspect.statistics.logistic import fit_logistic
from conspect.study.measuring import streaming
from conspect.study.measuring.streaming import ComputedAnswers, KnownAnswers, aligned, refitted_heads, tallied

IMAGES, CLASSES = 700, 10


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def written(world: World, tmp_path_factory) -> tuple[PairedFiles, np.ndarray]:
    """Pairs of few dimensions, cut from those of the benchmark."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs, labels = world.write(folder, IMAGES)
    z, y = pairs.read(range(IMAGES))
    np.save(folder / "z.npy", z[:, :24])
    np.save(folder / "y.npy", y[:, :16])
    return paired_files([folder / "z.npy"], [folder / "y.npy"]), labels


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch) -> None:
    monkeypatch.setattr(streaming.parts, "__defaults__", (200, 0))
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 64)


def reading(pairs: PairedFiles) -> Reading:
    rng = np.random.default_rng(1)
    fitted = aligned(pairs, LocalEngine())
    directions = rng.normal(size=(7, 16))
    return Reading(Lens(fitted.map, tuple("abcdefg"), directions), rng.normal(size=(CLASSES, 16)))


def test_the_alignment_is_that_of_the_arrays(written) -> None:
    pairs, _ = written
    ours, theirs = aligned(pairs, LocalEngine()), fit_arrays(*pairs.read(range(IMAGES)))
    assert (ours.penalty, ours.images) == (theirs.penalty, IMAGES)
    np.testing.assert_allclose(ours.map.weight, theirs.map.weight, rtol=1e-9, atol=1e-12)


def test_tallies_of_parts_are_what_the_arrays_give(written) -> None:
    pairs, labels = written
    one, (z, y) = reading(pairs), pairs.read(range(IMAGES))
    rng = np.random.default_rng(2)
    outputs, refitted = (np.where(rng.random(IMAGES) < 0.3, rng.integers(0, CLASSES, IMAGES), labels) for _ in range(2))
    rows: list[int] = []
    engine = LocalEngine()
    found = tallied(pairs, one, KnownAnswers(labels, outputs, refitted), engine, progress=rows.append)
    assert sum(rows) == IMAGES
    for ours, groups in ((found.heatmaps.ground_truth(), labels), (found.heatmaps.output_label(), outputs)):
        for a, b in zip(ours, by_group(one.lens.folded(z), groups, CLASSES), strict=True):
            assert np.array_equal(a.greater, b.greater)
    verdicts = localize(
        labels,
        outputs,
        vlm_on_image=(y @ one.classes.T).argmax(1),
        vlm_on_mapped=(one.lens.alignment(z) @ one.classes.T).argmax(1),
        refitted=refitted,
    )
    assert found.oracles.localization() == summarise(verdicts)
    assert found.quality.quality().r2 == pytest.approx(quality(one.lens.alignment, z, y).r2, rel=1e-10)


def test_heads_judge_images_that_they_were_not_fitted_on(written, world: World, monkeypatch) -> None:
    pairs, labels = written
    monkeypatch.setattr(streaming, "SAMPLE", 400)
    heads = refitted_heads(pairs, labels, CLASSES, LocalEngine(), seed=3)
    z, _ = pairs.read(range(IMAGES))
    rows = np.sort(np.random.default_rng(3).choice(IMAGES, 400, replace=False, shuffle=False))
    answers = ComputedAnswers(labels, type(world.head).linear(np.eye(CLASSES, 24), np.zeros(CLASSES)), heads)
    for part in (range(IMAGES), range(63, 201)):
        known, outputs, refitted = answers.of(part, z[part.start : part.stop])
        assert np.array_equal(known, labels[part.start : part.stop])
        assert np.array_equal(outputs, z[part.start : part.stop, :CLASSES].argmax(1))
        for k in (0, 7, len(part) - 1):
            others = rows[rows % 5 != part[k] % 5]
            expected = fit_logistic(z[others], labels[others], CLASSES).probabilities(z[part[k]][None]).argmax()
            assert refitted[k] == expected


def test_tasks_cover_the_rows_once_and_do_not_grow_in_number_for_ever() -> None:
    for rows, size, start in ((0, 5, 0), (11, 5, 0), (11, 5, 3), (10**9, 65_536, 0), (1025, 1, 0)):
        found = streaming.parts(rows, size, start)
        assert sum(map(len, found)) == rows - start
        assert all(a.stop == b.start for a, b in itertools.pairwise(found))
        assert len(found) <= streaming.MOST_TASKS
    assert {len(part) for part in streaming.parts(65_536 * 16, 65_536)} == {65_536}
