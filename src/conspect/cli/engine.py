"""The options that say where work is done and where embeddings are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from conspect.cli.progress import terminal_bar

if TYPE_CHECKING:
    from conspect.study import Study


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--engine, --address and --store."""
    for option in (
        click.option("--store", metavar="PLACE", help="A folder or URL where embeddings are kept."),
        click.option("--address", metavar="A", help="A running Ray cluster's (default: one is started here)."),
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Who embeds, aligns, counts and compares.",
        ),
    ):
        command = option(command)
    return command


def working(study: Study, engine: str, address: str | None) -> AbstractContextManager[None]:
    """The block in which the chosen engine works for the study."""
    if engine == "ray":
        return study.ray_workers(address, bar=terminal_bar)
    if address is not None:
        raise click.UsageError("--address is an option of --engine ray")
    return nullcontext()
