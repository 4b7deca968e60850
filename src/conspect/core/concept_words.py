"""How concepts are written in sentences, and which of them no text encoder can be expected to understand."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names that are words joined by hyphens; any other name stays as it is.
_HYPHENATED = re.compile(r"[a-z]+(-[a-z]+)+")
# A name's own quotation marks would end the quotation.
_INNER_QUOTES = str.maketrans("“”", "‘’")
# English alone, as the words of the pocket VLM are. Not "less" at a word's end: a wireless thing is a thing of its own.
_NEGATION = re.compile(
    r"\b(no|not|non|never|none|neither|nor|without|lacks?|lacking|absent|absence of|free of|free from|devoid of)\b"
    r"|\b\w+n['’]t\b|\w-free\b",
    re.IGNORECASE,
)


def quoted(name: str) -> str:
    """A concept's name as every sentence has it: in quotation marks, since it may be an adjective; floppy-ears as two words."""
    words = name.replace("-", " ") if _HYPHENATED.fullmatch(name) else name
    return f"“{words.translate(_INNER_QUOTES)}”"


def is_negation(phrase: str) -> bool:
    """Whether a phrase says what is not there: "no fur", "without wheels", "non-metallic". Text encoders give it nearly the place
    of what it denies (Alhamoud et al., CVPR 2025).
    """
    return _NEGATION.search(phrase.replace("_", " ")) is not None


def negations(phrases: Iterable[str]) -> tuple[str, ...]:
    """Those of the phrases that are negations, in order."""
    return tuple(phrase for phrase in phrases if is_negation(phrase))


def negation_warning(name: str, phrase: str) -> str:
    """What is said of a concept whose `phrase` is a negation, with the remedy."""
    return (
        f"Careful: the concept {quoted(name)} denies something ({quoted(phrase)}), which text encoders hardly understand: they "
        "give it nearly the place of what it denies. Name what can be seen instead."
    )
