"""Cases are planted as they say, and judged by weights that did not see them."""

from dataclasses import dataclass, replace
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conspect.analysis.diagnosis.images import Cause
from conspect.analysis.diagnosis.weighing import Suspect
from conspect.bench import faults as bench
from conspect.core.spaces import AffineMap
from conspect.faults.judgement import judging, scoring
from conspect.faults.judgement.case_folder import CaseFolder
from conspect.faults.judgement.informed import NOT_COMPARED, Version, informed
from conspect.faults.judgement.left_out import others
from conspect.faults.planting import cases as planting
from conspect.faults.planting.broken_inputs import broken_inputs
from conspect.faults.planting.cases import Cases, Part, Series
from conspect.faults.planting.pipelines import PIPELINES
from conspect.faults.planting.strengths import Strengths
from conspect.faults.subjects.sound_network import TEST, scene_subject
from conspect.study.diagnosing.fingerprint import coarse_grid
from conspect.study.diagnosing.record import evidence_weights


@pytest.fixture(scope="module")
def judged() -> list[judging.JudgedCase]:
    patch = pytest.MonkeyPatch()
    patch.setattr(judging, "TRAIN_IMAGES", 500)
    patch.setattr(judging, "TEST_IMAGES", 300)
    patch.setattr(judging, "CHANGED_IMAGES", 40)
    patch.setattr(planting, "SEARCH_IMAGES", 200)
    cases = list(judging.judged_cases(scene_subject(), 0))
    patch.undo()
    return cases


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
    assert [row["target"] for row in rows] == [0.9, 0.15, 0.05, pytest.approx(10 / 12), 0.9, None, None, 0.97]
    values = [row["value"] for row in rows]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert values[0] is not None
    assert values[0] > 0.5


def test_a_case_is_not_judged_by_its_own_kind_or_network() -> None:
    cases: Any = [SimpleNamespace(kind=kind, network=network) for network in "ab" for kind in ("x", "y", "z")]
    assert others(cases, cases[0]) == [4, 5]
    assert others(cases[:3], cases[0]) == [1, 2]


def test_equal_numbers_give_equal_cases(monkeypatch) -> None:
    monkeypatch.setattr(planting, "SEARCH_IMAGES", 100)
    subject = scene_subject().first(200, 150)
    first, second = (list(islice(Cases(subject, 3), 14)) for _ in range(2))
    assert [case.kind for case in first] == [case.kind for case in second]
    assert all((a.head.weight == b.head.weight).all() for a, b in zip(first, second, strict=True))


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
    diagnoses: Any = [Said(suspect) for suspect in said]
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
def test_judged_cases_survive_their_folder(judged, tmp_path) -> None:
    folder = CaseFolder(tmp_path / "cases")
    assert folder.cases() == []
    assert folder.read(0, judged[0].kind) is None
    for place, case in enumerate(judged):
        folder.write(place, case)
    again, weights = folder.cases(), evidence_weights()
    assert [(case.kind, case.part, case.drop) for case in again] == [(c.kind, c.part, c.drop) for c in judged]
    assert folder.read(0, "another kind") is None
    for before, after in zip(judged, again, strict=True):
        assert after.answer(weights).posterior == pytest.approx(before.answer(weights).posterior)
        assert after.images.odds == pytest.approx(before.images.odds, abs=1e-5)
        assert (after.new == before.new).all()


@pytest.fixture(scope="module")
def usual_kinds() -> set[str]:
    patch = pytest.MonkeyPatch()
    patch.setattr(planting, "SEARCH_IMAGES", 100)
    kinds = {case.kind for case in Cases(scene_subject().first(200, 150), 0)}
    patch.undo()
    return kinds


@pytest.mark.slow
@pytest.mark.parametrize("series", [Series.SECOND, Series.THIRD, Series.FOURTH])
def test_later_series_have_kinds_of_their_own(monkeypatch, series, usual_kinds) -> None:
    monkeypatch.setattr(planting, "SEARCH_IMAGES", 100)
    subject = scene_subject().first(200, 150)
    later = list(Cases(subject, 0, series=series))
    assert {case.part for case in later} - {Part.BOTH} == {Part.NONE, Part.LABELS, Part.HEAD, Part.ENCODER, Part.INPUT}
    assert not usual_kinds & {case.kind for case in later}
    pixels = subject.prepared(subject.pixels[TEST])
    z = planting.embed(subject.encoder, pixels)
    for case in later[:2]:  # the same answers in other numbers
        again = planting.embed(case.encoder, pixels)
        assert (
            again.shape != z.shape
            or not np.allclose(again, z)
            or not np.allclose(case.head.weight, subject.head.weight)
        )
        answers, before = case.head(again), subject.head(z)
        assert answers - answers.mean(1, keepdims=True) == pytest.approx(
            before - before.mean(1, keepdims=True), abs=2e-3
        )


def test_no_weight_is_fitted_on_the_series_held_back() -> None:
    case = Known(Part.HEAD, Series.FOURTH)
    assert not judging.JudgedCase.fittable.fget(case)  # type: ignore[attr-defined]
    assert not judging.JudgedCase.fittable.fget(replace(case, series=Series.FIFTH))  # type: ignore[attr-defined]
    assert judging.JudgedCase.fittable.fget(replace(case, series=Series.THIRD))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Known:
    """What decides whether a case is fitted on."""

    part: Part
    series: Series
    order: None = None
    traced: bool = True


