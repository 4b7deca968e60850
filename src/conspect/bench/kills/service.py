"""Kills of `conspect monitor serve` while it answers: started again, it answers the same."""

from __future__ import annotations

import json
import random
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from conspect.bench.kills.processes import started
from conspect.bench.kills.stand_ins import ColourModel

INPUTS, START_SECONDS, MOST_SECONDS = 20, 60.0, 0.3


def kill_service(monitor: Path, kills: int, rng: random.Random) -> list[str]:
    """Kills the service of the monitor in the folder `monitor` so often; returns what went wrong."""
    body, expected, faults = _question(), None, []
    for _ in range(kills):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = started(("monitor", "serve", "--monitor", "STUDY", "--port", str(port)), monitor)
        try:
            answer = _answer(port, body, until=time.monotonic() + START_SECONDS)
            expected = expected or answer
            end = time.monotonic() + rng.uniform(0, MOST_SECONDS)
            while time.monotonic() < end:
                faults += [] if answer == expected else ["the service answered otherwise"]
                answer = _answer(port, body)
            faults += [] if answer == expected else ["the service answered otherwise"]
        except (OSError, ValueError) as error:
            faults.append(f"the service did not answer: {error}")
        finally:
            process.kill()
            process.join()
    return faults


def _question() -> bytes:
    model = ColourModel()
    images = np.random.default_rng(0).random((INPUTS, 16, 16, 3), dtype=np.float32)
    embeddings = model.embed(images)
    logits = model.head.logits(embeddings)
    return json.dumps({"embeddings": embeddings.tolist(), "logits": logits.tolist()}).encode()


def _answer(port: int, body: bytes, until: float = 0.0) -> object:
    """What the service says; before `until`, one that does not listen yet is asked again."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/check", body, {"Content-Type": "application/json"}, method="POST"
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
                return json.loads(response.read())
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
