"""A row of a benchmark: what was measured, its value and unit, the target, and whether it is met."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

import numpy as np


class Machine(TypedDict):
    """The machine that a benchmark ran on, as far as it says itself."""

    cpu: str
    cores: int | None
    system: str
    python: str
    numpy: str


class Row(TypedDict):
    """One target. `target` None: measured for the record; `value` None: not measured, the unit says why.

    `better`: which direction the target asks for.
    """

    what: str
    value: float | None
    unit: str
    target: float | None
    met: bool | None
    better: Literal["higher", "lower"] | None


class Measurement(TypedDict):
    """What a benchmark measured; those of planted faults, of wrong labels and of lost concepts say also on how much."""

    rows: list[Row]
    networks: NotRequired[list[str]]
    cases: NotRequired[int]
    images: NotRequired[int]
    removals: NotRequired[int]


def row(what: str, value: float | None, unit: str, target: tuple[Literal["<=", ">="], float] | None = None) -> Row:
    """A row with its verdict; `target` is a comparison and a bound in the row's unit."""
    if target is None or value is None:
        return {"what": what, "value": value, "unit": unit, "target": None, "met": None, "better": None}
    sign, bound = target
    met = value <= bound if sign == "<=" else value >= bound
    better: Literal["higher", "lower"] = "lower" if sign == "<=" else "higher"
    return {"what": what, "value": value, "unit": unit, "target": bound, "met": bool(met), "better": better}


def peak_memory() -> float:
    """Largest resident memory of this process so far, MB.

    From the kernel's VmHWM where there is one: ru_maxrss also counts what the parent had at the moment of the fork.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if line is not None:
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> Machine:
    """Of this process."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        model = next(
            (line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line), model
        )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
