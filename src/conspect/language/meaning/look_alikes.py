"""Names that a reader takes for one another: the same letters in another encoding, of another script, or not seen at all.

Two such names in one file and its vocabulary are an error, whichever was meant. The letters compared are those of Latin,
Greek and Cyrillic that common typefaces draw alike (after Unicode Technical Standard 39, "confusables"); accents count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from conspect.core.diagnostics import Diagnostic
from conspect.language.syntax.grammar import CONNECTIVE_WORDS
from conspect.language.syntax.source import SourceText

_SAME = str.maketrans(
    # Cyrillic capitals and small letters, Greek capitals and small letters, others
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u0423"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0475\u04cf"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03bf\u03bd\u03c1\u03b1\u03b9\u03ba\u03c5\u03c7\u0131\u0251\u0261\u2010\u2011\u2012\u2013\u2212",
    "ABEKMHOPCTXIJSYaeopcyxijshdqwvlABEZHIKMNOPTYXovpaikuxiag-----",
)
_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
# Drawn as nothing though not of category Cf: the grapheme joiner, fillers, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def unseen(name: str) -> str | None:
    """The first character of a name that is not seen, or None: joiners, marks of direction, controls, line separators."""
    hidden = (c for c in name if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") or _BLANK.match(c))
    return next(hidden, None)


def skeleton(name: str) -> str:
    """What a reader sees of a name: equal for names that look the same."""
    if name.isascii() and name.isprintable():
        return " ".join(name.split())
    shown = "".join(
        c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf" and not _BLANK.match(c)
    )
    shown = _FULL_WIDTH.sub(lambda match: unicodedata.normalize("NFKC", match.group()), shown)
    return " ".join(unicodedata.normalize("NFC", shown.translate(_SAME)).split())


class OddName(NamedTuple):
    """What is to be said of a name."""

    name: str
    code: str
    problem: str
    fix: str
    warn: bool


def odd_names(names: Iterable[str], known: Iterable[str], what: str) -> Iterator[OddName]:
    """Of `names`: those with a character that is not seen, and those that look like one before, or one of `known`."""
    first = {skeleton(name): name for name in known}
    for name in names:
        hidden = unseen(name)
        if hidden is not None:
            problem = f"the name '{_spelt(name)}' holds U+{ord(hidden):04X}, which is not seen"
            yield OddName(name, "SPEC509", problem, "write the name without it", warn=True)
        other = first.setdefault(skeleton(name), name)
        if other != name:
            problem = f"two {what} look the same: '{_spelt(other)}' and '{_spelt(name)}'"
            fix = f"write '{_spelt(other)}' in both places, or give one of them a name that looks different"
            yield OddName(name, "SPEC213", problem, fix, warn=False)


def read_as_formula(name: str) -> OddName | None:
    """What is said of a concept whose name has a connective among its words, which readers take for a formula."""
    words = name.lower().split()
    word = next((word for word in words if word in CONNECTIVE_WORDS), None)
    if word is None or len(words) < 2:
        return None
    problem = f"'{name[:40]}' is the name of one concept: '{word}' in quotes is no connective"
    fix = f"write {word} outside the quotes, before or between predicates; or declare the concept with its phrases"
    return OddName(name, "SPEC510", problem, fix, warn=True)


def turned_comments(comments: Iterable[tuple[int, str]], source: SourceText) -> tuple[Diagnostic, ...]:
    """A warning for each mark in a comment that turns the direction of its text."""
    return tuple(
        Diagnostic(
            "SPEC511",
            f"U+{ord(match.group()):04X} turns the direction of text: this comment may be shown in another order",
            "remove the character, so that the file is read as it is shown",
            source.place(start + match.start()),
        )
        for start, comment in comments
        for match in _DIRECTIONS.finditer(comment)
    )


def _spelt(name: str) -> str:
    """A name in ASCII, so that what differs is seen."""
    return ascii(name)[1:-1][:80]
