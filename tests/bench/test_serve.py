"""The benchmark of the service, and the load that it must stand."""

import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import numpy as np
import pytest

from conspect.bench import serve
from conspect.bench.service import load as serve_load
from conspect.bench.service.health import watched_health
from conspect.monitor.runtime import Decisions
from tests.web.asking import monitor


def test_a_wrong_answer_is_noticed():
    load = serve_load.Load.__new__(serve_load.Load)
    load.monitor, load.wrong, load.statuses = monitor(), [], Counter()
    suspicion = np.array([-3.0, 2.0], np.float32)
    expected = Decisions(np.array([1, 2]), suspicion, np.array([0, 2], np.int8))
    right: list[serve_load.ServedAnswer] = [
        {"output": "class 1", "verdict": "accept", "suspicion": -3.0, "reasons": []},
        {"output": "class 2", "verdict": "suspect", "suspicion": 2.0, "reasons": ["because"]},
    ]
    load._compare("json", right, [0, 1], expected)
    assert load.wrong == []
    changes: list[dict[str, Any]] = [
        {"output": "class 3"},
        {"verdict": "uncertain"},
        {"suspicion": -2.9},
        {"reasons": ["why"]},
    ]
    for change in changes:
        load._compare("json", [cast("serve_load.ServedAnswer", {**right[0], **change}), right[1]], [0, 1], expected)
    load._compare("json", right[:1], [0, 1], expected)
    assert len(load.wrong) == len(changes) + 1


@pytest.mark.parametrize(
    ("status", "wrong"), [("200", True), ("kept open", True), ("422", False), ("closed", False), ("429", False)]
)
def test_a_hostile_request_that_is_served_is_noticed(status: str, wrong: bool) -> None:
    load = serve_load.Load.__new__(serve_load.Load)
    load.port, load.wrong, load.statuses = 0, [], Counter()
    load.end = time.perf_counter() + 0.01

    def another_site(port: int, rng: random.Random) -> str:
        return status

    load._hostile(another_site, random.Random(0))
    assert load.statuses[f"another_site: {status}"] >= 1
    assert sorted(set(load.wrong)) == [f"another_site: {status}"] * wrong


@pytest.mark.slow
def test_the_service_is_measured_beside_the_bare_model():
    pytest.importorskip("torch")
    rows = serve.rows(seconds=0.5, rounds=1)
    targets = [row for row in rows if row["target"] is not None]
    assert [row["what"].split(": ")[-1] for row in targets] == ["over bare"]
    assert all(row["value"] is None or row["value"] > 0 for row in rows)
    bare, batched = (float(row["value"] or 0) for row in rows[:2])
    assert targets[0]["value"] == pytest.approx(batched / bare, abs=0.01)


@pytest.mark.slow
def test_twenty_seconds_of_everything_leave_no_wrong_answer_and_no_fault():
    pytest.importorskip("torch")
    report = serve_load.run(20.0)
    assert report["wrong_answers"] == 0, report["wrong_examples"]
    assert report["server_errors"] == 0, report["fault_examples"]
    assert report["exit_code"] == 0
    assert report["counts"]["answers compared"] > 100
    kinds = {name.split(":")[0] for name in report["counts"]}
    assert {"stall", "garbage", "garbage_body", "too_large", "vanish_after_sending", "vanish_in_the_middle"} <= kinds
    assert report["counts"]["too_large: 413"] > 0


def test_health_is_asked_by_a_process_of_its_own_and_its_faults_are_told():
    answers = iter([200, 503])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(next(answers, 200))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with watched_health(server.server_address[1], 0.5) as health:
            pass
        server.shutdown()
    assert health.wrong == ["healthz: 503"]
    assert len(health.seconds) >= 2
    assert all(0 < seconds < 30 for seconds in health.seconds)
