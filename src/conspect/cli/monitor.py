"""`conspect monitor`: fit, evaluate, export and serve the monitor of a study."""

from __future__ import annotations

import click

from conspect.cli.lazy import Commands, LazyGroup

MONITOR_COMMANDS: Commands = {
    "eval": ("conspect.cli.monitor_eval", "evaluate", "Compare the monitor with other detectors, failure by failure."),
    "export": ("conspect.cli.monitor_export", "export", "Write a study's monitor as one ONNX graph."),
    "fit": ("conspect.cli.monitor_fit", "fit", "Fit a study's monitor and set its thresholds."),
    "serve": ("conspect.cli.monitor_serve", "serve", "Answer over HTTP whether outputs can be believed."),
}


@click.group(cls=LazyGroup, table=MONITOR_COMMANDS)
def monitor() -> None:
    """Watch a deployed model: say when not to believe it, and why."""
