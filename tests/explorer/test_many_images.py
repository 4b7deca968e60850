"""What a study of very many images or concepts is asked without holding all of it: the same answers as the plain way."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.protocols import silent
from conspect.core.vectors import cosines
from conspect.results.exploration import ImageSet, Order
from conspect.study.exploration.filters import ImageFilter
from conspect.study.exploration.image_page import nearness, neighbours, opinions
from conspect.study.exploration.index import FLOAT32, StudyIndex, evenly, lowest
from conspect.study.exploration.lists import heatmap, ordered
from conspect.study.exploration.opening import OpenedStudy, opened
from conspect.study.measuring.facts import looked_at
from conspect.study.study import Study


class _Named(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.folded_names)


def embeddings(index: StudyIndex) -> np.ndarray:
    return index.model_space.taken(np.arange(len(index))).astype(float)


def test_the_nearest_images_are_those_of_plain_cosines(study: OpenedStudy) -> None:
    index = study.exploration.index
    every = embeddings(index)
    unit = every / np.linalg.norm(every, axis=1, keepdims=True)
    rows = range(0, len(every), 11)
    assert len(rows) > 5
    for row in rows:
        of_units = unit @ unit[row]
        for near, among in zip(
            neighbours(index, row, nearness(index, np.array([row]))[0]), (~index.wrong, index.wrong), strict=True
        ):
            others = np.array([k for k in np.flatnonzero(among) if k != row])
            plain = others[np.lexsort((others, -cosines(every[row], every[others])))][: len(near)]
            assert [n.row for n in near] == plain.tolist()
            assert [n.cosine for n in near] == pytest.approx(of_units[plain], abs=6e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 7), st.booleans())
def test_the_lowest_of_what_rounding_leaves_in_question_are_the_lowest_of_all(
    seed: int, many: int, count: int, equal: bool
) -> None:
    rng = np.random.default_rng(seed)
    exact = rng.integers(0, 3, many).astype(float) if equal else rng.normal(size=many)
    error = 1e-3
    rough = (exact + rng.uniform(-error, error, many)).astype(np.float32)
    hidden = rng.random(many) < 0.2
    rough[hidden] = np.inf
    rows = lowest(rough, count, slack=2.001 * error)
    kept = np.flatnonzero(~hidden)
    wanted = np.sort(exact[kept])[:count]
    assert np.sort(exact[rows])[:count] == pytest.approx(wanted)
    assert not hidden[rows].any()


def test_of_thousands_of_equal_images_a_bounded_number_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conspect.study.exploration.index.MOST_PROPOSED", 5)
    assert len(lowest(np.zeros(100, np.float32), 3, slack=0.0)) == 5


def test_float32_products_err_by_no_more_than_what_is_allowed_for() -> None:
    rng = np.random.default_rng(0)
    for size in (8, 512, 2048):
        a, b = rng.normal(size=(200, size)).astype(np.float32), rng.normal(size=size).astype(np.float32)
        exact = a.astype(float) @ b.astype(float)
        scale = np.linalg.norm(a.astype(float), axis=1) * np.linalg.norm(b.astype(float))
        assert (np.abs(a @ b - exact) <= size * FLOAT32 * scale).all()


@pytest.mark.parametrize("kept", [0, 500, 10**9])
def test_a_heatmap_is_the_same_whether_columns_are_kept_or_rows_are_read(
    study: OpenedStudy, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    for module in ("index", "lists"):
        monkeypatch.setattr(f"conspect.study.exploration.{module}.KEPT_NUMBERS", kept)
    index = replace(study.exploration.index, _columns=type(study.exploration.index._columns)())
    study.exploration.index = index
    strengths = index.lens.folded(embeddings(index))
    for filter_, among in (
        (ImageFilter(), np.ones(len(index), dtype=bool)),
        (ImageFilter(images=ImageSet.WRONG), index.wrong),
    ):
        shown = study.exploration.heatmap(filter_)
        rows = strengths[among]
        plain = (rows[:, :, None] > rows[:, None, :]).sum(axis=0)
        assert np.array_equal(np.asarray(shown.greater), plain)
        assert (shown.images, shown.sampled_of) == (int(among.sum()), None)
    assert len(index._columns) <= max(1, kept // len(index)) + len(index.lens.concept_names)


@pytest.mark.parametrize("rows", [1, 7, 10**6])
@pytest.mark.parametrize("directions", [1, 2, 6])
def test_a_scan_by_parts_reads_what_plain_arithmetic_does(
    study: OpenedStudy, monkeypatch: pytest.MonkeyPatch, rows: int, directions: int
) -> None:
    monkeypatch.setattr("conspect.study.exploration.index.CACHED_ROWS", rows)
    index = replace(study.exploration.index, _columns=type(study.exploration.index._columns)())
    asked = np.random.default_rng(0).normal(size=(directions, index.lens.directions.shape[1]))
    mapped = index.lens.alignment(embeddings(index))
    assert index.numerators(asked) == pytest.approx(mapped @ asked.T, rel=1e-12, abs=1e-12)
    few = np.array([5, 2])
    assert np.array_equal(index.numerators(asked, few), index.numerators(asked)[few])


def test_a_heatmap_that_would_take_too_long_is_of_a_sample_and_says_so(
    study: OpenedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST_READ", 0), ("LEAST_COUNTED", 30), ("KEPT_NUMBERS", 0)):
        monkeypatch.setattr(f"conspect.study.exploration.lists.{name}", value)
    index = study.exploration.index
    shown = heatmap(
        index,
        study.exploration._selection(ImageFilter()),
        index.lens.concept_names,
        index.lens.directions,
        (),
        confidence=0.95,
    )
    assert (shown.images, shown.sampled_of) == (30, len(index))


def test_percentiles_are_of_all_images_of_a_class_or_of_so_many_evenly_taken(
    study: OpenedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = study.exploration.index
    every = index.lens.strengths(embeddings(index))
    for number in range(len(index.class_names)):
        members = np.flatnonzero((index.labels == number) & ~index.wrong)
        own = every[members[0]] if len(members) else every[0]
        usual = index.usual(number)
        assert (len(usual.strengths), usual.images) == (len(members), len(members))
        if len(members) < 2:
            assert usual.percentiles(own) is None
            continue
        assert usual.percentiles(own) == pytest.approx(100 * (every[members] <= own + 1e-9).mean(axis=0), abs=1e-9)
    monkeypatch.setattr("conspect.study.exploration.index.USUAL_NUMBERS", 0)
    monkeypatch.setattr("conspect.study.exploration.index.LEAST_USUAL", 7)
    bounded = replace(index, _usual=type(index._usual)())
    assert len(bounded.usual(0).strengths) == 7
    assert bounded.usual(0).images == index.usual(0).images


@given(st.lists(st.text(max_size=8), max_size=12), st.text(min_size=1, max_size=3))
def test_names_are_searched_without_regard_to_case(names: list[str], part: str) -> None:
    index = cast("StudyIndex", SimpleNamespace(ids=names))
    folded = vars(StudyIndex)["folded_names"].func(index)
    having = StudyIndex.named(cast("StudyIndex", _Named(folded_names=folded)), part)
    assert having.tolist() == [part.casefold() in name.casefold() for name in names]


@given(st.integers(0, 50), st.integers(0, 60))
def test_evenly_taken_places_are_spread_and_bounded(many: int, most: int) -> None:
    places = evenly(many, most)
    assert len(places) == min(many, most)
    assert ((places >= 0) & (places < many)).all()


def test_an_order_by_confidence_is_that_of_sorting_what_passes(study: OpenedStudy) -> None:
    index = study.exploration.index
    selection = study.exploration._selection(ImageFilter(images=ImageSet.RIGHT))
    for order, sign in ((Order.CONFIDENT, -1), (Order.DOUBTFUL, 1)):
        rows = selection.rows[np.argsort(sign * index.confidence[selection.rows], kind="stable")]
        assert np.array_equal(ordered(index, selection, order), rows)


def test_facts_are_kept_in_the_store_and_made_anew_where_they_are_damaged(
    finished_folder: Path, study: OpenedStudy
) -> None:
    folder = study.folder
    (kept,) = (folder / "embeddings").glob("facts-*.safetensors")
    first = study.exploration.index.facts
    measured = Study.open(folder).measurements()
    plain = looked_at(measured.test, measured.lens, Study.open(folder).inputs.model.head, silent)
    again = opened(folder).exploration.index.facts
    for name in ("outputs", "confidence", "squares", "norms"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
        assert np.allclose(getattr(first, name), getattr(plain, name)), name
    assert np.array_equal(measured.answers.outputs, first.outputs)
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    assert np.array_equal(opened(folder).exploration.index.facts.norms, first.norms)


def test_opening_counts_no_pairs(study: OpenedStudy) -> None:
    measured = study.exploration.views._study.measurements(counted=False)
    study.exploration.warm()
    study.exploration.image(study.exploration.index.ids[0])
    assert "counted" not in measured.__dict__
    assert measured.tallies.heatmaps.confusion.sum() == len(study.exploration.index)


def test_the_head_that_is_fitted_anew_is_that_of_the_run_and_the_nearest_images_vote(study: OpenedStudy) -> None:
    index = study.exploration.index
    measured = Study.open(study.folder).measurements()
    assert np.array_equal(index.refitted, measured.answers.refitted)
    for kept in (study.folder / "embeddings").glob("refitted-*.safetensors"):
        kept.unlink()
    assert np.array_equal(opened(study.folder).exploration.index.refitted, measured.answers.refitted)
    unit = embeddings(index) / np.linalg.norm(embeddings(index), axis=1, keepdims=True)
    for row in (0, 5, len(index) - 1):
        cosines = unit @ unit[row]
        cosines[row] = -np.inf
        nearest = np.argsort(-cosines, kind="stable")[:10]
        votes = np.bincount(index.labels[nearest], minlength=len(index.class_names))
        said = opinions(index, row, nearness(index, np.array([row]))[0])
        assert said[1].says == index.class_names[measured.answers.refitted[row]]
        assert said[-1].witness == f"labels of the nearest images ({votes.max()} of 10)"
        assert votes[index.class_names.index(said[-1].says)] == votes.max()
