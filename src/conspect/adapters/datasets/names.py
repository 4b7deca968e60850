"""Names of classes and images: each its own, and written one way."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from conspect.core.diagnostics import user_error

# What the values of a label column are.
LabelKind: TypeAlias = Literal["names", "numbers"]


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC): the same letters typed on another system are the same name."""
    return unicodedata.normalize("NFC", name)


def existing(folder: Path, name: str) -> Path:
    """`folder / name`, or where it is not there the file whose path below `folder` is the same letters written another way.

    File systems and programs differ in how they write an e with an accent, as one letter (NFC) or as two (NFD).
    """
    path = folder / name
    try:
        if path.exists():
            return path
        place = folder
        for part in Path(name).parts:
            written = (place / unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
            place = next((spelling for spelling in written if spelling.exists()), place / part)
        return place if place.exists() else path
    except (OSError, ValueError):  # an over-long name, a null byte
        return path


def check_names(class_names: Sequence[str], ids: Sequence[str], split: str) -> None:
    """Raises UserError DATA007 when a class or an id stands for two; classes of the same letters written in two ways are one."""
    for names, what, fix in (
        (
            tuple(map(composed, class_names)),
            "class",
            "give every class a name of its own, such as 'crane (bird)' and 'crane (machine)'",
        ),
        (ids, "image", "give every image an id of its own, or a path that stands in one row"),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            more = f", and {len(twice) - 1:,} more do" if len(twice) > 1 else ""
            whose = f" of {split}" if split else ""
            problem = (
                f"the {'name' if what == 'class' else 'id'} {twice[0]!r} stands for more than one {what}{whose}{more}"
            )
            raise user_error("DATA007", problem, fix)
