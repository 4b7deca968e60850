"""Which keys of [data], [model] and [vlm] a kind needs and takes: what does not fit is told before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, NamedTuple

Precision = Literal["fp32", "bf16", "fp16"]


class Keys(NamedTuple):
    """`needs`: all of these; `one_of`: exactly one; `any_of`: one or more; `takes`: may be given beside them."""

    needs: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def misfits(section: str, source: Any, kinds: Mapping[str, Keys]) -> list[tuple[str, str]]:
    """What is missing or not used by the kind of `source`, a dataclass: pairs of problem and fix."""
    keys = kinds[source.kind]
    given = {field.name for field in fields(source) if getattr(source, field.name) not in (None, field.default)} - {
        "kind"
    }
    problems = [
        (f"[{section}] {key} is missing", f'add {key} = ..., which kind = "{source.kind}" needs')
        for key in keys.needs
        if key not in given
    ]
    for choices, limit in ((keys.one_of, 1), (keys.any_of, len(keys.any_of))):
        number = len(given & set(choices))
        if choices and not 0 < number <= limit:
            fix = "give one of them" if limit == 1 else "give at least one of them"
            either = "either " if limit == 1 else ""
            problems.append((f"[{section}] needs {either}{' or '.join(choices)}", f'{fix}: kind = "{source.kind}"'))
    used = {*keys.needs, *keys.one_of, *keys.any_of, *keys.takes}
    for key in sorted(given - used):
        problems.append(
            (f'[{section}] {key} is not used by kind = "{source.kind}"', f"it takes: {', '.join(sorted(used))}")
        )
    return problems
