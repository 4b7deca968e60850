"""Speed of decisions on ready embeddings: one at a time, beside a ResNet-18, and in batches of 4,096."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from conspect.bench.rows import Row, row
from conspect.core.spaces import AffineMap, Lens
from conspect.core.vectors import unit
from conspect.monitor.fitting.calibration import calibrate
from conspect.monitor.fitting.fusion import ModelOutputs, Readout, fit
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.guarantee import TargetRates

CLASSES, CONCEPTS, DIMENSION, SPACE = 10, 18, 256, 384
BATCH = 4096
SINGLE_TARGET, SHARE_TARGET, BATCH_TARGET = 50.0, 0.5, 1_000_000.0
# Decision and forward pass take turns, so that both see the same load of the machine.
ROUNDS = 10


def synthetic_monitor(seed: int = 0, *, dimension: int = DIMENSION) -> tuple[Monitor, ModelOutputs]:
    """A monitor of the demo's sizes fitted on noisy class clusters, and inputs to decide on, `BATCH` of them, float32."""
    generator = np.random.default_rng(seed)
    means = generator.normal(size=(CLASSES, dimension))
    head = AffineMap(means / np.sqrt(dimension), -np.square(means).sum(1) / 2 / np.sqrt(dimension))
    directions = unit(generator.normal(size=(CONCEPTS + CLASSES, SPACE)))
    alignment = AffineMap(generator.normal(size=(SPACE, dimension)), generator.normal(size=SPACE))
    names = tuple(f"concept {k}" for k in range(CONCEPTS))
    readout = Readout.of(Lens(alignment, names, directions[:CONCEPTS]), directions[CONCEPTS:])

    def draw(size: int) -> tuple[ModelOutputs, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        labels = generator.integers(CLASSES, size=size)
        embeddings = (means[labels] + 6 * generator.normal(size=(size, dimension))).astype(np.float32)
        return ModelOutputs(embeddings, head(embeddings).astype(np.float32)), labels

    first, second = draw(1500), draw(1000)
    monitor, _ = calibrate(
        fit(readout, *first),
        first,
        second,
        class_names=tuple(f"class {k}" for k in range(CLASSES)),
        concept_names=names,
        wanted=TargetRates(accepted_errors=0.3),
    )
    return monitor, draw(BATCH)[0]


def rows(monitor: Monitor | None = None, inputs: ModelOutputs | None = None, *, seconds: float = 2.0) -> list[Row]:
    """One row per target: what, value, unit, target, met. Without a monitor a synthetic one of the demo's sizes is used.

    Each row is the median over repeated calls of `Monitor.check` for `seconds`. `inputs`: at least one, repeated as
    needed; their dtype counts, float32 is what a model hands over.
    """
    if monitor is None or inputs is None:
        monitor, inputs = synthetic_monitor()
    whole = inputs.take(np.arange(BATCH) % len(inputs))
    embeddings, logits = np.ascontiguousarray(whole.embeddings), np.ascontiguousarray(whole.logits)
    check = monitor.check
    decide: Callable[[int], object] = lambda k: check(embeddings[k : k + 1], logits[k : k + 1])  # noqa: E731
    network, described = _resnet18()
    single, forward = _in_turns(decide, network, seconds)
    rate = BATCH / _median_seconds(lambda _: check(embeddings, logits), seconds)
    stream = monitor.stream()
    decisions, numerators = check(embeddings[:64], logits[:64]), monitor.numerators(embeddings[:64])
    streaming = _median_seconds(lambda _: stream.update(decisions, numerators), seconds) / 64 * 1e6
    share = None if forward is None else single / forward * 100
    return [
        row("decision on a ready embedding, batch 1, median", single * 1e6, "microseconds", ("<=", SINGLE_TARGET)),
        row("ResNet-18 at 224, one image, median", None if forward is None else forward * 1e6, described),
        row("decision over that forward pass", share, "percent", ("<=", SHARE_TARGET)),
        row(f"decisions in batches of {BATCH}", rate, "per second", (">=", BATCH_TARGET)),
        row("taking a decision into the stream's state", streaming, "microseconds"),
    ]


def _resnet18() -> tuple[Callable[[int], object] | None, str]:
    """A forward pass of ResNet-18 (random weights, eager, float32, one image of 224 x 224), and the unit of its row."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        return None, f"{' and '.join(missing)} not installed"
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic")
    config.num_labels = 1000
    network = ResNetForImageClassification(config)
    network.train(False)
    image = torch.rand(1, 3, 224, 224)

    def forward(_: int) -> object:
        with torch.inference_mode():
            return network(image).logits

    return forward, f"microseconds, {torch.get_num_threads()} threads"


def _in_turns(
    decide: Callable[[int], object], network: Callable[[int], object] | None, seconds: float
) -> tuple[float, float | None]:
    """Median seconds of a decision and of a forward pass; the best of a few rounds would hide a busy machine."""
    decisions, passes = [], []
    for _ in range(ROUNDS):
        decisions.append(_median_seconds(decide, seconds / ROUNDS))
        if network is not None:
            passes.append(_median_seconds(network, seconds / ROUNDS, least=1))
    return float(np.median(decisions)), float(np.median(passes)) if passes else None


def _median_seconds(call: Callable[[int], object], seconds: float, *, least: int = 5) -> float:
    """Median wall-clock time of at least `least` calls; `call` is given a running number below `BATCH`."""
    for k in range(min(least, 3)):
        call(k)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < least:
        start = time.perf_counter()
        call(len(taken) % BATCH)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))
