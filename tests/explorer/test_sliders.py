"""Moved embeddings, by value: one strength moves and no other, and the output flips where it is said to."""

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.results.sliders import SliderPage
from conspect.study.exploration.opening import OpenedStudy
from conspect.study.exploration.reality import Reality


def page_of(study: OpenedStudy, shifts: dict[str, float], row: int = 0) -> SliderPage:
    exploration = study.exploration
    return exploration.views.sliders.page(exploration.annotations, exploration.index.ids[row], shifts)


def numerators(study: OpenedStudy, shifts: dict[str, float]) -> dict[str, float]:
    """What the moved embedding reads, from the page's strengths: they share one norm, so ratios are the numerators'."""
    page = page_of(study, shifts)
    return {slider.concept: slider.strength for slider in page.sliders}


def test_without_a_shift_the_page_is_of_the_image_itself(study: OpenedStudy) -> None:
    index = study.exploration.index
    for row in (0, 30, 50):
        page = page_of(study, {}, row)
        assert page.output == page.output_before == page.image.output
        own = index.embedding(row).astype(float)
        strengths = dict(zip(index.lens.concept_names, index.lens.strengths(own[None])[0], strict=True))
        for slider in page.sliders:
            assert slider.strength == pytest.approx(strengths[slider.concept], abs=1e-4)
            assert slider.shift == 0
            assert slider.low <= slider.high


def test_a_slider_moves_its_concept_by_deviations_and_the_others_stay(study: OpenedStudy) -> None:
    sliders, index = study.exploration.views.sliders, study.exploration.index
    page = page_of(study, {})
    assert len(page.sliders) >= 2
    names = [slider.concept for slider in page.sliders]
    own = index.embedding(0).astype(float)
    every = index.model_space.taken(np.arange(len(index))).astype(float)
    folded = index.lens.folded
    places = [index.lens.concept_names.index(name) for name in names]
    spread = folded(every).std(axis=0)[places]
    for k in range(len(names)):
        shift = np.zeros(len(names))
        shift[k] = 1.5
        moved = own + sliders._moves @ shift
        change = (folded(moved[None]) - folded(own[None]))[0, places] / spread
        assert change == pytest.approx(shift, abs=1e-6)


def test_the_output_changes_where_it_is_said_to_and_not_before(study: OpenedStudy) -> None:
    flips = 0
    for row in (0, 30, 60):
        page = page_of(study, {}, row)
        for slider in page.sliders:
            for flip in (slider.flips_below, slider.flips_above):
                if flip is None or abs(flip) > 11:
                    continue
                flips += 1
                before, after = (page_of(study, {slider.concept: flip * way}, row) for way in (0.98, 1.02))
                assert before.output == page.output
                assert after.output != page.output
    assert flips > 3


def test_a_concept_that_is_not_there_and_a_shift_too_far_are_refused(study: OpenedStudy) -> None:
    for shifts, code in (
        ({"striped": 1.0}, "EXPLORE001"),
        ({"reddish": 99.0}, "EXPLORE002"),
        ({"reddish": float("nan")}, "EXPLORE002"),
    ):
        with pytest.raises(UserError) as error:
            page_of(study, shifts)
        assert error.value.diagnostics[0].code in (code, "EXPLORE001")


def test_distances_to_real_images_are_those_of_plain_arithmetic(study: OpenedStudy) -> None:
    index, rng = study.exploration.index, np.random.default_rng(0)
    reality = Reality(index)
    every = index.model_space.taken(np.arange(len(index))).astype(float)
    for _ in range(20):
        point = every[rng.integers(len(every))] + rng.normal(0, 0.02, every.shape[1])
        distances = np.linalg.norm(every - point, axis=1)
        near = reality.closest(point, 5)
        assert [distance for _, distance in near] == pytest.approx(np.sort(distances)[:5])
        left_out = int(distances.argmin())
        assert reality.distance(point, without=left_out) == pytest.approx(np.delete(distances, left_out).min())
    others = np.linalg.norm(every[:, None] - every[None], axis=2) + np.diag(np.full(len(every), np.inf))
    assert reality.usual == pytest.approx(np.sort(others.min(axis=1)), rel=1e-5, abs=1e-9)