def test_a_fingerprint_tells_the_parts_of_planted_faults_apart(monkeypatch) -> None:
    monkeypatch.setattr(planting, "SEARCH_IMAGES", 150)
    subject = scene_subject().first(200, 600)
    cases = Cases(subject, 0)
    fed = coarse_grid(cases.prepared[TEST][:50])
    before = Version(fed, cases.sound[TEST], subject.head)
    labels, names = subject.labels[TEST], subject.class_names
    kinds = {}
    for case in cases:
        if case.kind in {"sound", "row shrunk", "channels zeroed"}:
            z = (
                cases.sound[TEST]
                if case.encoder is subject.encoder
                else planting.embed(case.encoder, cases.prepared[TEST])
            )
            kinds[case.kind] = informed(Version(fed, z, case.head), before, labels, names)
        if len(kinds) == 3:
            break
    assert kinds["sound"].broken == ()
    assert not kinds["sound"].blames.any()
    for kind, part, code in (("row shrunk", "head", 1), ("channels zeroed", "encoder", 2)):
        assert kinds[kind].broken == (part,)
        assert set(kinds[kind].blames) == {0, code}
    rotation = _rotation(cases.sound[TEST].shape[1])
    turned = Version(fed, cases.sound[TEST] @ rotation, AffineMap(subject.head.weight @ rotation, subject.head.offset))
    assert informed(turned, before, labels, names).broken == (NOT_COMPARED,)
    other = informed(Version(fed[:, ::-1], cases.sound[TEST], subject.head), before, labels, names)
    assert other.broken == ("input pipeline",)


def _rotation(width: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]


def test_new_and_old_failures_are_counted_by_what_they_are_put_down_to() -> None:
    def case(part: Part, new: list[bool], old: list[bool]) -> Any:
        return SimpleNamespace(part=part, new=np.array(new), old=np.array(old))

    cases = [
        case(Part.HEAD, [True, True, True, False], [False, False, False, True]),
        case(Part.ENCODER, [True, False, False, False], [False, True, True, False]),
        case(Part.NONE, [True] * 4, [False] * 4),
    ]
    said: list[list[Cause | None]] = [
        [Cause.HEAD, Cause.ENCODER, None, Cause.HEAD],
        [Cause.ENCODER, Cause.HEAD, Cause.LABEL, Cause.ENCODER],
        [Cause.HEAD] * 4,
    ]
    score = scoring.score_images(cases, said)
    assert score.blamed.tolist() == [[1, 1], [0, 1]]
    assert (score.undecided, score.old, score.old_blamed) == (1, 3, 2)
    assert score.balanced_accuracy == pytest.approx(0.75)


def test_strengths_that_were_searched_for_are_not_searched_for_again(tmp_path) -> None:
    path, asked = tmp_path / "kept" / "strengths.json", []

    def drop(strength: float) -> float:
        asked.append(strength)
        return 0.2 * strength

    first = Strengths(path).severity("a kind", drop, 0.1)
    number = len(asked)
    assert number > 0
    assert Strengths(path).severity("a kind", drop, 0.1) == first
    assert len(asked) == number
    assert first.drop == pytest.approx(0.1, abs=0.005)
    Strengths(path).severity("a kind", drop, 0.15)
    assert len(asked) > number


def test_with_a_fingerprint_parts_must_be_named_exactly() -> None:
    cases: Any = [
        SimpleNamespace(
            part=part,
            informed=SimpleNamespace(broken=broken, blames=np.array([1, 2, 0, 1])),
            outputs=np.array([1, 1, 1, 0]),
            labels=np.zeros(4, dtype=int),
            new=np.array([True, True, True, False]),
        )
        for part, broken in (
            (Part.NONE, ()),
            (Part.HEAD, ("head",)),
            (Part.HEAD, ("head", "encoder")),
            (Part.ENCODER, ("encoder",)),
            (Part.BOTH, ("encoder", "head")),
        )
    ]
    score = scoring.score_informed(cases)
    assert score.named == {Part.NONE: 1, Part.HEAD: 1, Part.ENCODER: 1, Part.BOTH: 1}
    assert score.cases[Part.HEAD] == 2
    assert score.balanced_accuracy == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert score.blamed.tolist() == [[2, 2], [1, 1]]
    assert score.images_balanced_accuracy == pytest.approx(0.5)
    assert score.undecided == 3


def test_broken_inputs_change_what_is_given_and_are_named_for_the_right_reason() -> None:
    subject = scene_subject().first(1, 3)
    kinds = list(broken_inputs(subject.prepare))
    assert len({kind.pipeline.name for kind in kinds}) == len(kinds) >= 20
    for kind in kinds:
        for picture in subject.pixels[TEST]:
            given, sound = kind.pipeline.prepare(picture, subject.prepare), subject.prepare(picture)
            assert given.shape == sound.shape
            assert not np.allclose(given, sound)
    by_name = {kind.pipeline.name: kind for kind in kinds}
    mended: Any = SimpleNamespace(mending=SimpleNamespace(name="channels in the order BGR"), preparation=None)
    named: Any = SimpleNamespace(suspect=Suspect.INPUT, evidence=mended)
    assert by_name["BGR"].is_named(named)
    assert not by_name["upside down"].is_named(named)
    assert not by_name["BGR"].is_named(SimpleNamespace(suspect=Suspect.ENCODER, evidence=mended))  # type: ignore[arg-type]
    lossy: Any = SimpleNamespace(mending=None, preparation=SimpleNamespace(lost=("colours do not reach the model",)))
    assert by_name["in grey"].is_named(SimpleNamespace(suspect=Suspect.INPUT, evidence=lossy))  # type: ignore[arg-type]
    assert not by_name["blurred"].is_named(SimpleNamespace(suspect=Suspect.INPUT, evidence=lossy))  # type: ignore[arg-type]
