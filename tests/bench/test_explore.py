"""The benchmark of the explorer, on the study of the fakes."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conspect.bench.explore import Client, answered, timed_by

ROOT = Path(__file__).parents[2]


def test_every_view_of_the_explorer_is_measured(finished_folder: Path, tmp_path: Path) -> None:
    study = shutil.copytree(finished_folder, tmp_path / "study")
    command = [sys.executable, "-m", "tests.explorer.fake_server", str(study), str(study)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "http://" in line)
        rows = answered(Client(address), repeats=2)
        with pytest.raises(RuntimeError, match="EXPLORE001"):
            Client(address).ask("/api/images?label=purple")
    finally:
        server.terminate()
        server.wait(20)
        assert server.stderr is not None
        server.stderr.close()
    assert len(rows) == 16
    assert all(milliseconds > 0 and target > 0 for _, milliseconds, target in rows)
    assert (study / "label_decisions.csv").is_file()


def test_the_slowest_of_twenty_is_what_is_told() -> None:
    counted: list[int] = []
    assert timed_by(time.perf_counter, lambda: counted.append(1), 20) >= 0
    assert len(counted) == 20
