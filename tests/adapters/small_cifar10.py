"""A small stand-in for CIFAR-10, with digests of its own."""

from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.datasets import cifar10
from conspect.core.digests import digest_bytes

ROWS = 20


@pytest.fixture
def small(monkeypatch) -> dict[str, cifar10.Batch]:
    """CIFAR-10 with twenty images a batch, and the digests that belong to them."""
    rng = np.random.default_rng(0)
    batches = {
        name: (rng.integers(0, 256, (ROWS, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, ROWS))
        for name in cifar10.BATCH_DIGESTS
    }
    digests = {
        n: digest_bytes(pixels.tobytes(), labels.astype(np.uint8).tobytes()) for n, (pixels, labels) in batches.items()
    }
    monkeypatch.setattr(cifar10, "BATCH_DIGESTS", digests)
    monkeypatch.setattr(cifar10, "ROWS_PER_BATCH", ROWS)
    return batches


def write_binary(folder: Path, batches: dict[str, cifar10.Batch]) -> None:
    """The layout of the CIFAR page: a label and 3,072 bytes, channel by channel, for each image."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (pixels, labels) in batches.items():
        planes = pixels.transpose(0, 3, 1, 2).reshape(ROWS, 3072)
        (folder / f"{name}.bin").write_bytes(np.column_stack([labels.astype(np.uint8), planes]).tobytes())
