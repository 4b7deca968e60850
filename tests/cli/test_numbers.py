"""Numbers on the command line: what is not finite is refused, wherever a command takes one."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from conspect.cli.main import main
from conspect.cli.numbers import NumberRange


@pytest.mark.parametrize("text", ["nan", "-nan", "inf", "1e999", "0", "1.5"])
def test_what_is_not_a_finite_number_of_the_range_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        NumberRange(0, 1, min_open=True)(text)


def test_a_number_of_the_range_is_taken_as_it_is() -> None:
    assert NumberRange(0, 1)("0.25") == 0.25


@pytest.mark.parametrize(
    "call",
    [
        ["explain", ".", "--class", "cat", "--share", "nan"],
        ["concepts", "add", ".", "word", "--others", "nan"],
        ["doctor", "--study", ".", "--reported-accuracy", "nan"],
        ["monitor", "fit", "--study", ".", "--false-alarms", "nan"],
        ["verify", "a.cspec", "--study", ".", "--budget", "nan"],
    ],
)
def test_every_command_that_takes_a_number_refuses_what_is_none(call: list[str]) -> None:
    refused = CliRunner().invoke(main, call)
    assert refused.exit_code == 2
    assert "nan is not a finite number" in refused.output
