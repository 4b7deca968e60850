"""Two studies side by side, by value: the later model's head breaks the murky greens, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.results.exploration import ChangedSide, Order
from conspect.study import Study
from conspect.study.exploration.filters import ImageFilter
from conspect.study.exploration.opening import OpenedStudy
from tests.fakes import EarlierModel, FakeModel


def test_the_images_that_changed_sides_are_those_that_one_model_alone_gets_right(compared: OpenedStudy) -> None:
    exploration = compared.exploration
    index = exploration.index
    embeddings = index.model_space.taken(np.arange(len(index)))
    before = EarlierModel.head.logits(embeddings).argmax(1) == index.labels
    after = FakeModel.head.logits(embeddings).argmax(1) == index.labels
    broken = {index.ids[k] for k in np.flatnonzero(before & ~after)}
    fixed = {index.ids[k] for k in np.flatnonzero(~before & after)}
    assert broken
    page = exploration.views.compared.changed(
        exploration.annotations, side=ChangedSide.BROKEN, label=None, offset=0, limit=500
    )
    assert {entry.image.id for entry in page.images} == broken
    assert (page.broken, page.fixed) == (len(broken), len(fixed))
    assert all(entry.before == entry.image.label != entry.after for entry in page.images)
    listed = exploration.images(ImageFilter(changed=ChangedSide.BROKEN), order=Order.FILE, offset=0, limit=500)
    assert {image.id for image in listed.images} == broken


def test_the_comparison_is_that_of_the_command_line(compared: OpenedStudy) -> None:
    page = compared.exploration.views.compared.page()
    assert page.comparison.accuracy is not None
    assert (
        page.comparison.accuracy.overall.broken
        == compared.exploration.views.compared.changed(
            compared.exploration.annotations, side=None, label=None, offset=0, limit=1
        ).broken
    )
    assert page.cannot_swap is None


def test_heatmaps_of_one_encoder_do_not_differ_and_their_cells_are_those_of_the_results(compared: OpenedStudy) -> None:
    difference = compared.exploration.views.compared.heatmap("green")
    results = Study.open(compared.folder).results()
    told = results.heatmaps.ground_truth[results.classes.index("green")]
    assert difference.after == told.greater
    assert difference.before == difference.after
    assert difference.images_after == told.images
    assert all(p == 1 for row in difference.p_values for p in row)
    assert set(difference.changed_by_class.values()) == {0}
    assert difference.significant == ()


def test_cells_that_changed_beyond_chance_are_named_by_the_places_of_their_concepts(
    compared: OpenedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = compared.exploration.views.compared
    tests = view._tests
    assert tests is not None
    chosen = [k for k, cell in enumerate(tests.cells) if cell[0] == "blue"][1:3]
    p_values = np.ones(len(tests.cells))
    p_values[chosen] = 0.049, 0.051  # the study's confidence is 0.95
    monkeypatch.setitem(vars(view), "_tests", replace(tests, p_values=p_values))
    difference = view.heatmap(None)
    assert difference.class_name == "blue"
    assert difference.changed_by_class["blue"] == 1
    _, first, second = tests.cells[chosen[0]]
    assert difference.significant == (
        tuple(sorted((difference.concepts.index(first), difference.concepts.index(second)))),
    )
    i, j = difference.significant[0]
    assert difference.p_values[i][j] == difference.p_values[j][i] == 0.049


def test_the_swap_test_puts_the_new_mistakes_down_to_the_head(compared: OpenedStudy) -> None:
    swap = compared.exploration.views.compared.swap()
    assert swap.sound == EarlierModel.name
    assert swap.new_failures > 0
    assert swap.counts.head == swap.new_failures


def test_one_study_alone_has_nothing_to_compare(study: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        _ = study.exploration.views.compared
    assert error.value.diagnostics[0].code == "EXPLORE010"
    assert study.exploration.overview().compared is None


def test_a_class_that_is_not_shared_is_refused(compared: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        compared.exploration.views.compared.heatmap("purple")
    assert error.value.diagnostics[0].code == "EXPLORE001"
