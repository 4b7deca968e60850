"""Benchmarks as a page to read, and as records that a later run is compared with.

Absolute times drift from machine to machine and from hour to hour. Compared are therefore only ratios, which are
measured side by side in one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from conspect.bench.rows import Machine, Row

# Units that do not depend on how fast the machine is.
RATIO_UNITS = ("ratio", "times")
TOLERANCE = 0.2


class Record(TypedDict):
    """One benchmark's rows, the machine they were measured on, and the day (ISO 8601, UTC)."""

    bench: str
    day: str
    machine: Machine
    seconds: float
    rows: list[Row]


def regressions(recorded: Sequence[Record], new: Sequence[Record], *, tolerance: float = TOLERANCE) -> list[str]:
    """One sentence per ratio that is worse than the recorded one by more than `tolerance` (a share), or is gone.

    Compared are rows with a target in one of RATIO_UNITS, which say which direction is better; and every target that
    was met and is no longer.
    """
    now = {(record["bench"], row["what"]): row for record in new for row in record["rows"]}
    measured = {record["bench"] for record in new}
    losses = []
    for record in recorded:
        if record["bench"] not in measured:
            losses.append(f"{record['bench']}: was not run")
            continue
        for old in record["rows"]:
            row = now.get((record["bench"], old["what"]))
            where = f"{record['bench']}: {old['what']}"
            if row is None:
                losses += [f"{where}: no longer measured"] if old["target"] is not None else []
            elif row["value"] is not None and old["value"] is not None:
                if old["met"] and row["met"] is False:
                    losses.append(f"{where}: {row['value']:g} {row['unit']} misses its target {row['target']:g}")
                elif _worse(old, row["value"], tolerance):
                    losses.append(f"{where}: {row['value']:g} {row['unit']}, recorded {old['value']:g}")
    return losses


def _worse(old: Row, value: float, tolerance: float) -> bool:
    if old["unit"] not in RATIO_UNITS or old["better"] is None or old["value"] is None:
        return False
    if old["better"] == "higher":
        return value < old["value"] * (1 - tolerance)
    return value > old["value"] * (1 + tolerance)


def joined(before: Sequence[Record], new: Sequence[Record]) -> list[Record]:
    """The newer record of each benchmark, by name."""
    return sorted({record["bench"]: record for record in (*before, *new)}.values(), key=lambda record: record["bench"])


def page(records: Sequence[Record]) -> str:
    """All benchmarks as one Markdown page: for each its machine, its day and a table."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`, which runs the benchmarks of `conspect bench` that need no study and compares their ratios",
        "with the recorded ones (`docs/benchmarks.json`). Another call adds one that needs a study:",
        '`make bench ARGS="--only explore --study out/demo"`. Absolute times drift on a shared machine; ratios are measured',
        "side by side in one run.",
    ]
    for record in records:
        lines += [
            "",
            f"## {record['bench']}",
            "",
            f"`conspect bench {record['bench']}`, {record['seconds']:.0f} s, on {record['day']}. {_machine(record['machine'])}",
            "",
        ]
        lines += ["| measured | value | target | |", "|---|---|---|---|"]
        lines += [_line(row) for row in record["rows"]]
    return "\n".join(lines) + "\n"


def _machine(machine: Machine) -> str:
    return "Machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()) + "."


def _line(row: Row) -> str:
    value = "not measured" if row["value"] is None else f"{row['value']:,.6g}"
    sign = {"higher": "at least ", "lower": "at most ", None: ""}[row["better"]]
    target = "" if row["target"] is None else f"{sign}{row['target']:,.6g}"
    verdict = {None: "", True: "met", False: "**missed**"}[row["met"]]
    what = row["what"].replace("|", "\\|")
    return f"| {what} | {value} {row['unit']} | {target} | {verdict} |"
