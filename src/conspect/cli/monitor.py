"""`conspect monitor`: fit, evaluate, export and serve the monitor of a study."""

from __future__ import annotations

import click

from conspect.cli.lazy import Commands, LazyGroup

MONITOR_COMMANDS: Commands = {}


@click.group(cls=LazyGroup, table=MONITOR_COMMANDS)
def monitor() -> None:
    """Watch a deployed model: say when not to believe it, and why."""
