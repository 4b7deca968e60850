import numpy as np
import pytest

from conspect.bench.monitor import BATCH_TARGET, SHARE_TARGET, SINGLE_TARGET, _resnet18, rows, synthetic_monitor

SMALL = synthetic_monitor(dimension=32)


def test_rows_hold_measured_values_against_their_targets(monkeypatch):
    monitor, inputs = SMALL
    passes: list[int] = []
    monkeypatch.setattr("conspect.bench.monitor._resnet18", lambda: (passes.append, "microseconds, 1 threads"))
    table = rows(monitor, inputs, seconds=0.05)
    single, forward, _, batch, _ = table
    assert [row["target"] for row in table] == [SINGLE_TARGET, None, SHARE_TARGET, BATCH_TARGET, None]
    assert all(row["value"] is not None for row in table)
    single_value, forward_value, share_value, batch_value, streaming_value = (float(row["value"] or 0) for row in table)
    assert single["met"] == (single_value <= SINGLE_TARGET)
    assert batch["met"] == (batch_value >= BATCH_TARGET)
    assert 1 < single_value < 10_000
    assert share_value == pytest.approx(100 * single_value / forward_value)
    assert forward["unit"] == "microseconds, 1 threads"
    assert len(passes) > 10
    assert batch_value > 1e6 / single_value  # a batch is faster than one by one
    assert streaming_value > 0
    assert len(np.unique(monitor.check(inputs.embeddings, inputs.logits).verdicts)) > 1


@pytest.mark.slow
def test_the_forward_pass_is_that_of_a_resnet_18():
    import torch

    forward, unit = _resnet18()
    assert forward is not None
    logits = forward(0)
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, 1000)
    kept = [cell.cell_contents for cell in forward.__closure__ or ()]
    network = next(content for content in kept if isinstance(content, torch.nn.Module))
    assert (
        sum(weight.numel() for weight in network.parameters()) == 11_689_512
    )  # He et al. (CVPR 2016), as torchvision has it
    assert unit == f"microseconds, {torch.get_num_threads()} threads"


def test_without_a_network_the_share_is_not_measured(monkeypatch):
    monkeypatch.setattr("conspect.bench.monitor.find_spec", lambda name: None)
    table = rows(*SMALL, seconds=0.05)
    assert (table[1]["value"], table[1]["unit"]) == (None, "torch and transformers not installed")
    assert (table[2]["value"], table[2]["met"]) == (None, None)
