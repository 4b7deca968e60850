"""The default verdicts of a study, and the swap test against a sound version of its model."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conspect.adapters import models
from conspect.analysis.fault_evidence import FEATURES
from conspect.cli.localize import localize
from conspect.core.diagnostics import UserError
from conspect.core.spaces import Head
from conspect.results.shares import CulpritCounts
from conspect.study import Study
from conspect.study.blame import RECORD_IMAGES, blame_results, evidence_weights, swap_results
from tests.fakes import FakeModel
from tests.records import plain


class SoundModel(FakeModel):
    """The fake without its two faults: it sees every corner as it is, and favours no class."""

    name, digest = "sound", "model-0"
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 0.0, 0.0, -50.0]))

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return self.centres(batch)


class Recording(FakeModel):
    """The fake with a record that departs by as many images as it is shown."""

    def departure(self, batches: list[np.ndarray]) -> float:
        return float(sum(len(batch) for batch in batches))


def test_each_failure_has_a_default_verdict_that_follows_its_probability(finished: Study) -> None:
    located = plain(finished.results())["localization"]
    assert located["default"]["method"] == "evidence without records"
    assert located["default"]["departure_train"] is None
    found = Counter(image["blame"] for image in located["images"])
    assert {name: found[name] for name in ("head", "encoder", "undecided")} == located["default"]["counts"]
    for image in located["images"]:
        head = image["head_probability"]
        wanted = "undecided" if 0.4 < head < 0.6 else "head" if head > 0.5 else "encoder"
        assert image["blame"] == wanted


def test_a_record_is_asked_on_both_splits_and_changes_the_method(finished: Study) -> None:
    inputs, measured = finished.inputs, finished.measurements()
    object.__setattr__(inputs, "model", Recording())
    try:
        found, blames = blame_results(inputs, measured, seed=0)
    finally:
        object.__setattr__(inputs, "model", FakeModel())
    assert found.method == "evidence"
    assert found.departure_train == min(RECORD_IMAGES, len(measured.train))
    assert found.departure_test == min(RECORD_IMAGES, len(measured.test))
    assert len(blames) == 13


def test_the_swap_test_finds_both_planted_faults(finished: Study, tmp_path: Path) -> None:
    found = swap_results(finished.inputs, finished.measurements(), SoundModel(), tmp_path)
    assert (found.failures, found.new_failures) == (13, 13)
    assert found.sound_accuracy == 1.0
    for image in found.images:
        planted = Path(image.id).name.split("-")[0]
        assert image.blame == ("head" if planted == "head" else "encoder")
    assert found.counts == CulpritCounts(head=6, encoder=7, undecided=0)


def test_models_without_a_common_space_are_refused(finished: Study, tmp_path: Path) -> None:
    stranger = SoundModel()
    stranger.head = Head.linear(-finished.inputs.model.head.layers[0].weight, np.zeros(4))
    with pytest.raises(UserError, match="not one trained anew"):
        swap_results(finished.inputs, finished.measurements(), stranger, tmp_path)
    stranger.embedding_size = 4
    with pytest.raises(UserError, match="size of their embeddings"):
        swap_results(finished.inputs, finished.measurements(), stranger, tmp_path)


def test_the_command_prints_what_was_found(finished: Study, monkeypatch) -> None:
    asked = []

    def load(name: str | None, path: Path | None) -> SoundModel:
        asked.append((name, path))
        return SoundModel()

    monkeypatch.setattr(models, "load_model", load)
    monkeypatch.setattr(Study, "open", lambda folder: finished)
    call = ["--study", str(finished.folder), "--sound"]
    told = CliRunner().invoke(localize, [*call, "older"])
    assert "13 of 13 failures are new" in told.output
    assert "head 6, encoder 7, undecided 0" in told.output
    found = json.loads(CliRunner().invoke(localize, [*call, "older.safetensors", "--json"]).stdout)
    assert found["counts"]["head"] == 6
    assert asked == [("older", None), (None, Path("older.safetensors"))]


def test_the_shipped_weights_are_of_the_present_features() -> None:
    weights = evidence_weights()
    assert weights.with_record.weight.shape == (len(FEATURES), 2)
    slope = weights.with_record.weight[:, 1] - weights.with_record.weight[:, 0]
    # A head that could be refitted to gain speaks for the head; a departure from the record for the encoder.
    assert slope[FEATURES.index("gain of a correction")] > 0
    assert slope[FEATURES.index("departure in training")] < 0
