"""The VS Code folder: its files name each other, and its grammar knows the words and signs of the language."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conspect.language.syntax.grammar import PREDICATES, RESERVED, SIGNS
from tests.documentation import ROOT

FOLDER = ROOT / "editors" / "vscode"
GRAMMAR = json.loads((FOLDER / "syntaxes/conspec.tmLanguage.json").read_text(encoding="utf-8"))
PATTERNS = [pattern.get("match") or pattern["begin"] for pattern in GRAMMAR["patterns"]]


def test_the_manifest_names_files_that_are_there() -> None:
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    contributed = package["contributes"]
    (language,), (grammar,) = contributed["languages"], contributed["grammars"]
    assert grammar["scopeName"] == GRAMMAR["scopeName"]
    assert grammar["language"] == language["id"]
    names = [package["main"], language["configuration"], grammar["path"]]
    assert [name for name in names if not (FOLDER / name).is_file()] == []


@pytest.mark.parametrize("word", sorted(RESERVED | SIGNS.keys()))
def test_the_grammar_knows_every_word_and_sign(word: str) -> None:
    text = f"{word}(x)" if word in PREDICATES else f"{word} name" if word[0].isalpha() else word
    assert any((match := re.search(pattern, text)) and match.start() == 0 for pattern in PATTERNS), word


def test_the_extension_is_javascript() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("could not run: node")
    done = subprocess.run([node, "--check", str(FOLDER / "extension.js")], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(FOLDER / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
