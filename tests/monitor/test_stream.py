"""Drift is found, its absence is not called drift, and the state does not grow."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.monitor.runtime import SUSPECT, Decisions
from conspect.monitor.runtime.stream import BETS, DriftWatch
from tests.monitor.fitted import TEST, monitor_and_guarantee
from tests.monitor.world import sample

MONITOR, _ = monitor_and_guarantee()


def run(stream, inputs):
    stream.update(MONITOR.check(inputs.embeddings, inputs.logits), MONITOR.numerators(inputs.embeddings))
    return stream.status()


def test_mid_ranks_count_ties_half():
    watch = DriftWatch(np.array([[1.0], [2.0], [2.0], [4.0]]))
    assert watch.ranks(np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 9.0]])).tolist() == [[0, 0.125, 0.5, 0.75, 0.875, 1]]


def test_no_bet_can_lose_everything():
    assert 0 < BETS.min() < BETS.max() < 1
    watch = DriftWatch(np.arange(500.0)[:, None])
    watch.update(np.where(np.arange(60) % 2 == 0, -1.0, 1000.0)[None])
    assert watch.wealth > 0


def test_evidence_and_wealth_are_their_recursions():
    generator = np.random.default_rng(0)
    watch = DriftWatch(generator.normal(size=(500, 2)))
    new = generator.normal(size=(2, 30)) + 1
    products: dict[Any, Any] = {}
    sums: dict[Any, Any] = {}
    for u in watch.ranks(new).T:
        for reading in range(2):
            for sign in (1, -1):
                for bet in BETS / (0.5 + watch.slack):
                    key = reading, sign, bet
                    factor = 1 + bet * (sign * (u[reading] - 0.5) - watch.slack)
                    products[key] = products.get(key, 1.0) * factor
                    sums[key] = (sums.get(key, 0.0) + 1) * factor
    watch.update(new)
    assert watch.wealth == pytest.approx(np.mean(list(products.values())))
    assert watch.evidence == pytest.approx(np.mean(list(sums.values())))


@pytest.mark.parametrize("readings", [1, 5])
def test_the_slack_covers_the_mean_rank_of_new_inputs_as_often_as_promised(readings):
    """Exact for uniform readings: the mean rank of a new input is 1 - mean(reference)."""
    generator = np.random.default_rng(1)
    outside = 0
    for _ in range(1000):
        reference = generator.random((200, readings))
        watch = DriftWatch(reference, doubt=0.1)
        outside += bool((np.abs(reference.mean(0) - 0.5) > watch.slack).any())
    assert outside / 1000 <= 0.1
    assert outside > 0


def test_without_drift_wealth_rarely_reaches_its_bound():
    generator = np.random.default_rng(2)
    reached = 0
    for _ in range(60):
        watch = DriftWatch(generator.normal(size=(1000, 3)))
        highest = 0.0
        for _ in range(20):
            watch.update(generator.normal(size=(3, 50)))
            highest = max(highest, watch.wealth)
        reached += highest >= 10
    assert reached / 60 <= 0.1


def test_a_late_drift_is_found_soon_and_named():
    stream = MONITOR.stream(mean_time_to_false_alarm=100_000)
    assert not run(stream, TEST.inputs).drift_alarm
    shifted = sample(400, 11, shift=0.8).inputs
    status = run(stream, shifted)
    assert status.drift_alarm
    assert status.drift_evidence >= 100_000
    assert "higher" in {side for _, side in status.drifted}
    stream.acknowledge()
    assert not stream.status().drift_alarm


def test_rates_and_windows_count_the_flagged():
    stream = MONITOR.stream(window=3)
    outputs, verdicts = np.array([0, 0, 1, 0, 0]), np.array([2, 0, 1, 2, 2], dtype=np.int8)
    decisions = Decisions(outputs, np.zeros(5, dtype=np.float32), verdicts)
    assert np.isnan(stream.status().alarm_rate)
    stream.update(decisions, MONITOR.numerators(TEST.inputs.embeddings[:5]))
    status = stream.status()
    assert (status.seen, status.alarms, status.alarm_rate) == (5, 3, 0.6)
    assert status.window_counts == (3, 1, 0, 0)
    assert status.window_alarm_rates[:2] == (pytest.approx(2 / 3), 0.0)
    assert SUSPECT == 2


def test_how_a_stream_is_cut_does_not_matter():
    whole, parts = MONITOR.stream(), MONITOR.stream()
    run(whole, TEST.inputs.take(np.arange(200)))
    for start in range(0, 200, 33):
        run(parts, TEST.inputs.take(np.arange(start, min(start + 33, 200))))
    assert whole.status().alarms == parts.status().alarms
    assert whole.status().drift_evidence == pytest.approx(parts.status().drift_evidence, rel=1e-3)


def test_the_state_has_constant_size():
    stream = MONITOR.stream()
    run(stream, TEST.inputs.take(np.arange(300)))
    first = len(pickle.dumps(stream))
    run(stream, TEST.inputs.take(np.arange(300, 1500)))
    assert abs(len(pickle.dumps(stream)) - first) < 64


def test_a_reference_that_does_not_fit_is_an_error():
    with pytest.raises(UserError, match="MONITOR001"):
        DriftWatch(np.full((3, 2), np.nan))
    with pytest.raises(UserError, match="MONITOR001"):
        MONITOR.stream(window=0)


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
before = set(sys.modules)
from conspect.monitor.runtime import Monitor
import conspect.monitor.runtime.stream
foreign = {name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names) - {"conspect", "numpy"}
assert not foreign, foreign
monitor = Monitor.load(Path(sys.argv[1]))
data = np.load(sys.argv[2])
decisions = monitor.check(data["embeddings"], data["logits"])
stream = monitor.stream()
stream.update(decisions, monitor.numerators(data["embeddings"]))
monitor.reasons(data["embeddings"][0], int(decisions.outputs[0]))
foreign = {name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert foreign <= {"conspect", "numpy", "safetensors"}, foreign
assert "scipy" not in sys.modules
print(decisions.verdicts.tolist())
"""


def test_the_run_time_half_imports_numpy_alone(tmp_path):
    MONITOR.save(tmp_path / "m")
    inputs = TEST.inputs.take(np.arange(20))
    np.savez(tmp_path / "data.npz", embeddings=inputs.embeddings, logits=inputs.logits)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "m"), str(tmp_path / "data.npz")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(MONITOR.check(inputs.embeddings, inputs.logits).verdicts.tolist())
