"""Faults of encoders, pictures and scenes, by value; stages taken apart give what the whole gives."""

import numpy as np
import pytest
import torch
from torch import nn

from conspect.faults.planting.encoders import (
    BEYOND,
    blocks,
    blur_filters,
    encoder_mutators,
    noise_weights,
    quantise_weights,
    shift_statistics,
    towards,
    zero_channels,
)
from conspect.faults.subjects import scenes
from conspect.faults.subjects.scene_model import PlainBlock


def encoder() -> nn.Sequential:
    torch.manual_seed(0)
    stages = [nn.Conv2d(3, 4, 3, 1, 1), PlainBlock(4, 6), PlainBlock(6, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stages).eval()


def pictures(images: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(images, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize(
    "mutate",
    [zero_channels(6), shift_statistics, noise_weights, quantise_weights, blur_filters, towards(PlainBlock(4, 6))],
)
def test_strength_zero_changes_nothing_and_a_stage_is_copied(mutate) -> None:
    stage, given = encoder()[1], torch.from_numpy(pictures())
    given = torch.cat([given, given[:, :1]], dim=1)
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    with torch.inference_mode():
        assert torch.allclose(mutate(stage, 0.0, 1)(given), stage(given), atol=1e-6)
        changed = mutate(stage, 1.0, 1).eval()(given)
        assert not torch.allclose(changed, stage(given))
        assert torch.equal(changed, mutate(stage, 1.0, 1).eval()(given))
    for name, value in stage.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_share_of_the_channels_is_zero() -> None:
    out = zero_channels(6)(encoder()[1], 0.5, 0)(torch.randn(2, 4, 8, 8).abs())
    assert sum(bool((out[:, channel] == 0).all()) for channel in range(6)) >= 3
    masked = zero_channels(4)(nn.Identity(), 0.5, 0)(torch.ones(2, 7, 4))
    assert masked.sum() == 2 * 7 * 2


def test_blurred_filters_are_their_means_at_full_strength() -> None:
    stage = encoder()[0]
    blurred = blur_filters(stage, 1.0, 0)
    assert torch.allclose(blurred.weight, stage.weight.mean((2, 3), keepdim=True).expand_as(stage.weight))  # type: ignore[arg-type, operator]


def test_two_bits_have_four_values_per_layer() -> None:
    quantised = quantise_weights(encoder()[1], 1.0, 0)
    values = [len(layer.weight.unique()) for layer in quantised.modules() if isinstance(layer, nn.Conv2d)]
    assert len(values) == 2
    assert max(values) <= 4


def test_towards_goes_beyond_the_other_stage() -> None:
    stage, other = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    reached = towards(other)(stage, 1 / BEYOND, 0)
    assert torch.allclose(reached.weight, other.weight)  # type: ignore[arg-type]
    further = towards(other)(stage, 2 / BEYOND, 0)
    assert torch.allclose(further.weight, 2 * other.weight - stage.weight, atol=1e-6)  # type: ignore[arg-type]


def test_norm_statistics_move_as_told() -> None:
    layer = nn.Sequential(nn.BatchNorm2d(500)).eval()
    shifted = shift_statistics(layer, 0.5, 0)[0]  # type: ignore[index]
    assert float(shifted.running_mean.std()) == pytest.approx(1.0, abs=0.1)
    assert float(shifted.running_var.log().std()) == pytest.approx(1.0, abs=0.1)


def test_every_fault_changes_a_stage_that_has_weights() -> None:
    net = encoder()
    assert blocks(net) == [1, 2]
    mutators = encoder_mutators(net, torch.from_numpy(pictures(1)))
    assert len({mutator.name for mutator in mutators}) == 5
    for mutator in mutators:
        assert any(True for _ in net[mutator.stage].parameters())


def test_a_scene_without_a_concept_differs_in_the_object_alone() -> None:
    (scene,) = [
        candidate for candidate in scenes.scenes(200, 0) if scenes.CLASS_NAMES[candidate.label] == "striped disc"
    ][:1]
    whole, plain, grey = (
        scenes.draw(shown).astype(int) for shown in (scene, scene.without("texture"), scene.without("colour"))
    )
    assert (whole == scenes.draw(scene)).all()
    for other in (plain, grey):
        changed = (whole != other).any(axis=2).mean()
        assert 0 < changed < 0.4
    labels = scenes.concept_labels([scene, scene.without("texture")])
    assert labels[0].sum() == 3
    assert labels[1, scenes.CONCEPTS.index("striped")] == 0
    assert labels[0, scenes.CONCEPTS.index("disc")] == 1
    assert scene.without("colour").label == scene.label
