"""`conspect monitor fit`: the monitor of a study, with its guarantees."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.numbers import NumberRange
from conspect.cli.progress import terminal_bar
from conspect.core.terminal import on_one_line


@click.command()
@click.option("--study", required=True, type=click.Path(path_type=Path, file_okay=False), help="The study's folder.")
@click.option(
    "--false-alarms",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    help="At most this share of the right outputs is suspect; [monitor] false_alarms of study.toml otherwise.",
)
@click.option(
    "--accepted-errors",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    help="At most this share of the accepted outputs is wrong; [monitor] accepted_errors otherwise.",
)
@click.option(
    "--confidence",
    type=NumberRange(0.5, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="With which both shares are kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the guarantee as JSON.")
def fit(
    study: Path, false_alarms: float | None, accepted_errors: float | None, confidence: float, as_json: bool
) -> None:
    """Fit the monitor on held-out images and write STUDY/monitor.

    Prints what is guaranteed, and under which assumption.
    """
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.monitor.records import guarantee_record

    opened = Study.open(study)
    fitted = opened.fit_monitor(
        false_alarms=false_alarms, accepted_errors=accepted_errors, confidence=confidence, bar=terminal_bar
    )
    if as_json:
        click.echo(encoded(guarantee_record(fitted.guarantee), indent=None).decode().rstrip())
        return
    for sentence in fitted.guarantee.sentences():
        click.echo(on_one_line(sentence))
    splits = fitted.splits
    click.echo(f"fitted on {len(splits.fit)} images, calibrated on {len(splits.calibration)}", err=True)
    click.echo(f"monitor: {(opened.monitor_folder / 'monitor.json').resolve()}")
