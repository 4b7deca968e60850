"""Every command has a page, and every option its line of help and its place on that page."""

import re
from collections.abc import Mapping

import click
import pytest

from tests.cli.commands import commands, options
from tests.documentation import DOCS

COMMANDS = dict(commands())
# Section by section: an option of one command is not documented by the same word in another command's section.
SECTIONS = {
    f"{page.name} {number}": text
    for page in DOCS.rglob("*.md")
    for number, text in enumerate(re.split(r"^(?=#+ )", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
}


def undocumented(name: str, command: click.Command, pages: Mapping[str, str]) -> list[str]:
    """Options of a command that are in no section that names the command; the command itself, where none does."""
    own = "\n".join(text for text in pages.values() if re.search(rf"\b{name}\b(?!-)", text))
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
def test_every_option_is_in_a_section_that_names_its_command(name: str) -> None:
    assert undocumented(name, COMMANDS[name], SECTIONS) == []


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
