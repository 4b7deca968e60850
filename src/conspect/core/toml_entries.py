"""One more entry in a TOML text that somebody wrote by hand: remarks, order and everything else stay as they are.

Nothing is understood of the text but where tables begin; what an entry at some place makes of it, the parser says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from conspect.core.toml import toml_table

# Places before this many tables are tried; a text that has its entries behind more of them has a place at its end.
MOST_PLACES = 20
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_SAYS_NOTHING = re.compile(r"[ \t]*(#[^\n]*)?\r?\n?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
Entry: TypeAlias = "str | Sequence[str] | Mapping[str, str | Sequence[str]]"


def toml_string(text: str) -> str:
    """`text` between quotation marks as TOML reads it; what does not print is escaped."""
    # JSON's escapes are TOML's where every character is written as it is: its pairs of surrogates are not.
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in json.dumps(text, ensure_ascii=False)
    )


def toml_line(key: str, value: Entry) -> str:
    """`key = value`; the key is bare where it can be."""
    return f"{_key(key)} = {_written(value)}"


def with_entry(text: str, table: str, key: str, value: Entry) -> tuple[str, str]:
    """`text` with `key = value` as the last entry of [`table`], and the lines that were put in, as they stand there.

    [`table`] is made at the end where there is none. A value that is a table itself becomes one of its own where the last entries
    are such. Raises ValueError for a text that is no TOML, a key that is there already, and where there is no place, as where the
    table is written within braces.
    """
    before = toml_table(text)
    known = before.get(table, {})
    if not isinstance(known, Mapping) or key in known:
        raise ValueError(f"[{table}] has no place for {key}")
    wanted = {**before, table: {**known, key: value}}
    newline = "\r\n" if "\r\n" in text else "\n"
    for place, lines in _candidates(text, table, key, value):
        own = "".join(line + newline for line in lines)
        ended = place == 0 or text[:place].endswith("\n")
        changed = text[:place] + ("" if ended else newline) + own + text[place:]
        try:
            if _same(toml_table(changed), wanted):
                return changed, own
        except ValueError:
            continue
    raise ValueError(f"no line can be added to [{table}] as it is written")


def _candidates(text: str, table: str, key: str, value: Entry) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Places where an entry might belong to the table and be its last, and the lines to put there, the likeliest first."""
    end, line = _behind_what_says_something(text, len(text)), toml_line(key, value)
    names = "|".join(map(re.escape, (_key(table), toml_string(table), f"'{table}'")))
    header = re.search(rf"^[ \t]*\[[ \t]*(?:{names})[ \t]*\]", text, re.MULTILINE)
    if header is not None:
        for count, following in enumerate(_TABLE.finditer(text, header.end())):
            if count == MOST_PLACES:
                break
            yield _behind_what_says_something(text, following.start()), (line,)
        yield end, (line,)
    if isinstance(value, Mapping):
        inner = tuple(toml_line(name, entry) for name, entry in value.items())
        yield end, ("", f"[{_key(table)}.{_key(key)}]", *inner)
    yield end, ("", f"[{_key(table)}]", line)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_string(name)


def _written(value: Entry) -> str:
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(toml_line(name, entry) for name, entry in value.items()) + " }"
    return "[" + ", ".join(toml_string(entry) for entry in value) + "]"


def _behind_what_says_something(text: str, end: int) -> int:
    """The place behind the last line before `end` that is more than a remark."""
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        if not _SAYS_NOTHING.fullmatch(text, start, end):
            break
        end = start
    return end


def _same(first: object, second: object) -> bool:
    """Whether two values are equal, the order of keys included."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return list(first) == list(second) and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(_same(a, b) for a, b in zip(first, second, strict=True))
    return type(first) is type(second) and first == second
