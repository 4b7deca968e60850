"""Names from outside are data: nothing in them moves a cursor, colours a line or turns the reading direction."""

import json
import os
import subprocess
import sys

import pytest

from conspect.core.terminal import plain

HOSTILE = "a\x1b[31m\x9b2Jb\u202e\u2066\u200f\u061cc\x7f\x00\r\u2028"
CODE = "from conspect.core.terminal import guard_terminal; guard_terminal(); import click, json, sys; n = sys.argv[1]\n"


def test_each_of_them_is_written_as_its_escape_and_all_else_stays() -> None:
    shown = plain(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith("a\\u001b[31m\\u009b2Jb\\u202e")
    assert plain("Füße, 猫, 🐈, a\tb\n") == "Füße, 猫, 🐈, a\tb\n"
    assert plain("\udcff") == "\\udcff"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_guarded_process_writes_no_raw_one_and_json_still_says_the_name(stream: str) -> None:
    name = HOSTILE.replace("\x00", "")
    code = CODE + f"click.echo(json.dumps([n], ensure_ascii=False), err={stream == 'stderr'})"
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, check=True)
    written = getattr(done, stream).decode()
    assert plain(written) == written
    assert json.loads(written) == [name]
    done = subprocess.run([sys.executable, "-c", CODE + "print(n)", name], capture_output=True, check=True)
    assert plain(done.stdout.decode()) == done.stdout.decode()


def test_a_carriage_return_passes_only_where_progress_is_shown() -> None:
    code = CODE + r"print('a\rb'); print('a\rb', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, ""], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"a\\u000db\n", b"a\rb\n")


@pytest.mark.parametrize("command", [["localize", HOSTILE.replace("\x00", "")], ["run", HOSTILE.replace("\x00", "")]])
def test_a_hostile_path_on_the_command_line_comes_back_plain(command: list[str]) -> None:
    code = "from conspect.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False)
    for written in (done.stdout.decode(), done.stderr.decode()):
        assert plain(written.replace("\r", "")) == written.replace("\r", "")
    assert done.returncode == 2


@pytest.mark.parametrize("unbuffered", [None, "1"])
def test_a_full_standard_output_is_one_line_and_exit_code_4(unbuffered: str | None) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    variables |= {} if unbuffered is None else {"PYTHONUNBUFFERED": unbuffered}
    code = "from conspect.cli.main import run; run()"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"], stdout=full, stderr=subprocess.PIPE, env=variables, check=False
        )
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("unbuffered", [None, "1"])
@pytest.mark.parametrize("words", [["nosuch"], ["verify"], ["run", "/nowhere"]], ids=" ".join)
def test_a_full_standard_error_keeps_the_exit_code(words: list[str], unbuffered: str | None) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    variables |= {} if unbuffered is None else {"PYTHONUNBUFFERED": unbuffered}
    code = "from conspect.cli.main import run; run()"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=full, env=variables, check=False
        )
    assert (done.returncode, done.stdout) == (2, b"")
