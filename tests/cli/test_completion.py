"""Shell completion as each shell asks for it, and suggestions for words that are nearly a command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conspect.cli.main import main
from tests.documentation import ROOT, text_of

ASKED = {
    "bash": {"COMP_WORDS": "conspect com", "COMP_CWORD": "1"},
    "zsh": {"COMP_WORDS": "conspect com", "COMP_CWORD": "1"},
    "fish": {"COMP_WORDS": "conspect com", "COMP_CWORD": "com"},
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a `conspect` that runs these sources."""
    command = tmp_path / "conspect"
    code = "import sys; sys.argv[0] = 'conspect'; from conspect.cli.main import run; run()"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    command.chmod(0o755)
    return tmp_path


def environment(program: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src"), **more}


@pytest.mark.parametrize("shell", ASKED)
def test_each_shell_is_given_a_script_and_the_words(shell: str, program: Path) -> None:
    given = environment(program, _CONSPECT_COMPLETE=f"{shell}_source")
    script = subprocess.run(["conspect"], env=given, capture_output=True, text=True, check=True)
    assert "_CONSPECT_COMPLETE" in script.stdout
    given = environment(program, _CONSPECT_COMPLETE=f"{shell}_complete", **ASKED[shell])
    words = subprocess.run(["conspect"], env=given, capture_output=True, text=True, check=True).stdout
    assert "compare" in words
    assert "verify" not in words
    assert f"_CONSPECT_COMPLETE={shell}_source" in text_of("editors.md")


def test_bash_itself_completes(program: Path) -> None:
    script = (
        'eval "$(_CONSPECT_COMPLETE=bash_source conspect)"; COMP_WORDS=(conspect com); COMP_CWORD=1; '
        '_conspect_completion conspect com conspect; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], env=environment(program), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["compare"]


def test_fish_itself_completes(program: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("could not run: fish")
    script = "_CONSPECT_COMPLETE=fish_source conspect | source; complete -C 'conspect com'"
    done = subprocess.run(["fish", "-c", script], env=environment(program), capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["compare"]


def test_fish_finds_the_file_that_the_page_names(program: Path, tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("could not run: fish")
    file = tmp_path / "fish" / "completions" / "conspect.fish"
    file.parent.mkdir(parents=True)
    file.write_text("_CONSPECT_COMPLETE=fish_source conspect | source\n")
    given = environment(program, XDG_CONFIG_HOME=str(tmp_path))
    done = subprocess.run(
        ["fish", "-c", "complete -C 'conspect com'"], env=given, capture_output=True, text=True, check=True
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["compare"]


# A terminal of zsh's own: what is typed, a tab, and what is then on the line.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='ready> '"
zpty -w shell 'PAGE; echo set-$((40+2))'
zpty -r -m shell seen '*set-42*'
zpty -w -n shell $'conspect com\t'
zpty -r -m shell line '*compare*'
print -r -- "$line"
zpty -d shell
"""


def test_zsh_itself_completes_after_the_lines_of_the_page(program: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("could not run: zsh")
    page = text_of("editors.md")
    first, second = (line.split("   ")[0] for line in page.splitlines() if "compinit" in line or "zsh_source" in line)
    assert first == "autoload -Uz compinit && compinit"
    typed = ZSH.replace("PAGE", f"{first} -u -D; {second}")
    done = subprocess.run(
        ["zsh", "-f", "-c", typed], env=environment(program), capture_output=True, text=True, check=True, timeout=60
    )
    assert "conspect compare" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["rnu"], "run"), (["verfy"], "verify"), (["spec", "chekc"], "check"), (["monitor", "fti"], "fit")],
)
def test_a_word_that_is_nearly_a_command_gets_a_suggestion(arguments: list[str], meant: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert f"did you mean '{meant}'?" in done.output


def test_a_word_that_is_none_gets_no_suggestion() -> None:
    done = CliRunner().invoke(main, ["xylophone"])
    assert done.exit_code == 2
    assert "did you mean" not in done.output
