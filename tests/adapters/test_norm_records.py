"""Departure from batch norms' records, by value."""

import numpy as np
import pytest
import torch
from torch import nn

from conspect.adapters.models.norm_records import layer_departures
from conspect.adapters.models.torch_module import torch_model
from conspect.adapters.preprocessing import Preprocessing
from conspect.core.capabilities import with_records


def network() -> nn.Sequential:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    first.running_mean, first.running_var = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    return nn.Sequential(first, nn.Sequential(nn.Conv2d(2, 2, 1), second)).eval()


def test_each_layer_has_its_root_mean_square_shift_in_deviations() -> None:
    layer = network()[:1]
    images = torch.zeros(6, 2, 3, 3)
    images[:, 0] += torch.arange(6.0)[:, None, None]  # mean 2.5
    images[:, 1] += 0.5
    expected = np.sqrt(((1.5 / 2) ** 2 + 0.5**2) / 2)
    (found,) = layer_departures(layer, images.split(4))
    assert found.name == "0"
    assert found.value == pytest.approx(expected, rel=1e-4)


def test_layers_stand_in_the_order_of_their_calls_and_batches_do_not_count() -> None:
    torch.manual_seed(0)
    net, images = network(), torch.randn(10, 2, 4, 4)
    net[1][1].running_mean += 50  # type: ignore[index]
    whole = layer_departures(net, [images])
    assert [one.name for one in whole] == ["0", "1.1"]
    assert whole[1].value > 40
    assert whole[0].value < 2
    parts = layer_departures(net, images.split(3))
    assert [one.value for one in parts] == pytest.approx([one.value for one in whole])
    assert not net[0]._forward_hooks


def test_a_network_without_batch_norm_has_no_record() -> None:
    assert layer_departures(nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2)), [torch.zeros(1, 2, 3, 3)]) == ()
    assert layer_departures(network(), []) == ()


def test_a_model_of_any_torch_module_can_be_asked() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    steps = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))
    model = torch_model(module, steps, ("a", "b"))
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    recording = with_records(model)
    assert recording is not None
    (found,) = recording.departures([np.stack([model.prepare(image) for image in images])])
    assert found.name == "1"
    assert found.value > 0
