"""A later version of a model against the fingerprint of a sound one."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from conspect.adapters.models.layer_moments import module_moments
from conspect.cli.fingerprint import fingerprint as command
from conspect.core.diagnostics import UserError
from conspect.core.protocols import LayerMoments
from conspect.core.spaces import AffineMap, Head
from conspect.faults.planting.cases import Cases
from conspect.faults.subjects.sound_network import TEST, scene_subject
from conspect.study import Study
from conspect.study.diagnosing import fingerprint as taking
from conspect.study.diagnosing.fingerprint import Fingerprint, compared, read_fingerprint, write_fingerprint


def taken(encoder: nn.Module, head: AffineMap, fed: np.ndarray, labels: np.ndarray) -> Fingerprint:
    batch = torch.from_numpy(fed)
    with torch.inference_mode():
        z = encoder(batch).double().numpy()
    return Fingerprint(
        "network",
        "these images",
        tuple(f"class {k}" for k in range(8)),
        ("one", "two"),
        Head((head,)),
        taking.coarse_grid(fed),
        module_moments(encoder, [batch]),
        z,
        labels,
        np.eye(2, z.shape[1]),
        np.zeros(2),
    )


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases(scene_subject().first(400, 600), 0)


@pytest.fixture(scope="module")
def sound(cases) -> Fingerprint:
    subject = cases.subject
    return taken(subject.encoder, subject.head, cases.prepared[TEST], subject.labels[TEST])


def test_a_copy_has_moved_nowhere(cases, sound) -> None:
    subject = cases.subject
    again = taken(copy.deepcopy(subject.encoder), subject.head, cases.prepared[TEST], subject.labels[TEST])
    comparison = compared(again, sound)
    assert not comparison.input_changed
    assert (comparison.broken, comparison.layers, comparison.concepts, comparison.classes) == ((), (), (), ())
    assert comparison.accuracy == comparison.sound_accuracy
    assert (
        comparison.sentence == "Neither part loses accuracy for sure. The head is unchanged. The encoder is unchanged."
    )


def test_the_layer_and_the_row_that_were_changed_are_named(cases, sound) -> None:
    subject = cases.subject
    encoder = copy.deepcopy(subject.encoder)
    names = [name for name, layer in encoder.named_modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        dict(encoder.named_modules())[names[3]].weight.mul_(-1)
    weight = subject.head.weight.copy()
    weight[5] = 0.0
    comparison = compared(
        taken(encoder, AffineMap(weight, subject.head.offset), cases.prepared[TEST], subject.labels[TEST]), sound
    )
    assert comparison.first_layer == names[3]
    assert comparison.head_rows == ("class 5",)
    assert "encoder" in comparison.broken
    assert {concept.concept for concept in comparison.concepts} <= {"one", "two"}
    assert len(comparison.classes) == 8


def test_a_head_that_changed_alone_is_no_layer_that_moved(cases, sound) -> None:
    subject = cases.subject
    weight = subject.head.weight.copy()
    weight[5] = 0.0
    later = taken(subject.encoder, AffineMap(weight, subject.head.offset), cases.prepared[TEST], subject.labels[TEST])
    output = LayerMoments("head", np.zeros(8), np.ones(8))
    comparison = compared(
        replace(later, layers=(*later.layers, replace(output, mean=output.mean + 9))),
        replace(sound, layers=(*sound.layers, output)),
    )
    assert (comparison.first_layer, comparison.layers) == (None, ())
    assert comparison.sentence.endswith("The encoder is unchanged.")


def test_each_failure_is_put_down_to_the_part_that_changed(cases, sound) -> None:
    subject = cases.subject
    weight = subject.head.weight.copy()
    weight[5] = 0.0
    head = taken(subject.encoder, AffineMap(weight, subject.head.offset), cases.prepared[TEST], subject.labels[TEST])
    encoder = copy.deepcopy(subject.encoder)
    with torch.no_grad():
        next(layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)).weight.mul_(0.5)
    other = taken(encoder, subject.head, cases.prepared[TEST], subject.labels[TEST])
    for later, part in ((head, "head"), (other, "encoder")):
        comparison = compared(later, sound)
        new = [failure for failure in comparison.failures if failure.new]
        assert len(new) > 20
        assert {failure.blame for failure in new} == {part}
        assert {failure.blame for failure in comparison.failures if not failure.new} <= {"undecided"}
        assert getattr(comparison.counts, part) == len(new)
        outputs = later.head.logits(later.embeddings).argmax(1)
        assert [int(failure.id) for failure in comparison.failures] == np.flatnonzero(outputs != later.labels).tolist()


def test_a_network_that_was_trained_apart_is_refused(cases, sound) -> None:
    subject, width = cases.subject, sound.embeddings.shape[1]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]
    turned = Fingerprint(
        **{
            **vars(sound),
            "embeddings": sound.embeddings @ turn.T,
            "head": Head((AffineMap(subject.head.weight @ turn.T, subject.head.offset),)),
        }
    )
    with pytest.raises(UserError, match="no space in common"):
        compared(turned, sound)


def test_no_part_is_called_broken_where_nothing_was_lost(cases, sound) -> None:
    subject = cases.subject
    # Three hundred times as large: each old part with the other new one is wrong often, and both new ones together never.
    smaller = Head((AffineMap(subject.head.weight / 300, subject.head.offset),))
    larger = Fingerprint(**{**vars(sound), "embeddings": 300 * sound.embeddings, "head": smaller})
    comparison = compared(larger, sound)
    assert comparison.parts[0].changed
    assert comparison.parts[0].p_value < 0.05
    assert comparison.broken == ()
    assert comparison.sentence.startswith(
        "No part is called broken. Exchanging the head costs more than chance explains (p"
    )
    assert comparison.sentence.endswith(
        "which the other part makes up for: the two versions as they are do not differ for sure."
    )


def test_an_encoder_that_lost_almost_everything_is_compared_where_the_head_is_the_same(cases, sound) -> None:
    rng = np.random.default_rng(0)
    lost = Fingerprint(
        **{**vars(sound), "embeddings": rng.normal(size=sound.embeddings.shape) * sound.embeddings.std(0)}
    )
    comparison = compared(lost, sound)
    assert comparison.broken == ("encoder",)
    assert comparison.counts.head == 0


def test_another_input_is_told_from_another_encoder(cases, sound) -> None:
    subject = cases.subject
    turned = np.ascontiguousarray(cases.prepared[TEST][:, ::-1])
    comparison = compared(taken(subject.encoder, subject.head, turned, subject.labels[TEST]), sound)
    assert comparison.input_changed
    assert comparison.broken == ()
    assert comparison.sentence.startswith(
        "What the network is fed is other than it was: the input pipeline changed, and"
    )


def test_a_file_reads_back_and_what_is_none_is_refused(sound, tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    write_fingerprint(path, sound)
    assert path.stat().st_size < 3e6
    again = read_fingerprint(path)
    assert compared(again, sound).broken == ()
    assert again.layers[0].name == sound.layers[0].name
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    for wrong in ("no.safetensors", "missing.safetensors"):
        with pytest.raises(UserError, match="not a fingerprint"):
            read_fingerprint(tmp_path / wrong)


def test_other_images_or_sizes_are_refused(sound) -> None:
    other = Fingerprint(**{**vars(sound), "reference": "others"})
    with pytest.raises(UserError, match="other reference images"):
        compared(other, sound)
    smaller = Fingerprint(**{**vars(sound), "embeddings": sound.embeddings[:, :5]})
    with pytest.raises(UserError, match="dimensions"):
        compared(smaller, sound)


def test_moments_are_those_of_each_channel_whatever_the_batches() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2), nn.LayerNorm(36))
    images = torch.randn(7, 3, 8, 8)
    with torch.inference_mode():
        first = net[0](images).double()
    for moments in (module_moments(net, [images]), module_moments(net, images.split(3))):
        assert [layer.name for layer in moments] == ["0", "1", "2"]
        assert moments[0].mean == pytest.approx(first.mean((0, 2, 3)).numpy(), abs=1e-6)
        assert moments[0].deviation == pytest.approx(first.std((0, 2, 3), correction=0).numpy(), abs=1e-6)
        assert moments[2].mean.shape == (36,)
    assert isinstance(moments[0], LayerMoments)


def test_the_command_writes_and_compares(finished: Study, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Study, "open", lambda folder: finished)
    place = tmp_path / "f.safetensors"
    told = CliRunner().invoke(command, [str(finished.folder), "--out", str(place)])
    assert told.exit_code == 0, told.output
    assert "images" in told.output
    said = CliRunner().invoke(command, [str(finished.folder), "--against", str(place)])
    assert "Neither part loses accuracy for sure." in said.output
    printed = json.loads(CliRunner().invoke(command, [str(finished.folder), "--against", str(place), "--json"]).stdout)
    assert printed["broken"] == []
    assert printed["accuracy"] == printed["sound_accuracy"]
