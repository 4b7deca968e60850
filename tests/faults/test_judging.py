"""Cases are planted as they say, and judged by weights that did not see them."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from conspect.analysis.diagnosis.weighing import Suspect
from conspect.bench import faults as bench
from conspect.faults import cases as planting
from conspect.faults import judging, scoring
from conspect.faults.cases import Cases, Part
from conspect.faults.keeping import read_cases, write_cases
from conspect.faults.pipelines import PIPELINES
from conspect.faults.subjects import TEST, scene_subject
from conspect.study.diagnosing.record import evidence_weights


@pytest.fixture(scope="module")
def judged() -> list[judging.JudgedCase]:
    patch = pytest.MonkeyPatch()
    patch.setattr(judging, "TRAIN_IMAGES", 500)
    patch.setattr(judging, "TEST_IMAGES", 300)
    patch.setattr(judging, "CHANGED_IMAGES", 40)
    patch.setattr(planting, "SEARCH_IMAGES", 200)
    found = list(judging.judged_cases(scene_subject(), 0))
    patch.undo()
    return found


@pytest.mark.slow
def test_every_part_has_cases_that_cost_what_they_say(judged) -> None:
    assert {case.part for case in judged} == set(Part)
    for case in judged:
        if case.part in {Part.HEAD, Part.ENCODER, Part.INPUT}:
            assert case.drop >= planting.LEAST_DROP
            assert (case.outputs == case.truth).mean() < (case.sound == case.truth).mean()
        if case.part is Part.LABELS:
            assert (case.labels != case.truth).mean() == pytest.approx(case.drop, abs=0.02)
        if case.part is Part.NONE:
            assert (case.outputs == case.sound).mean() >= 0.9  # rounding and pruning a sound head turn a few


@pytest.mark.slow
def test_the_bench_has_a_row_for_each_target(judged) -> None:
    rows = bench.rows_of(judged)
    assert [row["target"] for row in rows] == [0.9, 0.15, 0.05, pytest.approx(10 / 12), 0.9, None]
    values = [row["value"] for row in rows]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert values[0] is not None
    assert values[0] > 0.5


@pytest.mark.slow
def test_a_case_is_not_judged_by_its_own_kind(judged, monkeypatch) -> None:
    seen = []
    real = judging.weights_of

    def watched(cases):
        seen.append({case.kind for case in cases})
        return real(cases)

    monkeypatch.setattr(judging, "weights_of", watched)
    judging.kinds_left_out(judged)
    kinds = {case.kind for case in judged}
    assert sorted(map(sorted, seen)) == sorted(sorted(kinds - {kind}) for kind in kinds)


def test_equal_numbers_give_equal_cases(monkeypatch) -> None:
    monkeypatch.setattr(planting, "SEARCH_IMAGES", 100)
    subject = scene_subject().first(200, 150)
    one, other = (list(islice(Cases(subject, 3), 14)) for _ in range(2))
    assert [case.kind for case in one] == [case.kind for case in other]
    assert all((a.head.weight == b.head.weight).all() for a, b in zip(one, other, strict=True))


def test_pipelines_change_what_the_network_is_given() -> None:
    subject = scene_subject().first(1, 3)
    assert len(subject.pixels[TEST]) > 0
    for pipeline in PIPELINES:
        for picture in subject.pixels[TEST]:
            given, sound = pipeline.prepare(picture, subject.prepare), subject.prepare(picture)
            assert given.shape == sound.shape
            assert given.dtype == np.float32
            assert not np.allclose(given, sound)


def test_scores_count_decided_and_right_cases() -> None:
    class Said:
        def __init__(self, suspect: Suspect | None) -> None:
            self.suspect = suspect

    class Known:
        def __init__(self, part: Part) -> None:
            self.part = part

    parts = [Part.NONE, Part.NONE, Part.HEAD, Part.HEAD, Part.BOTH]
    said = [Suspect.NONE, Suspect.ENCODER, Suspect.HEAD, None, Suspect.ENCODER]
    cases: Any = [Known(part) for part in parts]
    diagnoses: Any = [Said(one) for one in said]
    score = scoring.score_models(cases, diagnoses)
    assert score.accuracy == 0.75
    assert score.balanced_accuracy == pytest.approx((0.5 + 1 + 1) / 3)
    assert score.undecided == pytest.approx(0.2)
    assert score.false_alarms == 0.5


@pytest.mark.slow
def test_no_sound_network_is_called_broken_by_the_shipped_weights(judged) -> None:
    weights = evidence_weights()
    sound = [case for case in judged if case.part is Part.NONE]
    assert len(sound) >= 8
    for case in sound:
        for reported in (False, True):
            assert case.answer(weights, reported=reported).suspect in {Suspect.NONE, None}, case.kind


@pytest.mark.slow
def test_judged_cases_survive_their_file(judged, tmp_path) -> None:
    path = tmp_path / "cases.npz"
    assert read_cases(path) is None
    write_cases(path, judged)
    again = read_cases(path)
    assert again is not None
    assert [(case.kind, case.part, case.drop) for case in again] == [
        (case.kind, case.part, case.drop) for case in judged
    ]
    weights = evidence_weights()
    for one, other in zip(judged, again, strict=True):
        assert other.answer(weights).posterior == pytest.approx(one.answer(weights).posterior)
        assert (other.images.repaired == one.images.repaired).all()


def test_kinds_held_back_are_planted_and_take_no_part_in_a_fit(monkeypatch) -> None:
    monkeypatch.setattr(planting, "SEARCH_IMAGES", 100)
    subject = scene_subject().first(200, 150)
    held = list(Cases(subject, 0, held_back=True))
    assert {case.part for case in held} == {Part.NONE, Part.LABELS, Part.HEAD, Part.ENCODER, Part.INPUT}
    usual = {case.kind for case in Cases(subject, 0)}
    assert not usual & {case.kind for case in held}
    z = planting.embed(subject.encoder, subject.prepared(subject.pixels[TEST]))
    for case in held[:2]:  # the same function in other numbers
        again = planting.embed(case.encoder, subject.prepared(subject.pixels[TEST]))
        assert not np.allclose(again, z)
        assert case.head(again) == pytest.approx(subject.head(z), abs=1e-3)
