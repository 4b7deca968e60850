"""The whole benchmark on a small network whose faults are found, and its command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conspect.bench import faults as run
from conspect.cli.bench import bench
from conspect.faults.judging import judged
from conspect.faults.methods import Judges
from conspect.faults.planted import DROPS, Plants
from conspect.faults.subjects import TEST, TRAIN, Subject, scene_subject


@pytest.fixture(scope="module")
def small() -> Subject:
    """The network on rendered scenes with few pictures."""
    whole = scene_subject()
    sizes = {TRAIN: 400, TEST: 250}

    def part(arrays: dict) -> dict:
        return {split: values[: sizes[split]] for split, values in arrays.items()}

    drawn = whole.scenes[:400] if whole.scenes else None
    return replace(whole, pixels=part(whole.pixels), labels=part(whole.labels), vlm=part(whole.vlm), scenes=drawn)


@pytest.mark.slow
def test_every_fault_is_planted_and_judged(small: Subject, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("conspect.faults.planted.DROPS", (0.1,))
    monkeypatch.setattr("conspect.faults.blindness.STEPS", 60)
    found = run.report(small, judged(small, tmp_path))
    overall = {(one["setting"], one["method"]): one for one in found["overall"]}
    swap = overall["regression", "swap test"]
    assert swap["balanced_accuracy"]["value"] == 1.0
    assert swap["undecided"] <= 0.01
    assert overall["blind", "evidence"]["balanced_accuracy"]["value"] > 0.8
    assert 0.3 < overall["blind", "refitted head"]["balanced_accuracy"]["value"] < 1
    assert {one["part"] for one in found["by_mutant"]} == {"head", "encoder", "input"}
    for one in found["by_mutant"]:
        assert one["wanted"] in DROPS
        assert sum(one["counts"].values()) >= 1
        assert one["drop"] > 0
    for one in found["precision_at_5"]:
        assert set(one) >= {"mutator", "wanted_drop"}
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.setattr("conspect.faults.planted.severities", None)
    monkeypatch.setattr(Plants, "_heads", lambda self: iter(()))
    again = list(Plants(small, tmp_path, lambda _: None).mutants(lambda _: None))
    assert len(again) == sum(1 for name in files if name.endswith(".safetensors"))
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_a_mutant_counts_only_what_the_sound_model_had_right(small: Subject, tmp_path: Path) -> None:
    plants = Plants(small, tmp_path, lambda _: None)
    judges = Judges(small, plants.sound)
    mutant = next(plants.mutants(lambda _: None))
    rows = judges.newly_wrong(mutant)
    truth = small.labels[TEST]
    assert (plants.outputs[rows] == truth[rows]).all()
    outputs = mutant.head(plants.sound[TEST]).argmax(1)
    assert (outputs[rows] != truth[rows]).all()
    assert len(rows) == ((plants.outputs == truth) & (outputs != truth)).sum()
    assert mutant.severity.drop == pytest.approx((plants.outputs == truth).mean() - (outputs == truth).mean())
    assert {blame.culprit.value for blame in judges.regression(mutant, rows)[-1].blames} == {"head"}
    assert judges.evidence(mutant, rows).shape == (len(rows), 7)
    assert np.isfinite(judges.evidence(mutant, rows)).all()


def test_the_command_takes_a_study_for_faults_alone(monkeypatch, tmp_path: Path) -> None:
    rows = [{"what": "w", "value": 0.5, "unit": "share", "target": 0.9, "met": False, "better": "higher"}]
    monkeypatch.setattr(run, "measure", lambda study, bar: {"subject": str(study), "rows": rows})
    told = CliRunner().invoke(bench, ["faults", "--study", str(tmp_path), "--json"])
    assert told.exit_code == 1
    assert json.loads(told.stdout)["subject"] == str(tmp_path)
    assert "MISSED" in CliRunner().invoke(bench, ["faults"]).output
    refused = CliRunner().invoke(bench, ["align", "--study", str(tmp_path)])
    assert refused.exit_code == 2
    assert "takes no --study" in refused.output
