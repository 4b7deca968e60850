"""More than two hundred hostile files, made by generation: none over ten seconds or two gigabytes, none executed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conspect.bench.rows import peak_memory
from tests.hostile.generated import damaged, generated_files, onnx_bombs, parquet_bombs
from tests.hostile.loaders import LOADERS, REFUSALS, Loader
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


@pytest.mark.parametrize(("loader", "make"), [("images.parquet", parquet_bombs), ("model.onnx", onnx_bombs)])
def test_a_file_that_declares_too_much_is_refused_or_read_in_little_memory(
    loader: str, make: Any, tmp_path: Path
) -> None:
    bombs = make()
    assert len(bombs) >= 6
    path = tmp_path / loader
    for name, content in bombs.items():
        path.write_bytes(content)
        before = peak_memory()
        with pytest.raises(REFUSALS):
            OF[loader].read(path)
        assert peak_memory() - before < 500, name


def test_a_column_of_more_values_than_images_have_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("conspect.adapters.datasets.parquet.LARGEST_COLUMN", 5_000)
    table = pa.table({"image": pa.array([[0] * 2_000] * 4, pa.list_(pa.uint8())), "label": pa.array(["cat"] * 4)})
    pq.write_table(table, tmp_path / "images.parquet")
    with pytest.raises(REFUSALS, match="a column of one row group declares 8,000 values"):
        OF["images.parquet"].read(tmp_path / "images.parquet")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_bomb_goes_off_in_what_it_pretends_to_be() -> None:
    names = ["images.parquet", "model.pt2", "model.onnx", "0.tar", "image.png", "images.csv"]
    done = ended("--files", "0", *(word for name in names for word in ("--loader", name)))
    assert done.returncode == 0, done.stdout
    assert " 0 beyond a limit; code executed: False" in done.stdout


def test_memory_of_a_reading_and_an_exit_in_it_are_seen(tmp_path: Path) -> None:
    def greedy(_path: object) -> None:
        assert b"x" * (1 << 30)

    def leaves(_path: object) -> None:
        raise SystemExit(0)

    assert reading(Loader("a", greedy), "x", b"", tmp_path).megabytes > 500
    assert reading(Loader("a", leaves), "x", b"", tmp_path).end == FAULT
    assert reading(Loader("a", lambda path: path), "x", b"", tmp_path).end == READ


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_loader_takes_long_or_much_for_any_file() -> None:
    done = ended("--files", "10")  # the command alone takes 220 of them
    print(done.stdout)
    assert done.returncode == 0, done.stdout
