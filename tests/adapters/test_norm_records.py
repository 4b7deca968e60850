"""Departure from batch norms' records, by value."""

import numpy as np
import pytest
import torch
from torch import nn

from conspect.adapters.models.norm_records import departure


def network() -> nn.Sequential:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    first.running_mean, first.running_var = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    return nn.Sequential(first, nn.Sequential(nn.Conv2d(2, 2, 1), second)).eval()


def test_the_largest_root_mean_square_shift_in_deviations() -> None:
    layer = network()[:1]
    images = torch.zeros(6, 2, 3, 3)
    images[:, 0] += torch.arange(6.0)[:, None, None]  # mean 2.5
    images[:, 1] += 0.5
    expected = np.sqrt(((1.5 / 2) ** 2 + 0.5**2) / 2)
    assert departure(layer, images.split(4)) == pytest.approx(expected, rel=1e-4)


def test_the_worst_layer_counts_and_batches_do_not() -> None:
    torch.manual_seed(0)
    net, images = network(), torch.randn(10, 2, 4, 4)
    net[1][1].running_mean += 50
    whole = departure(net, [images])
    assert whole is not None
    assert whole > 40
    assert departure(net, images.split(3)) == pytest.approx(whole)
    assert not net[0]._forward_hooks


def test_a_network_without_batch_norm_has_no_record() -> None:
    assert departure(nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2)), [torch.zeros(1, 2, 3, 3)]) is None
    assert departure(network(), []) is None
