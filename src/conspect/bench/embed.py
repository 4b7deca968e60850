"""Embedding with the store against a bare loop over the same model, and the pocket VLM's rate; side by side in one run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.models import load_model
from conspect.adapters.store.embeddings import BATCH, embed
from conspect.adapters.vlms import load_vlm
from conspect.bench.rows import Row, row
from conspect.core.protocols import ImageEncoder
from conspect.study.inputs import cache_directory

# Photographs are not needed to time a network: random pixels of CIFAR-10's size cost the same.
ROUNDS = 3


def rows() -> list[Row]:
    """Median over rounds of the ratio of rates, store over bare loop, for both encoders of the demo."""
    table: list[Row] = []
    encoders: list[tuple[ImageEncoder, int]] = [
        (load_model("demo-resnet", None), 4096),
        (load_vlm("pocket", cache=cache_directory()), 768),
    ]
    for encoder, images in encoders:
        bare, stored = _rates(encoder, images)
        ratio = float(np.median([s / b for s, b in zip(stored, bare, strict=True)]))
        table += [
            row(f"{encoder.name}: bare loop", round(float(np.median(bare)), 1), "images/s"),
            row(f"{encoder.name}: with the store", round(float(np.median(stored)), 1), "images/s"),
            row(f"{encoder.name}: store over bare loop", round(ratio, 3), "ratio", (">=", 0.95)),
        ]
    table.append(row("pocket VLM, images a second with the store", table[-2]["value"], "images/s", (">=", 100)))
    return table


def _rates(encoder: ImageEncoder, images: int) -> tuple[list[float], list[float]]:
    pixels = np.random.default_rng(0).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    labels = np.zeros(images, dtype=np.int64)
    bare: list[float] = []
    stored: list[float] = []
    _bare(encoder, pixels[: 2 * BATCH])  # loads and warms up
    for k in range(ROUNDS):
        start = time.perf_counter()
        values = _bare(encoder, pixels)
        bare.append(images / (time.perf_counter() - start))
        ids = tuple(f"{k}/{row}" for row in range(images))
        dataset = ArrayDataset("noise", "bench", ("none",), ids, labels, pixels)
        _ = dataset.digest
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            embedded = embed(encoder, dataset, Path(folder))
            stored.append(images / (time.perf_counter() - start))
        if not np.array_equal(embedded.values, values):
            raise AssertionError("the store returns other embeddings than the bare loop")
    return bare, stored


def _bare(
    encoder: ImageEncoder, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    parts = []
    for start in range(0, len(pixels), BATCH):
        parts.append(encoder.embed(np.stack([encoder.prepare(image) for image in pixels[start : start + BATCH]])))
    return np.concatenate(parts)
