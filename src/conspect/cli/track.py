"""`conspect log`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--mlflow", "uri", metavar="URI", required=True, help="A tracking server, or a store such as sqlite:///mlflow.db."
)
@click.option("--experiment", default="conspect", show_default=True, help="Made where it is not there.")
@click.option("--run", "name", metavar="NAME", help="What the run is called; the folder's name otherwise.")
def log(study: Path, uri: str, experiment: str, name: str | None) -> None:
    """Log the finished STUDY as a run of an experiment: figures, digests, report and certificates."""
    from conspect.adapters.trackers.mlflow import log_run
    from conspect.cli.progress import terminal_bar
    from conspect.study.finished import finished_results
    from conspect.study.tracking import tracked

    run = tracked(finished_results(study), study, name)
    identity = log_run(run, uri, experiment, terminal_bar)
    click.echo(f"{len(run.metrics)} figures, {len(run.files)} files", err=True)
    click.echo(f"run: {identity}")
