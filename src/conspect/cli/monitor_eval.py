"""`conspect monitor eval`: every detector on every kind of failure, on images that nothing was fitted on."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.engine import engine_options, working
from conspect.cli.progress import terminal_bar
from conspect.core.terminal import on_one_line


@click.command("eval")
@click.option("--study", required=True, type=click.Path(path_type=Path, file_okay=False), help="The study's folder.")
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def evaluate(study: Path, engine: str, address: str | None, store: str | None, as_json: bool) -> None:
    """Compare the study's monitor with the paper's detectors and with seven baselines, on the same images."""
    from conspect.report.monitor_wording import sentences, tables
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.config import MonitorConfig
    from conspect.study.monitor.estimate import estimate

    opened = Study.open(study, store=store)
    click.echo(f"monitor eval: {estimate(opened.config.monitor or MonitorConfig(), opened.inputs)}", err=True)
    with working(opened, engine, address):
        results = opened.evaluate_monitor(bar=terminal_bar)
    if as_json:
        click.echo(encoded(results, indent=None), nl=False)
        return
    for line in [*tables(results), *sentences(results)]:
        click.echo(on_one_line(line))
