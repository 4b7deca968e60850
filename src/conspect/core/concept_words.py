"""How concepts are written in sentences, and which of them no text encoder can be expected to understand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Names that are words joined by hyphens; any other name stays as it is.
_HYPHENATED = re.compile(r"[a-z]+(-[a-z]+)+")
# A name's own quotation marks would end the quotation.
_INNER_QUOTES = str.maketrans("“”", "‘’")
# English alone, as the words of the pocket VLM are. A hairless thing denies hair, a wireless one is a thing of its own.
_NEGATION = re.compile(
    r"\b(no|not|non|never|none|cannot|neither|nor|without|sans|minus|lacks?|lacking|missing|absent|absence of|free of"
    r"|free from|devoid of|bare of|except|other than|instead of|rather than)\b|\bw/o\b|\b\w+n['’]t\b|\w-free\b"
    r"|\b(?!(?:un|b|wire|cord|stain|seam|reck|ruth|count|end|time|price|use|regard|never\w*|none\w*)less\b)\w+less\b",
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


def plain_words(text: str) -> str:
    """Without case, article, hyphens and underscores, so that "a fire-engine" is "fire engine"."""
    return re.sub(r"^(a|an|the)\s+", "", " ".join(re.sub(r"[-_]", " ", text.casefold()).split()))


def same_word(first: str, second: str) -> bool:
    """Whether two texts are the same words, but for case, article, hyphens and a plural: "a wheel" and "Wheels"."""
    return _singular(plain_words(first)) == _singular(plain_words(second))


def _singular(text: str) -> str:
    """Without the ending of an English plural at its end."""
    for ending, rest in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss")):
        if text.endswith(ending) and len(text) > len(ending) + 1:
            return text.removesuffix(ending) + rest
    return text[:-1] if text.endswith("s") and not text.endswith(("ss", "us", "is")) and len(text) > 3 else text


def class_named_in(phrase: str, class_names: Sequence[str]) -> str | None:
    """The class whose name a phrase holds as words of their own, if only in the plural: "looks like a dog", "dogs' ears"."""
    words = re.findall(r"\w+", plain_words(phrase))
    for name in class_names:
        wanted = re.findall(r"\w+", plain_words(name))
        for start in range(len(words) - len(wanted) + 1 if wanted else 0):
            last = start + len(wanted) - 1
            if words[start:last] == wanted[:-1] and same_word(words[last], wanted[-1]):
                return name
    return None
