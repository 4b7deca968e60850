"""`python -m conspect.bench.kills [--count N] [--seed S]`: as many kills as wanted."""

from __future__ import annotations

import sys

import click

from conspect.bench.kills.killing import KILLS, killed


@click.command()
@click.option("--count", type=click.IntRange(min=5), default=KILLS, show_default=True, help="Kills in all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the moments.")
def main(count: int, seed: int) -> None:
    """Kill embed, run, verify, monitor fit and monitor serve at random moments; exit code 1 when anything goes wrong."""
    tallies = killed(count, seed)
    for tally in tallies:
        click.echo(f"{tally.call:<14} {tally.kills:>4} kills, {tally.late} too late, {len(tally.faults)} faults")
        for fault in tally.faults:
            click.echo(f"  {fault}")
    sys.exit(1 if any(tally.faults for tally in tallies) else 0)


if __name__ == "__main__":
    main()
