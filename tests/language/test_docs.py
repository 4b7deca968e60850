import re
import textwrap

import click
import pytest

from conspect.cli.spec import spec
from conspect.language import check_text, explain, parse

from .golden import ROOT, page_around_section, section

TUTORIAL = (ROOT / "docs" / "tutorial-from-a-requirement.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks(page_around_section()[0] + TUTORIAL, "cspec"))
def test_every_example_of_the_language_checks_without_a_word(block: str) -> None:
    checked = check_text(block)
    assert (checked.errors, checked.warnings) == ((), ())
    assert checked.tree.items


@pytest.mark.parametrize("block", blocks(page_around_section()[0], "python"))
def test_every_python_example_runs(block: str) -> None:
    exec(compile(block, "docs/language.md", "exec"), {})


def test_the_page_shows_every_code_as_it_is_reported() -> None:
    assert page_around_section()[1] == section()


def test_the_page_names_every_command_and_option() -> None:
    text = page_around_section()[0]

    def walk(command: click.Command, path: str) -> None:
        assert path.rsplit(maxsplit=1)[-1] in text
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in text, f"{path} {option.opts[0]}"
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                walk(inner, f"{path} {name}")

    assert len(spec.commands) > 3
    walk(spec, "conspect spec")


def test_the_tutorial_shows_what_explain_prints() -> None:
    declarations, _, properties, *_ = blocks(TUTORIAL, "cspec")
    shown = next(block for block in blocks(TUTORIAL, "text") if block.startswith("req_17a"))
    told = {row.name: row for row in explain(parse(declarations + properties))}
    assert set(told) == {"req_17a", "req_17b", "req_17c"}
    printed = re.sub(r"line \d+", "line 3", str(told["req_17a"]))
    notes = [line for line in printed.splitlines() if "is read as" not in line]
    assert textwrap.dedent(shown).splitlines() == notes
