"""10^4, 10^5 and 10^6 pairs of embeddings on disk: alignment, strengths, heatmaps and localization, time and memory of each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.engines.local import LocalEngine
from conspect.adapters.store.arrays import PairedFiles, paired_files
from conspect.analysis.alignment import fit_arrays
from conspect.analysis.heatmaps import binarized, by_group
from conspect.analysis.tallies import Reading, Tallies
from conspect.bench.rows import Row, peak_memory, row
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.study.measuring.streaming import ComputedAnswers, aligned, refitted_heads, tallied

SIZES, DIMENSIONS, CLASSES, CONCEPTS = (10_000, 100_000, 1_000_000), 512, 10, 100
SHARD_ROWS = 50_000
MEMORY_MB, OVER_LINEAR, SEED = 2048, 1.5, 0
Labels = NDArray[np.int64]
Found = TypeVar("Found")


class World:
    """Embeddings of classes that overlap, the VLM's as a noisy linear image of them; the model's head errs now and then."""

    def __init__(self) -> None:
        rng = np.random.default_rng(SEED)
        self.centres = rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32) / 6
        self.true = rng.standard_normal((DIMENSIONS, DIMENSIONS), dtype=np.float32) / np.float32(np.sqrt(DIMENSIONS))
        self.head = Head.linear(self.centres.astype(np.float64), -np.square(self.centres, dtype=np.float64).sum(1) / 2)
        directions = rng.standard_normal((CONCEPTS, DIMENSIONS))
        self.directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        means = self.centres.astype(np.float64) @ self.true
        self.classes = means / np.linalg.norm(means, axis=1, keepdims=True)

    def write(self, folder: Path, images: int) -> tuple[PairedFiles, Labels]:
        """`images` pairs as .npy files, written in parts; and their labels."""
        rng = np.random.default_rng([SEED, images])
        labels = rng.integers(0, CLASSES, images)
        names = [(folder / f"z-{k}.npy", folder / f"y-{k}.npy") for k in range(-(-images // SHARD_ROWS))]
        for k, (z_path, y_path) in enumerate(names):
            own = labels[k * SHARD_ROWS : (k + 1) * SHARD_ROWS]
            z = self.centres[own] + rng.standard_normal((len(own), DIMENSIONS), dtype=np.float32)
            np.save(z_path, z)
            z = z @ self.true
            z += 0.3 * rng.standard_normal(z.shape, dtype=np.float32)
            np.save(y_path, z)
        return paired_files([z for z, _ in names], [y for _, y in names]), labels


def rows(*, small: bool = False) -> list[Row]:
    """For each size the time of each part and of all, the ratio to linear, and the peak of memory; `small`: without 10^6."""
    found: list[Row] = []
    world, before = World(), None
    for images in SIZES[:-1] if small else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            pairs, labels = world.write(Path(folder), images)
            processor = time.process_time()
            seconds, tallies = _analysed(world, pairs, labels)
            each = (time.process_time() - processor) / images
            memory = peak_memory()
            if before is None:
                equal = _equal(world, pairs, labels, tallies)
        name = f"{images:,} x {DIMENSIONS}"
        found += [row(f"{name}: {part}", round(value, 2), "s") for part, value in seconds.items()]
        found.append(row(f"{name}: all", round(sum(seconds.values()), 2), "s"))
        if before is not None:
            # Processor time: what else runs on the machine does not count.
            what = f"{name}: processor time an image over that at {images // 10:,}"
            found.append(row(what, round(each / before, 3), "ratio", ("<=", OVER_LINEAR)))
        before = each
        found.append(row(f"{name}: peak memory of the process", round(memory, 1), "MB", ("<=", MEMORY_MB)))
    what = f"{SIZES[0]:,}: counts equal those of arrays in memory, to the bit"
    return [*found, row(what, float(equal), "1 = yes", (">=", 1))]


def _analysed(world: World, pairs: PairedFiles, labels: Labels) -> tuple[dict[str, float], Tallies]:
    seconds: dict[str, float] = {}

    def timed(part: str, work: Callable[[], Found]) -> Found:
        start = time.perf_counter()
        done = work()
        seconds[part] = time.perf_counter() - start
        return done

    engine = LocalEngine()
    fitted = timed("alignment", lambda: aligned(pairs, engine))
    heads = timed("refitted heads", lambda: refitted_heads(pairs, labels, CLASSES, engine, seed=SEED))
    reading = Reading(_lens(world, fitted.map), world.classes)
    answers = ComputedAnswers(labels, world.head, heads)
    tallies = timed("strengths, counts, verdicts", lambda: tallied(pairs, reading, answers, engine))
    timed("heatmaps, localization", lambda: _read(tallies))
    return seconds, tallies


def _lens(world: World, alignment: AffineMap) -> Lens:
    return Lens(alignment, tuple(f"c{k}" for k in range(CONCEPTS)), world.directions)


def _read(tallies: Tallies) -> None:
    """All kinds of heatmaps, and the localization."""
    for one in (*tallies.heatmaps.ground_truth(), *tallies.ground_truth_by_vlm(), *tallies.heatmaps.output_label()):
        binarized(one, 0.75)
    tallies.heatmaps.differential_by_label()
    tallies.heatmaps.differential_by_output()
    tallies.oracles.localization()
    tallies.quality.quality()


def _equal(world: World, pairs: PairedFiles, labels: Labels, tallies: Tallies) -> bool:
    """Against the arrays in memory, with an alignment fitted on them."""
    z, y = pairs.read(range(len(pairs)))
    numerators = _lens(world, fit_arrays(z, y).map).folded(z)
    outputs = world.head.logits(z).argmax(1)
    pairs_of = (
        (tallies.heatmaps.ground_truth(), by_group(numerators, labels, CLASSES)),
        (tallies.heatmaps.output_label(), by_group(numerators, outputs, CLASSES)),
        (tallies.ground_truth_by_vlm(), by_group(y @ world.directions.T, labels, CLASSES)),
    )
    return all(
        np.array_equal(a.greater, b.greater) and a.images == b.images
        for ours, theirs in pairs_of
        for a, b in zip(ours, theirs, strict=True)
    )
