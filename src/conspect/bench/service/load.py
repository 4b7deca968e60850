"""A long mixed load on the service: `python -m conspect.bench.service.load --minutes 10`. Prints one JSON object.

Good requests of every form are answered beside `serve_hostile`'s, and each good answer is compared with what
`Monitor.check` says here. Exit code 1 for a wrong answer, a hostile request that is served, a status of 500 or more, memory
that grows, a slow `/healthz`, or where no answer could be compared.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from safetensors.numpy import save

from conspect.adapters.models import load_model
from conspect.bench.service.client import pixels, png
from conspect.bench.service.health import Health, watched_health
from conspect.bench.service.hostile import HOSTILE, KEPT_OPEN
from conspect.bench.service.process import Served, served, write_demo_study
from conspect.core.json_value import JsonObject
from conspect.monitor.runtime import Decisions, Monitor

IMAGES, LARGEST_BATCH, TOLERANCE = 128, 64, 1e-3
FLAT, HEALTH_SECONDS = 0.05, 0.25
GOOD_PAUSE, HOSTILE_PAUSE, SAMPLE_SECONDS = 0.05, 0.3, 2.0
# Of each hostile kind before the measurement; the kinds draw among forms, so that this many meet the dear ones.
HOSTILE_WARM = 6


class ServedAnswer(TypedDict):
    """What is compared of one answer of /v1/check."""

    output: str
    verdict: str
    suspicion: float
    reasons: list[str]


class HealthFigures(TypedDict):
    """How quickly /healthz answered under load, in milliseconds."""

    asked: int
    median: float
    p99: float
    longest: float


class LoadReport(TypedDict):
    """What a load showed: `memory_mib` for each tenth of the time, open files at both ends."""

    seconds: float
    counts: dict[str, int]
    logged_statuses: dict[str, int]
    wrong_answers: int
    wrong_examples: list[str]
    server_errors: int
    fault_examples: list[JsonObject]
    memory_mib: list[float]
    healthz_milliseconds: HealthFigures
    open_files: dict[str, float | None]
    exit_code: int
    passed: bool


class Load:
    """The clients, what they ask and what they found. `wrong`: answers that are not what they should be."""

    def __init__(self, service: Served, monitor: Monitor, seed: int) -> None:
        model = load_model("demo-resnet", None)
        self.service, self.port, self.monitor = service, service.port, monitor
        self.images = pixels(IMAGES, seed)
        self.files = [png(image) for image in self.images]
        self.embeddings = model.embed(np.stack([model.prepare(image) for image in self.images]))
        # Far from what the model makes of noise, so that verdicts differ.
        rng = np.random.default_rng(seed)
        spread = rng.normal(scale=6, size=self.embeddings.shape).astype(np.float32)
        self.others = np.where(rng.random((IMAGES, 1)) < 0.5, spread, self.embeddings).astype(np.float32)
        self.of_images = monitor.check(self.embeddings, model.head.logits(self.embeddings))
        self.of_others = monitor.check(self.others, model.head.logits(self.others))
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.health = Health()
        self.end = 0.0

    def run(self, seconds: float, good: int, seed: int) -> list[dict[str, float]]:
        """Runs all clients for `seconds`; the service's figures meanwhile."""
        self.end = time.perf_counter() + seconds
        threads = [threading.Thread(target=self._good, args=(random.Random(seed + k),)) for k in range(good)]
        threads += [threading.Thread(target=self._hostile, args=(attack, random.Random(seed))) for attack in HOSTILE]
        samples = []
        with watched_health(self.port, seconds) as self.health:
            for thread in threads:
                thread.start()
            while time.perf_counter() < self.end:
                samples.append(self.service.figures())
                time.sleep(min(SAMPLE_SECONDS, seconds / 20))
            for thread in threads:
                thread.join()
        self.wrong += self.health.wrong
        return samples

    def warm(self) -> None:
        """One request of every size of batch, then each hostile one: what is allocated once is not taken for growth.

        torch keeps memory for each shape that it has seen, and the allocator what the largest bodies and images took.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for size in range(1, LARGEST_BATCH + 1):
            body = save({"images": self.images[:size]})
            connection.request("POST", "/v1/check", body, {"content-type": "application/x-safetensors"})
            connection.getresponse().read()
        connection.close()
        rng = random.Random(0)
        for attack in HOSTILE:
            for _ in range(HOSTILE_WARM):
                with suppress(OSError):
                    attack(self.port, rng)

    def _good(self, rng: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.perf_counter() < self.end:
            kind, content_type, body, rows, expected = self._request(rng)
            try:
                connection.request("POST", "/v1/check", body, {"content-type": content_type})
                response = connection.getresponse()
                content = response.read()
            except (http.client.HTTPException, OSError) as error:
                self.statuses[f"good {kind}: {type(error).__name__}"] += 1
                connection.close()
                continue
            self.statuses[f"good {kind}: {response.status}"] += 1
            if response.status == 200:
                self._compare(kind, json.loads(content)["results"], rows, expected)
            elif response.status != 429:
                self.wrong.append(f"{kind}: {response.status} {content[:200]!r}")
            time.sleep(rng.random() * 2 * GOOD_PAUSE)
        connection.close()

    def _request(self, rng: random.Random) -> tuple[str, str, bytes, list[int], Decisions]:
        rows = sorted(rng.sample(range(IMAGES), rng.choice([1, 2, 16])))
        kind = rng.choice(["json", "safetensors", "pixels", "file", "multipart"])
        if kind == "json":
            body = json.dumps({"embeddings": self.others[rows].tolist()}).encode()
            return kind, "application/json", body, rows, self.of_others
        if kind == "safetensors":
            return kind, "application/x-safetensors", save({"embeddings": self.others[rows]}), rows, self.of_others
        if kind == "pixels":
            return kind, "application/x-safetensors", save({"images": self.images[rows]}), rows, self.of_images
        if kind == "file":
            return kind, "image/png", self.files[rows[0]], rows[:1], self.of_images
        parts = [
            b'--b0undary\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n' + self.files[row]
            for row in rows
        ]
        body = b"\r\n".join(parts) + b"\r\n--b0undary--\r\n"
        return kind, "multipart/form-data; boundary=b0undary", body, rows, self.of_images

    def _compare(self, kind: str, results: list[ServedAnswer], rows: list[int], expected: Decisions) -> None:
        if len(results) != len(rows):
            self.wrong.append(f"{kind}: {len(results)} answers to {len(rows)} inputs")
            return
        names, limits = expected.names(), self.monitor.thresholds
        for result, row in zip(results, rows, strict=True):
            suspicion = float(expected.suspicion[row])
            near = min(abs(suspicion - limits.accept), abs(suspicion - limits.suspect)) < TOLERANCE
            if (
                abs(result["suspicion"] - suspicion) > TOLERANCE
                or result["output"] != self.monitor.class_names[expected.outputs[row]]
                or (result["verdict"] != names[row] and not near)
                or (result["verdict"] == "accept" and result["reasons"])
            ):
                self.wrong.append(f"{kind}: {result}, not {names[row]} {suspicion}")
        self.statuses["answers compared"] += len(rows)

    def _hostile(self, request: Any, rng: random.Random) -> None:
        while time.perf_counter() < self.end:
            try:
                status = request(self.port, rng)
            except OSError as error:
                status = type(error).__name__
            self.statuses[f"{request.__name__}: {status}"] += 1
            if status.startswith("2") or status == KEPT_OPEN:
                self.wrong.append(f"{request.__name__}: {status}")
            time.sleep(rng.random() * 2 * HOSTILE_PAUSE)


def run(seconds: float, *, good: int = 4, seed: int = 0) -> LoadReport:
    """The whole load; counts by request and status, wrong answers, memory in MiB for each tenth of the time.

    Flat: the last tenth's is at most `FLAT` above the second's, once every size of batch has been seen.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = write_demo_study(Path(name))
        monitor = Monitor.load(folder / "monitor")
        with served(folder, "--study", str(folder), "--timeout", "5") as service:
            load = Load(service, monitor, seed)
            load.warm()
            samples = load.run(seconds, good, seed)
            exit_code = service.stop()
            events = service.events()
    logged = Counter(str(event["status"]) for event in events if event["event"] == "request")
    tenths = np.array_split([sample.get("resident_memory_bytes", 0) / 2**20 for sample in samples], 10)
    memory = [round(float(np.median(tenth)), 1) for tenth in tenths if len(tenth)]
    faults = [event for event in events if event["event"] == "fault"]
    server_errors = sum(count for status, count in logged.items() if status.startswith("5"))
    return {
        "seconds": seconds,
        "counts": dict(sorted(load.statuses.items())),
        "logged_statuses": dict(sorted(logged.items())),
        "wrong_answers": len(load.wrong),
        "wrong_examples": load.wrong[:5],
        "server_errors": server_errors + len(faults),
        "fault_examples": faults[:2],
        "memory_mib": memory,
        "healthz_milliseconds": {
            "asked": len(load.health.seconds),
            "median": round(1000 * float(np.median(load.health.seconds)), 1),
            "p99": round(1000 * float(np.quantile(load.health.seconds, 0.99)), 1),
            "longest": round(1000 * max(load.health.seconds), 1),
        },
        "open_files": {"start": samples[0].get("open_fds"), "end": samples[-1].get("open_fds")},
        "exit_code": exit_code,
        "passed": not load.wrong
        and load.statuses["answers compared"] > 0
        and server_errors + len(faults) == 0
        and memory[-1] <= memory[1] * (1 + FLAT)
        and max(load.health.seconds) < HEALTH_SECONDS
        and exit_code == 0,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    result = run(60 * chosen.minutes, seed=chosen.seed)
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["passed"] else 1)
