"""Speed of decisions on ready embeddings: one at a time, and in batches of 4,096."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from conspect.bench.rows import Row, row
from conspect.core.spaces import AffineMap, Lens
from conspect.monitor.calibration import Wanted, calibrate
from conspect.monitor.fusion import Inputs, Readout, fit
from conspect.monitor.runtime import Monitor

CLASSES, CONCEPTS, DIMENSION, SPACE = 10, 18, 256, 384
BATCH = 4096
SINGLE_TARGET, BATCH_TARGET = 50.0, 1_000_000.0


def synthetic_monitor(seed: int = 0, *, dimension: int = DIMENSION) -> tuple[Monitor, Inputs]:
    """A monitor of the demo's sizes fitted on noisy class clusters, and inputs to decide on, `BATCH` of them, float32."""
    generator = np.random.default_rng(seed)
    means = generator.normal(size=(CLASSES, dimension))
    head = AffineMap(means / np.sqrt(dimension), -np.square(means).sum(1) / 2 / np.sqrt(dimension))
    directions = generator.normal(size=(CONCEPTS + CLASSES, SPACE))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    alignment = AffineMap(generator.normal(size=(SPACE, dimension)), generator.normal(size=SPACE))
    names = tuple(f"concept {k}" for k in range(CONCEPTS))
    readout = Readout.of(Lens(alignment, names, directions[:CONCEPTS]), directions[CONCEPTS:])

    def draw(size: int) -> tuple[Inputs, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        labels = generator.integers(CLASSES, size=size)
        embeddings = (means[labels] + 6 * generator.normal(size=(size, dimension))).astype(np.float32)
        return Inputs(embeddings, head(embeddings).astype(np.float32)), labels

    first, second = draw(1500), draw(1000)
    monitor, _ = calibrate(
        fit(readout, *first),
        first,
        second,
        class_names=tuple(f"class {k}" for k in range(CLASSES)),
        concept_names=names,
        wanted=Wanted(accepted_errors=0.3),
    )
    return monitor, draw(BATCH)[0]


def rows(monitor: Monitor | None = None, inputs: Inputs | None = None, *, seconds: float = 2.0) -> list[Row]:
    """One row per target: what, value, unit, target, met. Without a monitor a synthetic one of the demo's sizes is used.

    Each row is the median over repeated calls of `Monitor.check` for `seconds`. `inputs`: at least one, repeated as
    needed; their dtype counts, float32 is what a model hands over.
    """
    if monitor is None or inputs is None:
        monitor, inputs = synthetic_monitor()
    whole = inputs.take(np.arange(BATCH) % len(inputs))
    embeddings, logits = np.ascontiguousarray(whole.embeddings), np.ascontiguousarray(whole.logits)
    check = monitor.check
    single = _median_seconds(lambda k: check(embeddings[k : k + 1], logits[k : k + 1]), seconds) * 1e6
    rate = BATCH / _median_seconds(lambda _: check(embeddings, logits), seconds)
    stream = monitor.stream()
    decisions, numerators = check(embeddings[:64], logits[:64]), monitor.numerators(embeddings[:64])
    streaming = _median_seconds(lambda _: stream.update(decisions, numerators), seconds) / 64 * 1e6
    return [
        row("decision on a ready embedding, batch 1, median", single, "microseconds", ("<=", SINGLE_TARGET)),
        row(f"decisions in batches of {BATCH}", rate, "per second", (">=", BATCH_TARGET)),
        row("taking a decision into the stream's state", streaming, "microseconds"),
    ]


def _median_seconds(call: Callable[[int], object], seconds: float) -> float:
    """Median wall-clock time of a call; `call` is given a running number below `BATCH`."""
    for k in range(3):
        call(k)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 5:
        start = time.perf_counter()
        call(len(taken) % BATCH)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))
