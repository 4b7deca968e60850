"""A service in a process of its own, on loopback, for measurements and for tests; ended when the block is left."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from conspect.adapters.models import load_model
from conspect.bench.monitor import synthetic_monitor
from conspect.core.json_value import JsonObject
from conspect.monitor.runtime.identity import Identity
from conspect.study.config import DataConfig, ModelConfig, StudyConfig

START_SECONDS = 120.0


@dataclass(frozen=True, eq=False)
class Served:
    """`process` answers on 127.0.0.1, `port`; what it logs is in the file `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)

    def figures(self) -> dict[str, float]:
        """What it tells Prometheus of its process, without the `process_` before the names."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as response:
            text = response.read().decode()
        return {name: float(value) for name, value in re.findall(r"^process_(\w+) (\S+)$", text, re.MULTILINE)}

    def events(self) -> list[JsonObject]:
        """The lines of the log so far."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """`conspect monitor serve` with `options` and any free port; its log goes into `folder`."""
    log = folder / f"serve-{time.monotonic_ns()}.log"
    command = "from conspect.cli.main import run; run()"
    with log.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", command, "monitor", "serve", "--port", "0", *options], stdout=err, stderr=err
        )
    try:
        yield Served(process, _port(process, log), log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def write_demo_study(folder: Path) -> Path:
    """A study of the demo's model with a monitor of the demo's sizes, fitted on synthetic embeddings: enough to time."""
    model = load_model("demo-resnet", None)
    monitor, _ = synthetic_monitor(dimension=model.embedding_size)
    identity = Identity.of(model, model.prepare(np.zeros((32, 32, 3), np.uint8)), "none")
    replace(monitor, class_names=tuple(model.class_names), identity=identity).save(folder / "monitor")
    config = StudyConfig(data=DataConfig(kind="cifar10"), model=ModelConfig(name="demo-resnet"))
    (folder / "study.toml").write_text(config.to_toml(), encoding="utf-8")
    return folder


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["url"].rsplit(":", 1)[1])
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-2000:]}")
