"""Every command has a page, and every option its line of help and its place on that page."""

import re
from collections.abc import Mapping

import click
import pytest

from tests.cli.commands import commands, options
from tests.documentation import DOCS

COMMANDS = dict(commands())
PAGES = {page.name: page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")}


def undocumented(name: str, command: click.Command, pages: Mapping[str, str]) -> list[str]:
    """Options of a command that are on none of the pages that name the command; the command itself, where none does."""
    own = "\n".join(text for text in pages.values() if re.search(rf"\b{name}\b", text))
    if not own:
        return [name]
    return [
        option.opts[0]
        for option in options(command)
        if not any(re.search(rf"`{spelling}(?![a-z-])|[ \[|]{spelling}(?![a-z-])", own) for spelling in option.opts)
    ]


def test_the_commands_are_those_that_a_user_has() -> None:
    assert {"conspect run", "conspect verify", "conspect spec check", "conspect monitor serve"} <= set(COMMANDS)
    assert sum(len(options(command)) for command in COMMANDS.values()) > 60


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_a_page_that_names_its_command(name: str) -> None:
    assert undocumented(name, COMMANDS[name], PAGES) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [option.opts[0] for option in options(command) if not option.help] == []


def test_the_check_can_fail() -> None:
    command = click.Command("new", params=[click.Option(["--fresh"]), click.Option(["--fresh-start"])])
    assert undocumented("conspect new", command, {}) == ["conspect new"]
    page = {"new.md": "`conspect new` takes `--fresh-start`."}
    assert undocumented("conspect new", command, page) == ["--fresh"]
    page = {"new.md": "`conspect new` takes `--fresh-start` and `--fresh`."}
    assert undocumented("conspect new", command, page) == []
