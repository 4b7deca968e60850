"""What a model's outputs are called: given by the user, or read from the model's own configuration."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import read_text
from conspect.core.json_value import parsed_once

FILE = "config.json"


def read_classes(path: Path) -> tuple[str, ...]:
    """The names in a file: one a line, a JSON list, or a JSON object with `id2label` such as a model's config.json, whatever the
    file is called.

    Raises UserError MODEL002.
    """
    try:
        text = read_text(path)
        if "\0" in text:
            raise ValueError("it holds null characters, as UTF-16 without a byte order mark does")
        content = parsed_once(text) if path.suffix == ".json" or text.lstrip().startswith("{") else _listed(text)
        if isinstance(content, str):
            names: object = [line.strip() for line in text.splitlines() if line.strip()]
        else:
            names = from_id2label(content["id2label"]) if isinstance(content, Mapping) else content
        if not isinstance(names, Sequence) or not names or not all(isinstance(n, str) and n.strip() for n in names):
            raise ValueError("a list of names is needed")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"there is no {error}" if isinstance(error, KeyError) else error
        fix = "one name a line, a JSON list, or a config.json with id2label"
        raise user_error("MODEL002", f"not a list of classes: {why}", fix, SourceLocation(str(path))) from error
    return unique(tuple(names))


def _listed(text: str) -> object:
    """A JSON list that a text is; else the text, whose first line may begin with a bracket, too."""
    try:
        return parsed_once(text) if text.lstrip().startswith("[") else text
    except (ValueError, RecursionError):
        return text


def from_id2label(table: object) -> tuple[str, ...]:
    """Names in the order of their numbers. Raises ValueError when the numbers are not 0, 1, 2, ..."""
    if not isinstance(table, Mapping):
        raise ValueError("id2label is not an object")
    numbered = {int(number): str(name) for number, name in table.items()}
    if len(numbered) < len(table):
        raise ValueError("a number stands twice in id2label")
    if sorted(numbered) != list(range(len(numbered))):
        raise ValueError("the numbers in id2label have gaps")
    return unique(tuple(numbered[number] for number in range(len(numbered))))


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, with the index behind those that occur more than once (ImageNet has two cranes), in NFC."""
    same = tuple(unicodedata.normalize("NFC", name) for name in names)
    names = same if len(set(same)) == len(set(names)) else names
    occurrences = Counter(names)
    return tuple(f"{name} ({index})" if occurrences[name] > 1 else name for index, name in enumerate(names))


def distinct(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The names, if all differ. Raises UserError MODEL002 that names the double: two outputs would be one class."""
    twice = sorted(name for name, occurrences in Counter(names).items() if occurrences > 1)
    if twice:
        places = [index for index, entry in enumerate(names) if entry == twice[0]]
        problem = f"{name} has {len(places)} classes called {twice[0]!r}, numbers {', '.join(map(str, places))}"
        raise user_error("MODEL002", problem, "give every class a name of its own, such as 'crane (bird)'")
    return names
