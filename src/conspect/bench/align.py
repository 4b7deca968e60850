"""Alignment of 50,000 x 512 to 512: time and memory, and equality with the plain least-squares solution."""

from __future__ import annotations

import time

import numpy as np

from conspect.analysis.alignment import fit_arrays, solve, stream_sums
from conspect.bench.rows import Row, peak_memory, row

IMAGES, SIZE = 50_000, 512


def rows() -> list[Row]:
    """Five-fold ridge over the whole grid of penalties, as a study does it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((IMAGES, SIZE), dtype=np.float32)
    true = rng.standard_normal((SIZE, SIZE), dtype=np.float32) / np.float32(np.sqrt(SIZE))
    y = x @ true + 0.1 * rng.standard_normal((IMAGES, SIZE), dtype=np.float32)
    start = time.perf_counter()
    fitted = fit_arrays(x, y)
    seconds = time.perf_counter() - start
    memory = peak_memory()
    part = slice(0, 4000)
    plain = np.linalg.lstsq(np.c_[x[part], np.ones(4000)].astype(np.float64), y[part].astype(np.float64), rcond=None)[0]
    ours = solve(stream_sums(x[part], y[part]), [1e-12])[0]
    error = float(np.abs(ours.weight.T - plain[:-1]).max())
    return [
        row(
            f"alignment {IMAGES:,} x {SIZE} to {SIZE}, five folds, {len(fitted.r2_by_penalty)} penalties",
            round(seconds, 3),
            "s",
            ("<=", 5),
        ),
        row("peak memory of the process, data included", round(memory, 1), "MB", ("<=", 1024)),
        row("largest difference from plain least squares (4,000 images, no penalty)", error, "absolute", ("<=", 1e-8)),
    ]
