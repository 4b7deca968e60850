"""A group of commands whose modules are imported when they are used, so that `--help` stays fast."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

import click

# Command to (module, attribute, one line of help).
Commands: TypeAlias = dict[str, tuple[str, str, str]]


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def __init__(self, *args: Any, table: Commands, **options: Any) -> None:
        super().__init__(*args, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names in alphabetical order."""
        return sorted(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module of one command."""
        if cmd_name not in self.table:
            return None
        module, attribute, _ = self.table[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table[name][2]) for name in self.list_commands(ctx)])
