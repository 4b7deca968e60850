"""Every command of the program with the words that call it."""

from collections.abc import Iterator

import click

from conspect.cli.main import main


def commands(group: click.Group = main, path: str = "conspect") -> Iterator[tuple[str, click.Command]]:
    """("conspect spec check", command) and so on, depth first; groups are walked through, not yielded."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{path} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: click.Command) -> list[click.Option]:
    """Those that help shows."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden]
