"""`python -m conspect.bench FOLDER`: every benchmark, in a process of its own, as one page and one file of records.

What FOLDER holds of other benchmarks stays, and each is written when it is done: a run that was ended is gone on from with
--only. Compares the ratios with the recorded ones first; exit code 1 when one is worse by more than a fifth, or a target is
missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from conspect.bench.names import BENCHES, OF_STUDIES
from conspect.bench.recording import Record, joined, page, regressions
from conspect.core.files import write_atomically, write_json, writing_to

RECORDS, PAGE = "benchmarks.json", "benchmarks.md"
# The service and its clients need cores of their own: with a model thread on every core, all wait for each other.
ENVIRONMENT = {"serve": {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) - 1))}}


def measured(name: str, study: Path | None = None) -> Record:
    """One benchmark in its own process, so that its peak memory is its own. Raises RuntimeError when it fails."""
    start = time.perf_counter()
    of_study = ["--study", str(study)] if study is not None and name in OF_STUDIES else []
    call = [sys.executable, "-m", "conspect.cli.main", "bench", name, "--json", *of_study]
    done = subprocess.run(
        call, stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, **ENVIRONMENT.get(name, {})}
    )
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise RuntimeError(f"benchmark {name} ended with exit code {done.returncode}")
    figures = json.loads(done.stdout)
    return {
        "bench": name,
        "day": datetime.now(UTC).date().isoformat(),
        "machine": figures["machine"],
        "seconds": time.perf_counter() - start,
        "rows": figures["rows"],
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, type=click.Choice([*BENCHES, *OF_STUDIES]), help="Run these benchmarks alone.")
@click.option(
    "--study", type=click.Path(path_type=Path, exists=True, file_okay=False), help="For those that need a study."
)
@click.option("--recorded", type=click.Path(path_type=Path, exists=True), help="Compare with this file of records.")
def main(folder: Path, only: tuple[str, ...], study: Path | None, recorded: Path | None) -> None:
    """Run all benchmarks; write FOLDER/benchmarks.md and FOLDER/benchmarks.json."""
    before: list[Record] = [] if recorded is None else json.loads(recorded.read_text(encoding="utf-8"))
    file = folder / RECORDS
    kept: list[Record] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    kept = [record for record in kept if "day" in record]  # an older release kept none
    records: list[Record] = []
    for name in only or BENCHES:
        click.echo(f"{name} ...", err=True)
        records.append(measured(name, study))
        kept = joined(kept, records)
        with writing_to(folder):
            write_json(file, kept)
            write_atomically(folder / PAGE, page(kept).encode())
    run = {record["bench"] for record in records}
    worse = regressions(
        [old for old in before if old["bench"] in run or (not only and old["bench"] in BENCHES)], records
    )
    missed = [f"{r['bench']}: {row['what']}" for r in records for row in r["rows"] if row["met"] is False]
    for line in worse:
        click.echo(f"worse than recorded: {line}", err=True)
    for line in missed:
        click.echo(f"target missed: {line}", err=True)
    sys.exit(1 if worse or missed else 0)


if __name__ == "__main__":
    main()
