import numpy as np

from conspect.bench.monitor import BATCH_TARGET, SINGLE_TARGET, rows, synthetic_monitor


def test_rows_hold_measured_values_against_their_targets():
    monitor, inputs = synthetic_monitor(dimension=32)
    found = rows(monitor, inputs, seconds=0.05)
    assert [set(row) for row in found] == [{"what", "value", "unit", "target", "met", "better"}] * 3
    single, batch, streaming = found
    assert (single["target"], batch["target"], streaming["target"]) == (SINGLE_TARGET, BATCH_TARGET, None)
    assert single["met"] == (single["value"] <= SINGLE_TARGET)
    assert batch["met"] == (batch["value"] >= BATCH_TARGET)
    assert 1 < single["value"] < 10_000
    assert batch["value"] > 1e6 / single["value"]  # a batch is faster than one by one
    assert len(np.unique(monitor.check(inputs.embeddings, inputs.logits).verdicts)) > 1
