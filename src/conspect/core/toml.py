"""TOML from outside: the standard parser, without keys whose depth it takes quadratic time to follow."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import TypeAlias

TomlValue: TypeAlias = (
    "bool | int | float | str | datetime | date | time | Sequence[TomlValue] | Mapping[str, TomlValue]"
)
DEEPEST_KEY = 32
# What stands before the value of a line, or in a header; quoted parts may have dots of their own.
_KEY = re.compile(r"^[ \t]*\[{0,2}((?:[^\n\"'#=]|\"[^\"\n]*\"|'[^'\n]*')*)", re.MULTILINE)
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def toml_table(text: str) -> dict[str, TomlValue]:
    """The table that a TOML text says. Raises ValueError for what is none, or has a key of more than 32 parts."""
    for line in _KEY.finditer(text):
        key = line.group(1)
        if key.count(".") >= DEEPEST_KEY and _QUOTED.sub("", key).count(".") >= DEEPEST_KEY:
            number = text.count("\n", 0, line.start()) + 1
            raise ValueError(f"a key of more than {DEEPEST_KEY} parts (at line {number})")
    return tomllib.loads(text)
