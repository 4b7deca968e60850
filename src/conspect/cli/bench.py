"""`conspect bench NAME`: measures this installation against the targets it is built for."""

from __future__ import annotations

import importlib
import json
import sys

import click

BENCHES = ("align", "embed", "heatmap", "kills", "monitor", "parser", "scale", "serve", "soundness", "verify")


@click.command()
@click.argument("name", type=click.Choice(BENCHES))
@click.option("--small", is_flag=True, help="For scale: without its largest size, which takes minutes and 4 GB of disk.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def bench(name: str, small: bool, as_json: bool) -> None:
    """Run benchmark NAME: one row per target, ratios measured side by side in one run. Exit code 1: a target is missed."""
    from conspect.bench.rows import machine

    if small and name != "scale":
        raise click.UsageError(f"benchmark {name} takes no --small")
    options = {"small": True} if small else {}

    found = importlib.import_module(f"conspect.bench.{name}").rows(**options)
    if as_json:
        click.echo(json.dumps({"bench": name, "machine": machine(), "rows": found}))
    else:
        for one in found:
            verdict = {None: "", True: "met", False: "MISSED"}[one["met"]]
            target = "" if one["target"] is None else f"target {one['target']:g}"
            value = "not measured" if one["value"] is None else f"{one['value']:,.6g}"
            click.echo(f"{value:>14} {one['unit']:<12} {target:<16} {verdict:<7} {one['what']}")
    sys.exit(0 if all(one["met"] is not False for one in found) else 1)
