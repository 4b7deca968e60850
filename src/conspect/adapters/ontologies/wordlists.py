"""Candidate concepts: the built-in vocabulary of visual words, and lists of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conspect.assets import read_bytes
from conspect.core.diagnostics import SourceLocation, user_error

LONGEST, MOST = 100, 100_000


def built_in_words() -> tuple[str, ...]:
    """Some 750 visual attributes, parts, materials, textures and settings, written for this project."""
    lines = [line for line in read_bytes("vocabulary.txt").decode().splitlines() if line and not line.startswith("#")]
    return distinct(word for line in lines for word in line.split(":", 1)[1].split(","))


def read_words(path: Path) -> tuple[str, ...]:
    """Words of a text file, one a line; empty lines and lines that start with # are left out.

    Raises UserError STUDY002 for a file that cannot be read, is not UTF-8, holds no word, too many, or one that is too long.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"the word list cannot be read: {error}"
        raise user_error(
            "STUDY002", problem, "give a UTF-8 text file, one word a line", SourceLocation(str(path))
        ) from error
    words = distinct(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    wrong = next((word for word in words if len(word) > LONGEST or not word.isprintable()), None)
    if not words or wrong is not None or len(words) > MOST:
        what = (
            "no word"
            if not words
            else f"more than {MOST:,} words"
            if wrong is None
            else f"a line such as {wrong[:40]!r}"
        )
        fix = f"one printable word or phrase of at most {LONGEST} characters a line"
        raise user_error("STUDY002", f"the word list has {what}", fix, SourceLocation(str(path)))
    return words


def distinct(words: Iterable[str]) -> tuple[str, ...]:
    """The words without surrounding spaces, empty ones and repetitions, in order."""
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
