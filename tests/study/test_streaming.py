import itertools

import numpy as np
import pytest

from conspect.adapters.engines.local import LocalEngine
from conspect.adapters.store.arrays import PairedFiles, paired_files
from conspect.analysis.alignment import fit_arrays, quality
from conspect.analysis.heatmaps import by_group
from conspect.analysis.localization import localize, summarise
from conspect.analysis.tallies import Interpreter
from conspect.core.spaces import Head, Lens
from conspect.statistics.logistic import fit_logistic
from conspect.study.measuring import streaming
from conspect.study.measuring.streaming import ComputedAnswers, aligned, counted, folds_of, refitted_heads
from tests.study.known_answers import KnownAnswers

IMAGES, CLASSES = 700, 10


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[PairedFiles, np.ndarray]:
    """Pairs of few dimensions, the VLM's a noisy linear image of the model's."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, IMAGES)
    z = rng.normal(size=(CLASSES, 24))[labels] + rng.normal(size=(IMAGES, 24))
    y = z @ rng.normal(size=(24, 16)) + 0.3 * rng.normal(size=(IMAGES, 16))
    np.save(folder / "z.npy", z.astype(np.float32))
    np.save(folder / "y.npy", y.astype(np.float32))
    return paired_files([folder / "z.npy"], [folder / "y.npy"]), labels


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch) -> None:
    monkeypatch.setattr(streaming.parts, "__defaults__", (200, 0))
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 64)


def interpreter(pairs: PairedFiles) -> Interpreter:
    rng = np.random.default_rng(1)
    fitted = aligned(pairs, LocalEngine())
    directions = rng.normal(size=(7, 16))
    return Interpreter(Lens(fitted.map, tuple("abcdefg"), directions), rng.normal(size=(CLASSES, 16)))


def test_the_alignment_is_that_of_the_arrays(written) -> None:
    pairs, _ = written
    ours, theirs = aligned(pairs, LocalEngine()), fit_arrays(*pairs.read(range(IMAGES)))
    assert (ours.penalty, ours.images) == (theirs.penalty, IMAGES)
    np.testing.assert_allclose(ours.map.weight, theirs.map.weight, rtol=1e-9, atol=1e-12)


def test_tallies_of_parts_are_what_the_arrays_give(written) -> None:
    pairs, labels = written
    interpreted, (z, y) = interpreter(pairs), pairs.read(range(IMAGES))
    rng = np.random.default_rng(2)
    outputs, refitted = (np.where(rng.random(IMAGES) < 0.3, rng.integers(0, CLASSES, IMAGES), labels) for _ in range(2))
    rows: list[int] = []
    engine = LocalEngine()
    answers = KnownAnswers(labels, outputs, refitted)
    tallies = counted(pairs, interpreted, answers, engine, progress=rows.append).tallies
    assert sum(rows) == IMAGES
    for ours, groups in ((tallies.heatmaps.ground_truth(), labels), (tallies.heatmaps.output_label(), outputs)):
        for a, b in zip(ours, by_group(interpreted.lens.folded(z), groups, CLASSES), strict=True):
            assert np.array_equal(a.greater, b.greater)
    verdicts = localize(
        labels,
        outputs,
        vlm_on_image=(y @ interpreted.classes.T).argmax(1),
        vlm_on_mapped=(interpreted.lens.alignment(z) @ interpreted.classes.T).argmax(1),
        refitted=refitted,
    )
    assert tallies.oracles.localization() == summarise(verdicts)
    assert tallies.quality.quality().r2 == pytest.approx(quality(interpreted.lens.alignment, z, y).r2, rel=1e-10)


def test_heads_judge_images_that_they_were_not_fitted_on(written, monkeypatch) -> None:
    pairs, labels = written
    monkeypatch.setattr(streaming, "SAMPLE", 400)
    folds = folds_of(IMAGES, 7)
    assert set(np.bincount(folds)) == {IMAGES // 5}
    heads = refitted_heads(pairs, labels, CLASSES, LocalEngine(), folds=folds, seed=3)
    z, _ = pairs.read(range(IMAGES))
    rows = np.sort(np.random.default_rng(3).choice(IMAGES, 400, replace=False, shuffle=False))
    answers = ComputedAnswers(labels, Head.linear(np.eye(CLASSES, 24), np.zeros(CLASSES)), heads, folds)
    for part in (range(IMAGES), range(63, 201)):
        known, outputs, refitted = answers.part(part).of(part, z[part.start : part.stop])
        assert np.array_equal(known, labels[part.start : part.stop])
        assert np.array_equal(outputs, z[part.start : part.stop, :CLASSES].argmax(1))
        for k in (0, 7, len(part) - 1):
            others = rows[folds[rows] != folds[part[k]]]
            expected = fit_logistic(z[others], labels[others], CLASSES).probabilities(z[part[k]][None]).argmax()
            assert refitted[k] == expected


def test_one_image_has_no_refitted_head_and_its_answer_is_the_first_class(written) -> None:
    pairs, _ = written
    folds = folds_of(1, 0, 1)
    assert refitted_heads(pairs, np.zeros(1, int), CLASSES, LocalEngine(), folds=folds, seed=0) == ()
    answers = ComputedAnswers(np.ones(1, int), Head.linear(np.eye(2), np.zeros(2)), (), folds)
    assert answers.of(range(1), np.ones((1, 2)))[2].tolist() == [0]


def test_tasks_cover_the_rows_once_and_do_not_grow_in_number_for_ever() -> None:
    for rows, size, start in ((0, 5, 0), (11, 5, 0), (11, 5, 3), (10**9, 65_536, 0), (1025, 1, 0)):
        ranges = streaming.parts(rows, size, start)
        assert sum(map(len, ranges)) == rows - start
        assert all(a.stop == b.start for a, b in itertools.pairwise(ranges))
        assert len(ranges) <= streaming.MOST_TASKS
    assert {len(part) for part in streaming.parts(65_536 * 16, 65_536)} == {65_536}
