"""The swap test of a study against a sound version of its model."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner

from conspect.adapters.sources.request import Request
from conspect.cli.localize import localize
from conspect.core.diagnostics import UserError
from conspect.core.spaces import Head
from conspect.results.localization import PartLoss
from conspect.results.shares import CulpritCounts
from conspect.study import Study
from conspect.study.diagnosing import swapping
from conspect.study.diagnosing.swapping import common_space, swap_results, swap_sentence
from tests.fakes import FakeModel


class SoundModel(FakeModel):
    """The fake without its two faults: it sees every corner as it is, and favours no class."""

    name, digest = "sound", "model-0"
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 0.0, 0.0, -50.0]))

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return self.centres(batch)


def test_the_swap_test_finds_both_planted_faults(finished: Study, tmp_path: Path) -> None:
    swap = swap_results(finished.inputs, finished.measurements(), SoundModel(), tmp_path)
    assert (swap.failures, swap.new_failures) == (13, 13)
    assert swap.sound_accuracy == 1.0
    for image in swap.images:
        planted = Path(image.id).name.split("-")[0]
        assert image.blame == ("head" if planted == "head" else "encoder")
    assert swap.counts == CulpritCounts(head=6, encoder=7, undecided=0)
    head, encoder = swap.parts
    assert (head.changed, encoder.changed) == (True, True)
    assert head.loss + encoder.loss == pytest.approx(1 - swap.accuracy, abs=1e-4)
    assert swap.broken == ("head", "encoder")
    assert swap.sentence.startswith("Both parts are broken: the head 8.0 points and the encoder 9.3 points")


def test_a_part_that_was_not_changed_is_said_to_be_unchanged(finished: Study, tmp_path: Path) -> None:
    class OtherHead(SoundModel):
        digest = "model-0b"

        def embed(self, batch: np.ndarray) -> np.ndarray:
            return finished.inputs.model.embed(batch)

    swap = swap_results(finished.inputs, finished.measurements(), OtherHead(), tmp_path)
    head, encoder = swap.parts
    assert (head.changed, encoder.changed, encoder.loss, encoder.alone) == (True, False, 0.0, 0.0)
    assert "encoder" not in swap.broken
    assert swap.sentence.endswith("The encoder is unchanged.")


def lost(part: Literal["head", "encoder"], loss: float, p_value: float, *, changed: bool = True) -> PartLoss:
    return PartLoss(part=part, changed=changed, loss=loss, alone=loss, p_value=p_value, beyond_chance=p_value < 0.05)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            (lost("head", 0.003, 0.0331), lost("encoder", 0.0, 1.0, changed=False)),
            "No part is called broken. Exchanging the head costs more than chance explains (p = 0.033), but 0.3 points: a part "
            "is called broken from 0.5 points of accuracy on. The encoder is unchanged.",
        ),
        (
            (lost("head", 0.003, 0.2), lost("encoder", 0.001, 0.0331, changed=False)),
            "Neither part loses accuracy for sure. The encoder is unchanged but for rounding, which alone costs 0.1 points "
            "(p = 0.033).",
        ),
        (
            (lost("head", 0.02, 0.001), lost("encoder", -0.02, 1.0)),
            "No part is called broken. Exchanging the head costs more than chance explains (p = 0.001), which the other part "
            "makes up for: the two versions as they are do not differ for sure.",
        ),
    ],
)
def test_where_nothing_is_called_broken_the_p_values_beside_it_are_explained(
    parts: tuple[PartLoss, PartLoss], sentence: str
) -> None:
    assert swap_sentence(parts, ()) == sentence


class Stranger(SoundModel):
    """Sound, but in a space of its own: its dimensions stand in another order, and its head expects them there."""

    name, digest = "stranger", "model-9"
    head = Head.linear(np.vstack([10 * np.eye(3)[:, [2, 0, 1]], np.zeros(3)]), np.array([0.0, 0.0, 0.0, -50.0]))

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return self.centres(batch)[:, [1, 2, 0]]


def test_models_without_a_common_space_are_refused(finished: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no space in common"):
        swap_results(finished.inputs, finished.measurements(), Stranger(), tmp_path)
    with pytest.raises(UserError, match="both encoders know the classes"):
        swap_results(finished.inputs, finished.measurements(), Stranger(), tmp_path)
    stranger = SoundModel()
    stranger.embedding_size = 4
    with pytest.raises(UserError, match="size of their embeddings"):
        swap_results(finished.inputs, finished.measurements(), stranger, tmp_path)


class Blind(Stranger):
    """Sees no class: noise, whatever the image."""

    digest = "blind"

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.random.default_rng(len(batch)).normal(size=(len(batch), 3)).astype(np.float32)


class Constant(Stranger):
    digest = "constant"

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.ones((len(batch), 3), dtype=np.float32)


@pytest.mark.parametrize(
    ("model", "reason"),
    [(Blind, "a new head on the embeddings of stranger"), (Constant, "the same embedding for every image")],
)
def test_the_refusal_gives_the_true_reason(finished: Study, tmp_path: Path, model, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        swap_results(finished.inputs, finished.measurements(), model(), tmp_path)


def test_logits_of_another_scale_change_nothing(finished: Study, tmp_path: Path) -> None:
    halved = SoundModel()
    layer = halved.head.layers[0]
    halved.head = Head.linear(layer.weight / 7, layer.offset / 7)
    swap = swap_results(finished.inputs, finished.measurements(), halved, tmp_path)
    assert swap.counts == CulpritCounts(head=6, encoder=7, undecided=0)


def test_two_encoders_share_a_space_when_the_same_dimensions_go_together() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 12))
    assert common_space(z, z) == pytest.approx(1, abs=0.06)
    assert common_space(z, z + rng.normal(size=z.shape)) > 0.5
    assert common_space(z, rng.normal(size=z.shape)) == pytest.approx(0, abs=0.1)
    assert common_space(z, np.zeros_like(z)) == 0.0
    assert common_space(z, np.full_like(z, np.nan)) == 0.0


def test_the_command_prints_what_was_found(finished: Study, monkeypatch) -> None:
    asked = []

    def load(request: Request) -> SoundModel:
        asked.append((request.name, None if request.path is None else request.path.name))
        return SoundModel()

    monkeypatch.setattr(swapping, "model_of", load)
    monkeypatch.setattr(Study, "open", lambda folder: finished)
    call = ["--study", str(finished.folder), "--sound"]
    told = CliRunner().invoke(localize, [*call, "older"])
    assert "13 of 13 failures are new" in told.output
    assert "head 6, encoder 7, undecided 0" in told.output
    printed = json.loads(CliRunner().invoke(localize, [*call, "older.safetensors", "--json"]).stdout)
    assert printed["counts"]["head"] == 6
    CliRunner().invoke(localize, [*call, "resnet18", "--kind", "torchvision"])
    assert asked == [("older", None), (None, "older.safetensors"), ("resnet18", None)]
