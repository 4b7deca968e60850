"""A study's diagnosis: images beyond the sample, a reported accuracy, embeddings that are no numbers, JUnit."""

import json
import pickle
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conspect.adapters.engines.local import LocalEngine
from conspect.analysis.diagnosis.images import Cause
from conspect.analysis.diagnosis.weighing import SUSPECTS
from conspect.cli.doctor import doctor
from conspect.core.diagnostics import UserError
from conspect.core.protocols import Progress, Result, Task, unseen
from conspect.report.doctor import doctor_junit
from conspect.study import Study, inputs
from conspect.study.diagnosing import further, record
from conspect.study.diagnosing.record import diagnose_study, other_preparation
from tests.fakes import FakeModel, write_study


def test_failures_beyond_the_sample_are_judged_by_its_measure(finished: Study, monkeypatch) -> None:
    measured = finished.measurements()
    whole = diagnose_study(finished.inputs, measured, seed=0, changed=0)
    monkeypatch.setattr(record, "MOST_IMAGES", 60)
    monkeypatch.setattr(further, "CONTEXT", 50)
    diagnosis = diagnose_study(finished.inputs, measured, seed=0, changed=0)
    assert [image.row for image in diagnosis.images] == [image.row for image in whole.images]
    assert len(diagnosis.images) == 13
    seen = set(measured.test.sample(60, 0).tolist())
    beyond = [image for image in diagnosis.images if image.row not in seen]
    assert beyond
    for image in beyond:
        same = next(other for other in whole.images if other.row == image.row)
        assert image.label_wrong == pytest.approx(same.label_wrong, abs=0.35)
        assert image.label_wrong != 0.0 or same.label_wrong < 0.05
    assert sum(cause.count for cause in diagnosis.record.causes) == 13


def test_failures_beyond_the_sample_stand_beside_images_of_all_classes_and_go_to_the_engine(
    finished: Study, monkeypatch
) -> None:
    measured = finished.measurements()
    asked: list[further.FurtherFailures] = []

    class Sending(LocalEngine):
        def map(
            self, function: Callable[[Task, Progress], Result], tasks: Iterable[Task], progress: Progress = unseen
        ) -> Iterator[Result]:
            assert isinstance(function, partial)
            asked.append(function.args[0])
            sent: Callable[[Task, Progress], Result] = pickle.loads(pickle.dumps(function))
            return super().map(sent, tasks, progress)

    monkeypatch.setattr(record, "MOST_IMAGES", 60)
    monkeypatch.setattr(further, "CONTEXT", 20)
    monkeypatch.setattr(further, "PART", 3)
    seen = measured.test.sample(60, 0)
    # As a folder for each class lists them: the first third of the sample lacks a class.
    assert len(np.unique(measured.labels[seen[:20]])) < len(np.unique(measured.labels))
    diagnosis = diagnose_study(finished.inputs, measured, seed=0, changed=0, engine=Sending())
    assert len(np.unique(asked[0].labels)) == len(np.unique(measured.labels))
    assert len(asked[0].labels) == len(asked[0].z) == len(asked[0].y) == 20
    monkeypatch.setattr(further, "PART", 5000)
    whole = diagnose_study(finished.inputs, measured, seed=0, changed=0)
    assert [image.row for image in diagnosis.images] == [image.row for image in whole.images]


def test_a_reported_accuracy_is_weighed_and_said(finished: Study) -> None:
    measured = finished.measurements()
    lost = diagnose_study(finished.inputs, measured, seed=0, changed=0, reported=1.0)
    said = [line for line in lost.record.evidence if "reported accuracy" in line]
    assert len(said) == 1
    assert said[0].startswith(
        "Against the reported accuracy of 100.0 % the model loses 17.3 points; a corrected head restores"
    )
    kept = diagnose_study(finished.inputs, measured, seed=0, changed=0, reported=0.8)
    assert any(line.startswith("Nothing is lost for sure") for line in kept.record.evidence)
    none = SUSPECTS.index("none")
    assert kept.model.posterior[none] > lost.model.posterior[none]


def test_the_reported_accuracy_of_the_study_file_is_read(folder: Path, monkeypatch) -> None:
    text = (folder / "study.toml").read_text().replace('name = "planted"', 'name = "planted"\nreported_accuracy = 1.0')
    (folder / "study.toml").write_text(text)
    results = Study.open(folder).run()
    assert any("reported accuracy of 100.0 %" in line for line in results.diagnosis.evidence)
    assert Study.open(folder).config.to_toml().count("reported_accuracy = 1.0") == 1


