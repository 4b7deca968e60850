"""How long and how large the reading of hostile files gets: python -m tests.hostile.measure [--files 220] [--seed 0].

Every loader reads every file in a process of its own, which is ended after `SECONDS`. Prints the figures of docs/robustness.md
and ends with 1 where a reading took longer, more memory, or ended otherwise than with a value or a refusal.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.files import CANARY
from tests.hostile.loaders import LOADERS, REFUSALS, Loader

SECONDS, MEGABYTES = 10.0, 2000.0
READ, REFUSED, FAULT = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Reading:
    """One loader over one file: `end` is an exit code, or minus a signal; memory is that beyond what the process had."""

    loader: str
    file: str
    end: int
    seconds: float
    megabytes: float

    @property
    def is_sound(self) -> bool:
        """A value or a refusal, soon, and in little memory."""
        return self.end in {READ, REFUSED} and self.seconds <= SECONDS and self.megabytes <= MEGABYTES


def reading(loader: Loader, name: str, content: bytes, folder: Path) -> Reading:
    """Reads in a child of this process, so that its memory is its own."""
    path = written(loader, content, folder)
    # A child begins with what this process has now, not with the most that it ever had.
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(_read(loader, path))
    ended = 0
    while not ended:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if not ended:
            if time.perf_counter() - start > SECONDS + 2:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.002)
    grown = max(usage.ru_maxrss - before, 0) / 1024
    return Reading(loader.name[-30:], name, os.waitstatus_to_exitcode(status), time.perf_counter() - start, grown)


def written(loader: Loader, content: bytes, folder: Path) -> Path:
    """The file under the name that the loader wants."""
    path = folder / loader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _read(loader: Loader, path: Path) -> int:
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader.read(path)
    except REFUSALS:
        return REFUSED
    except BaseException:  # whatever else comes out is a fault, also an end of the process
        return FAULT
    return READ


def measured(number: int, seed: int = 0, loaders: Sequence[Loader] = LOADERS) -> tuple[int, list[Reading]]:
    """Number of files, and every reading of every one; `number` 0: the bombs alone.

    The files are made in another process: libraries that have started threads in this one would hang in its children.
    """
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "tests.hostile.generated", made, str(number), str(seed)], check=True)
        names = json.loads(Path(made, "names.json").read_text())
        files = {name: Path(made, str(place)) for place, name in enumerate(names)}
        readings = []
        for loader in loaders:
            import_as(loader, next(iter(files.values())).read_bytes(), Path(folder, "in"))
            readings += [reading(loader, name, path.read_bytes(), Path(folder, "in")) for name, path in files.items()]
    return len(files), readings


def import_as(loader: Loader, content: bytes, folder: Path) -> None:
    """Imports what a reading imports, in this process, so that its children need not spend seconds on that each."""
    path = written(loader, content, folder)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        _read(loader, path)
        with os.fdopen(sending, "w") as pipe:
            pipe.write("\n".join(sys.modules))
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as pipe:
        names = pipe.read().split()
    os.waitpid(child, 0)
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)


def summary(files: int, readings: list[Reading]) -> str:
    """The figures, and the readings that break a limit."""
    ends = Counter(reading.end for reading in readings)
    slowest = max(readings, key=lambda reading: reading.seconds)
    largest = max(readings, key=lambda reading: reading.megabytes)
    lines = [
        f"{files} hostile files x {len(readings) // files} loaders = {len(readings):,} readings: "
        f"{ends[REFUSED]:,} refused, {ends[READ]:,} read, "
        f"{sum(not reading.is_sound for reading in readings):,} beyond a limit; code executed: {CANARY.exists()}",
        f"longest {slowest.seconds:.2f} s ({slowest.file} as {slowest.loader}), limit {SECONDS:g} s",
        f"most memory {largest.megabytes:.0f} MB ({largest.file} as {largest.loader}), limit {MEGABYTES:g} MB",
    ]
    return "\n".join([*lines, *(str(reading) for reading in readings if not reading.is_sound)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=220, help="0: the bombs alone")
    parser.add_argument("--loader", action="append", help="the name of one, such as images.parquet (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    CANARY.unlink(missing_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    chosen = [loader for loader in LOADERS if asked.loader is None or loader.name in asked.loader]
    count, everything = measured(asked.files, asked.seed, chosen)
    print(summary(count, everything))
    sys.exit(CANARY.exists() or not all(reading.is_sound for reading in everything))
