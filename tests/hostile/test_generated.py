"""More than two hundred hostile files, made by generation: none over ten seconds or two gigabytes, none executed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.generated import damaged, generated_files
from tests.hostile.loaders import LOADERS, Loader
from tests.hostile.measure import FAULT, READ, reading

OF = {loader.name: loader for loader in LOADERS}
ROOT = Path(__file__).parents[2]


def ended(*options: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process without threads, from which children can be made safely."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    call = [sys.executable, "-m", "tests.hostile.measure", *options]
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_there_are_more_than_two_hundred_and_the_same_for_the_same_seed() -> None:
    files = generated_files(220)
    assert len(files) >= 220
    parquet = OF["images.parquet"]
    assert damaged(parquet, 3, 0) == damaged(parquet, 3, 0) != damaged(parquet, 3, 1)


def test_no_bomb_goes_off_in_what_it_pretends_to_be() -> None:
    names = ["images.parquet", "model.pt2", "model.onnx", "0.tar", "image.png", "images.csv"]
    done = ended("--files", "0", *(word for name in names for word in ("--loader", name)))
    assert done.returncode == 0, done.stdout
    assert " 0 beyond a limit; code executed: False" in done.stdout


def test_a_reading_that_breaks_a_limit_is_seen(tmp_path) -> None:
    def greedy(_path: object) -> None:
        bytearray(3 << 30)[:: 1 << 12] = b"x" * (3 << 18)

    def leaves(_path: object) -> None:
        raise SystemExit(0)

    assert reading(Loader("a", greedy), "x", b"", tmp_path).megabytes > 2000
    assert reading(Loader("a", leaves), "x", b"", tmp_path).end == FAULT
    assert reading(Loader("a", lambda path: path), "x", b"", tmp_path).end == READ


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_loader_takes_long_or_much_for_any_file() -> None:
    done = ended("--files", "220")
    print(done.stdout)
    assert done.returncode == 0, done.stdout
