"""The HTTP service against the bare model: same images, same batches, same threads, one after the other in every round.

Three processes: this one runs the bare model, one serves, one is the client. The bare model prepares and embeds a batch
and computes its logits, and does nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models import load_model
from conspect.bench.rows import Row, row
from conspect.bench.service.client import BATCH, ClientFigures, pixels
from conspect.bench.service.process import Served, served, write_demo_study
from conspect.core.protocols import VisionModel


class LoadFigures(ClientFigures):
    """With the service's processor time for one image, in milliseconds."""

    cpu_ms: float


ROUNDS = 5
BATCH_CLIENTS, SINGLE_CLIENTS = 4, 32


def rows(*, seconds: float = 4.0, rounds: int = ROUNDS) -> list[Row]:
    """Medians over rounds. The target is on batches of 64 images in one safetensors body; single PNGs are for the record."""
    model = load_model("demo-resnet", None)
    images = pixels(4 * BATCH)
    bare: list[tuple[float, float]] = []
    batch: list[LoadFigures] = []
    single: list[LoadFigures] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder, "--study", str(write_demo_study(folder))) as service:
            bare_rate(model, images, 1.0)
            load(service, "batch", BATCH_CLIENTS, 1.0)
            for _ in range(rounds):
                bare.append(bare_rate(model, images, seconds))
                batch.append(load(service, "batch", BATCH_CLIENTS, seconds))
                single.append(load(service, "single", SINGLE_CLIENTS, seconds))
    rates = [loaded["images_per_second"] / rate for loaded, (rate, _) in zip(batch, bare, strict=True)]
    costs = [loaded["cpu_ms"] / cost for loaded, (_, cost) in zip(batch, bare, strict=True)]

    def median(values: Iterable[float], digits: int = 1) -> float | None:
        middle = float(np.median(list(values)))
        return round(middle, digits) if np.isfinite(middle) else None

    def of(loads: list[LoadFigures], key: Literal["images_per_second", "p50_ms", "p99_ms"]) -> float | None:
        return median(loaded[key] for loaded in loads)

    of_batches = f"service, {BATCH} images a request as safetensors, {BATCH_CLIENTS} clients in a second process"
    of_singles = f"service, one PNG a request, {SINGLE_CLIENTS} clients in a second process"
    return [
        row(f"{model.name}: bare, batches of {BATCH}", median(rate for rate, _ in bare), "images/s"),
        row(of_batches, of(batch, "images_per_second"), "images/s"),
        row(f"{of_batches}: over bare", median(rates, 3), "ratio", (">=", 0.9)),
        row(f"{of_batches}: processor time an image, over bare", median(costs, 3), "ratio"),
        row(f"{of_batches}: p50", of(batch, "p50_ms"), "ms"),
        row(f"{of_batches}: p99", of(batch, "p99_ms"), "ms"),
        row(of_singles, of(single, "images_per_second"), "images/s"),
        row(f"{of_singles}: p50", of(single, "p50_ms"), "ms"),
        row(f"{of_singles}: p99", of(single, "p99_ms"), "ms"),
    ]


def bare_rate(model: VisionModel, images: NDArray[np.uint8], seconds: float) -> tuple[float, float]:
    """Images a second of the model alone, in batches of `BATCH`, and processor time for one in milliseconds."""
    done, start, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        part = images[done % len(images) :][:BATCH]
        model.head.logits(model.embed(np.stack([model.prepare(image) for image in part])))
        done += BATCH
    return done / (time.perf_counter() - start), (time.process_time() - spent) / done * 1000


def load(service: Served, kind: str, clients: int, seconds: float) -> LoadFigures:
    """What a client process measured, and `cpu_ms`, processor time of the service for one image.

    Raises RuntimeError when not every answer was 200.
    """
    command = [
        sys.executable,
        "-m",
        "conspect.bench.service.client",
        "127.0.0.1",
        str(service.port),
        kind,
        str(clients),
    ]
    before = service.figures().get("cpu_seconds_total", np.nan)
    done = subprocess.run([*command, str(seconds)], check=True, capture_output=True)
    spent = service.figures().get("cpu_seconds_total", np.nan) - before
    figures: ClientFigures = json.loads(done.stdout)
    if set(figures["statuses"]) != {"200"}:
        raise RuntimeError(f"answers by status: {figures['statuses']}")
    answered = figures["statuses"]["200"] * (BATCH if kind == "batch" else 1)
    return {**figures, "cpu_ms": spent / answered * 1000}
