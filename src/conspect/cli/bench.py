"""`conspect bench NAME`: measures this installation against the targets it is built for."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.bench.names import (
    BENCHES,
    EXPLORE,
    EXPLORE_SCALE,
    FAULTS,
    FORGERIES,
    INPUTS,
    LABELS,
    LOST,
    MUTANTS,
    OF_STUDIES,
    PRESENCE,
    WORDS,
)

if TYPE_CHECKING:
    from conspect.bench.rows import Measurement, Row


@click.command()
@click.argument(
    "name",
    type=click.Choice(
        [*BENCHES, EXPLORE, EXPLORE_SCALE, FAULTS, FORGERIES, INPUTS, LABELS, LOST, MUTANTS, PRESENCE, WORDS]
    ),
)
@click.option(
    "--study",
    type=click.Path(path_type=Path, file_okay=False),
    help="For faults: plant them in this study's model (default: in a network on rendered scenes). For explore, forgeries, "
    "inputs, labels, mutants, presence and words: it.",
)
@click.option(
    "--small",
    is_flag=True,
    help="For scale: without its largest size, which takes minutes and 4 GB of disk. For explore-scale: a tenth of the images.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="For faults, inputs, lost and mutants: a folder where what has been planted is kept, and gone on from. For "
    "explore-scale: a folder where its study is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def bench(name: str, study: Path | None, small: bool, keep: Path | None, as_json: bool) -> None:
    """Run benchmark NAME: one row per target, ratios measured side by side in one run. Exit code 1: a target is missed."""
    from conspect.bench.rows import machine

    if small and name not in {"scale", EXPLORE_SCALE}:
        raise click.UsageError(f"benchmark {name} takes no --small")
    if keep is not None and name not in {EXPLORE_SCALE, FAULTS, INPUTS, LOST, MUTANTS}:
        raise click.UsageError(f"benchmark {name} takes no --keep")
    options = {"small": True} if small else {}

    if study is not None and name not in OF_STUDIES:
        raise click.UsageError(f"benchmark {name} takes no --study")
    if study is None and name in {FORGERIES, INPUTS, LABELS, MUTANTS, PRESENCE, WORDS}:
        raise click.UsageError(f"benchmark {name} needs --study")
    if name == EXPLORE:
        measured: Measurement = {"rows": _explored(study)}
    elif name == EXPLORE_SCALE:
        measured = {"rows": importlib.import_module("conspect.bench.explore_scale").rows(keep=keep, **options)}
    elif name in {FORGERIES, PRESENCE, WORDS} and study is not None:
        measured = {"rows": importlib.import_module(f"conspect.bench.{name}").rows(study)}
    elif name in {FAULTS, INPUTS, LABELS, LOST, MUTANTS}:
        measured = _planted(name, study, keep)
    else:
        measured = {"rows": importlib.import_module(f"conspect.bench.{name}").rows(**options)}
    if as_json:
        click.echo(json.dumps({"bench": name, "machine": machine(), **measured}))
    else:
        for row in measured["rows"]:
            verdict = {None: "", True: "met", False: "MISSED"}[row["met"]]
            target = "" if row["target"] is None else f"target {row['target']:g}"
            value = "not measured" if row["value"] is None else f"{row['value']:,.6g}"
            click.echo(f"{value:>14} {row['unit']:<12} {target:<16} {verdict:<7} {row['what']}")
    sys.exit(0 if all(row["met"] is not False for row in measured["rows"]) else 1)


def _explored(study: Path | None) -> list[Row]:
    if study is None:
        raise click.UsageError("benchmark explore needs --study, such as out/demo after make demo")
    from conspect.bench.explore import rows

    return rows(study)


def _planted(name: str, study: Path | None, keep: Path | None) -> Measurement:
    from conspect.bench import faults, inputs, labels, lost, mutants
    from conspect.cli.progress import terminal_bar

    if name == LABELS and study is not None:
        return labels.measure(study, terminal_bar)
    if name == INPUTS and study is not None:
        return inputs.measure(study, keep, terminal_bar)
    if name == MUTANTS and study is not None:
        return mutants.measure(study, keep, terminal_bar)
    return faults.measure(study, keep, terminal_bar) if name == FAULTS else lost.measure(keep, terminal_bar)
