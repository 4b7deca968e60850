import numpy as np
import pytest

from conspect.bench.monitor import BATCH_TARGET, SHARE_TARGET, SINGLE_TARGET, _resnet18, rows, synthetic_monitor

SMALL = synthetic_monitor(dimension=32)


def test_rows_hold_measured_values_against_their_targets(monkeypatch):
    monitor, inputs = SMALL
    passes = []
    monkeypatch.setattr("conspect.bench.monitor._resnet18", lambda: (passes.append, "microseconds, 1 threads"))
    found = rows(monitor, inputs, seconds=0.05)
    single, forward, share, batch, streaming = found
    assert [row["target"] for row in found] == [SINGLE_TARGET, None, SHARE_TARGET, BATCH_TARGET, None]
    assert single["met"] == (single["value"] <= SINGLE_TARGET)
    assert batch["met"] == (batch["value"] >= BATCH_TARGET)
    assert 1 < single["value"] < 10_000
    assert share["value"] == pytest.approx(100 * single["value"] / forward["value"])
    assert forward["unit"] == "microseconds, 1 threads"
    assert len(passes) > 10
    assert batch["value"] > 1e6 / single["value"]  # a batch is faster than one by one
    assert streaming["value"] > 0
    assert len(np.unique(monitor.check(inputs.embeddings, inputs.logits).verdicts)) > 1


@pytest.mark.slow
def test_the_forward_pass_is_that_of_a_resnet_18():
    import torch

    forward, unit = _resnet18()
    assert forward(0).shape == (1, 1000)
    network = next(
        cell.cell_contents for cell in forward.__closure__ if isinstance(cell.cell_contents, torch.nn.Module)
    )
    assert (
        sum(one.numel() for one in network.parameters()) == 11_689_512
    )  # He et al. (CVPR 2016), as torchvision has it
    assert unit == f"microseconds, {torch.get_num_threads()} threads"


def test_without_a_network_the_share_is_not_measured(monkeypatch):
    monkeypatch.setattr("conspect.bench.monitor.find_spec", lambda name: None)
    found = rows(*SMALL, seconds=0.05)
    assert (found[1]["value"], found[1]["unit"]) == (None, "torch and transformers not installed")
    assert (found[2]["value"], found[2]["met"]) == (None, None)
