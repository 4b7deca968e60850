"""The heatmap kernel for 1,000 concepts x 50,000 images, against straightforward NumPy on a slice, scaled up."""

from __future__ import annotations

import time

import numpy as np

from conspect.analysis.dominance import count, count_reference, has_numba
from conspect.bench.rows import Row, peak_memory, row

CONCEPTS, IMAGES, SLICE, THREADS = 1000, 50_000, 48, 2


def rows() -> list[Row]:
    """Speed-up (both in this run), equality on the slice, and memory beyond the input."""
    strengths = np.random.default_rng(0).standard_normal((IMAGES, CONCEPTS), dtype=np.float32)
    strengths[::1000] = np.round(strengths[::1000], 1)  # some rows with ties
    part = strengths[:SLICE]
    count(part, threads=THREADS)  # compiles
    before = peak_memory()
    start = time.perf_counter()
    counts = count(strengths, threads=THREADS)
    ours = time.perf_counter() - start
    memory = peak_memory() - before
    start = time.perf_counter()
    reference = sum(count_reference(part[k : k + 8]) for k in range(0, SLICE, 8))
    plain = (time.perf_counter() - start) * IMAGES / SLICE
    equal = bool(np.array_equal(reference, count(part, threads=THREADS)))
    total_ok = bool((counts + counts.T <= IMAGES).all())
    kernel = "compiled by Numba" if has_numba() else "NumPy alone (install conspect[fast] for the compiled one)"
    return [
        row(
            f"heatmap kernel, {CONCEPTS} concepts x {IMAGES:,} images, {THREADS} threads, {kernel}", round(ours, 3), "s"
        ),
        row(f"straightforward NumPy on {SLICE} images, scaled up", round(plain, 3), "s"),
        row("speed-up over straightforward NumPy", round(plain / ours, 2), "times", (">=", 20)),
        row("equal to the reference on the slice, counts consistent", float(equal and total_ok), "1 = yes", (">=", 1)),
        row("memory beyond the input at its peak", round(memory, 1), "MB", ("<=", 200)),
    ]
