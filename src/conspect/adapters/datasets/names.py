"""Names of classes and images: each its own, and written one way."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from conspect.core.diagnostics import user_error


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC): the same letters typed on another system are the same name."""
    return unicodedata.normalize("NFC", name)


def composed_apart(names: Sequence[str]) -> tuple[str, ...]:
    """All names composed, unless that would make two of them one."""
    found = tuple(composed(name) for name in names)
    return found if len(set(found)) == len(set(names)) else tuple(names)


def check_names(class_names: Sequence[str], ids: Sequence[str], split: str) -> None:
    """Raises UserError DATA007 when a class or an id stands for two."""
    for names, (one, all_), fix in (
        (
            class_names,
            ("class", "classes"),
            "give every class a name of its own, such as 'crane (bird)' and 'crane (machine)'",
        ),
        (ids, ("image", "ids"), "give every image an id of its own"),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            problem = f"{len(twice)} {all_} of the {split} images stand for more than one {one}, such as {twice[0]!r}"
            raise user_error("DATA007", problem, fix)
