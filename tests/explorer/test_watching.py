"""The monitor in the explorer: opinions as the monitor's own, and bounds that hold whatever threshold is picked."""

from pathlib import Path

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.monitor.runtime import VERDICTS
from conspect.statistics.intervals import clopper_pearson
from conspect.study import Study, StudyConfig, StudyInputs
from conspect.study.config import read_config
from conspect.study.exploration.opening import index_of
from conspect.study.exploration.watching import StudyMonitor, watched
from conspect.study.inputs import demo_or_own_concepts
from conspect.study.monitor.sizes import sizes_of
from conspect.study.monitor.splits import measure_splits, reported
from tests.fakes import FakeModel, FakeVlm
from tests.study.monitored import CONFIG, noisy_colours


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory, finished_folder: Path) -> Study:
    concepts = demo_or_own_concepts(read_config(finished_folder / "study.toml"), finished_folder)
    inputs = StudyInputs(
        noisy_colours(200, 1), noisy_colours(400, 2), FakeModel(), FakeVlm(), concepts, None, noisy_colours(700, 3)
    )
    study = Study(tmp_path_factory.mktemp("watched"), StudyConfig(monitor=CONFIG), inputs)
    study.fit_monitor()
    return study


@pytest.fixture(scope="module")
def watching(monitored: Study) -> StudyMonitor:
    measured = monitored.measurements()
    index = index_of(monitored.inputs, measured)
    rows = reported(measured.test, held_out=True, seed=0)
    return watched(monitored.monitor_folder, monitored.inputs.model, index, rows)


def test_an_opinion_is_the_monitors_own_with_reasons_where_it_does_not_accept(watching: StudyMonitor) -> None:
    seen = set()
    for row in range(0, len(watching.index), 5):
        opinion = watching.opinion(watching.index.embedding(row).astype(float))
        assert opinion.verdict == VERDICTS[watching.verdicts[row]]
        assert opinion.suspicion == pytest.approx(float(watching.suspicion[row]), abs=1e-3)
        assert not (opinion.verdict == "accept" and opinion.reasons)
        seen.add(opinion.verdict)
    assert len(seen) > 1


def test_the_curve_counts_and_its_bounds_hold_for_all_points_at_once(watching: StudyMonitor) -> None:
    curve = watching.curve()
    wrong, suspicion = watching.index.wrong, watching.suspicion
    assert (curve.images, curve.wrong) == (400, int(wrong.sum()))
    known = np.asarray([point.threshold for point in curve.points])
    assert all(np.isclose(known, limit).any() for limit in (curve.accept, curve.suspect))
    level = 1 - 2 * 0.05 / len(curve.points)
    for point in curve.points:
        accepted = suspicion <= np.float32(point.threshold)
        assert (point.accepted, point.errors) == (int(accepted.sum()), int((accepted & wrong).sum()))
        assert point.errors_at_most == pytest.approx(float(clopper_pearson(point.errors, point.accepted, level)[1]))
    thresholds = [point.threshold for point in curve.points]
    assert thresholds == sorted(thresholds)
    assert curve.sentences


def test_the_images_that_are_counted_are_those_that_are_reported(monitored: Study, tmp_path: Path) -> None:
    inputs, measured = monitored.inputs, monitored.measurements()
    for held_out in (inputs.held_out, None):
        own = StudyInputs(inputs.train, inputs.test, inputs.model, inputs.vlm, inputs.concepts, None, held_out)
        split = measure_splits(
            sizes_of(CONFIG, 200), own, measured, tmp_path, seed=3, bar=lambda _, __: lambda ___: None
        ).report
        rows = reported(measured.test, held_out=held_out is not None, seed=3)
        assert [measured.ids[row] for row in rows] == list(split.dataset.ids)


def test_a_study_without_a_monitor_says_how_to_fit_one(watching: StudyMonitor, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        watched(tmp_path / "monitor", FakeModel(), watching.index, watching.reported)
    assert error.value.diagnostics[0].code == "EXPLORE008"
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor" / "monitor.json").write_text("{")
    with pytest.raises(UserError) as error:
        watched(tmp_path / "monitor", FakeModel(), watching.index, watching.reported)
    assert error.value.diagnostics[0].code == "EXPLORE008"


def test_a_point_of_the_curve_opens_exactly_its_images(watching: StudyMonitor) -> None:
    points = watching.curve().points
    assert points
    for point in points:
        accepted = watching.accepted(point.threshold)
        assert (int(accepted.sum()), int((accepted & watching.index.wrong).sum())) == (point.accepted, point.errors)