class Nan(FakeModel):
    digest = "nan"

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 3), np.nan, dtype=np.float32)


class SomeNan(FakeModel):
    digest = "some nan"

    def embed(self, batch: np.ndarray) -> np.ndarray:
        embeddings = super().embed(batch)
        embeddings[embeddings[:, 0] > 0.7] *= np.nan
        return embeddings


def test_embeddings_that_are_no_numbers_are_reported_as_such(tmp_path: Path, monkeypatch) -> None:
    folder = write_study(tmp_path)
    monkeypatch.setattr(inputs, "model_of", lambda request: Nan())
    with pytest.raises(UserError) as caught:
        Study.open(folder).run()
    (told,) = caught.value.diagnostics
    assert told.code == "STUDY005"
    assert "its embedding in planted is not finite (NaN or infinity)" in told.problem
    assert "cannot be read" not in told.problem
    assert "NaN" in told.fix
    monkeypatch.setattr(inputs, "model_of", lambda request: SomeNan())
    other = shutil.copytree(folder, tmp_path / "other", ignore=shutil.ignore_patterns("embeddings"))
    results = Study.open(other).run()
    assert any("an embedding is NaN or infinite: they could be read" in line for line in results.diagnosis.evidence)
    chances = {chance.suspect: chance.probability for chance in results.diagnosis.suspects}
    assert chances["none"] == 0
    assert "No sign of a broken part" not in results.diagnosis.headline
    # The images that it is broken for are left out: no other failure is put down to that.
    assert results.diagnosis.named == ("encoder",)
    assert {cause.cause: cause.count for cause in results.diagnosis.causes}["encoder"] == 0


def test_a_build_server_sees_what_is_named(finished: Study) -> None:
    diagnosis = diagnose_study(finished.inputs, finished.measurements(), seed=0, changed=0).record
    sound = replace_named(diagnosis, ("none",))
    root = ET.fromstring(doctor_junit(sound))
    assert [root[0].get(key) for key in ("tests", "failures", "errors")] == ["4", "0", "0"]
    broken = ET.fromstring(doctor_junit(replace_named(diagnosis, ("head",))))
    (case,) = [case for case in broken.iter("testcase") if len(case)]
    assert (case.get("name"), case[0].tag) == ("head", "failure")
    open_ = ET.fromstring(doctor_junit(replace_named(diagnosis, ("encoder", "none"))))
    (case,) = [case for case in open_.iter("testcase") if len(case)]
    assert (case.get("name"), case[0].tag) == ("encoder", "error")


def replace_named(diagnosis, named):
    from msgspec.structs import replace as replaced

    return replaced(diagnosis, named=named)


def test_the_doctor_writes_what_it_says(finished: Study, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Study, "open", lambda folder: finished)
    place = tmp_path / "d.xml"
    call = ["--study", str(finished.folder), "--images", "0"]
    told = CliRunner().invoke(doctor, [*call, "--junit", str(place)])
    assert told.exit_code == 0, told.output
    assert told.output.startswith("13 mistakes. ")
    assert "Suspects: " in told.output
    said = json.loads(CliRunner().invoke(doctor, [*call, "--json", "--reported-accuracy", "1"]).stdout)
    assert said["headline"].startswith("13 mistakes. ")
    assert any("reported accuracy" in line for line in said["evidence"])
    assert ET.parse(place).getroot().tag == "testsuites"


def test_a_preparation_other_than_the_models_own_is_said() -> None:
    class Own(FakeModel):
        preprocessing = "resized to 8 x 8"

    (said,) = other_preparation(FakeModel(), Own())
    assert "resized to 16 x 16" in said
    assert "its own: resized to 8 x 8." in said
    assert other_preparation(FakeModel(), FakeModel()) == ()
    assert other_preparation(FakeModel(), None) == ()


def test_on_a_sound_model_no_part_has_a_count(finished: Study) -> None:
    diagnosis = diagnose_study(finished.inputs, finished.measurements(), seed=0, changed=0)
    sound = record._record(
        replace(diagnosis.model, posterior=np.array([0, 0, 0, 0, 1.0]), named=(SUSPECTS[4],)),
        [replace(image, cause=Cause.UNDECIDED) for image in diagnosis.images],
        finished.inputs.model.class_names,
        (),
    )
    assert not any(word in sound.headline for word in ("head", "encoder", "input"))
    assert {
        cause.cause: cause.count for cause in sound.causes if cause.cause in {"head", "encoder", "input pipeline"}
    } == {
        "head": 0,
        "encoder": 0,
        "input pipeline": 0,
    }
