"""Words and phrases in what a language model answers, and what of it is none: models talk around the list they are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from conspect.adapters.ontologies.wordlists import LONGEST

MOST_WORDS, LEAST_LIST = 6, 3


class Why(StrEnum):
    """Why a line of an answer is no word or phrase."""

    HEADING = "a heading"
    SENTENCE = "a sentence"
    EXPLANATION = "more than one phrase"
    MARKUP = "markup"
    LONG = "too long"
    HIDDEN = "it holds characters that are not seen"
    THOUGHT = "the model thinks aloud"
    OUTSIDE = "outside the list"
    SURPLUS = "more than were asked for"
    KEY = "it holds the key"


@dataclass(frozen=True)
class LeftOut:
    """A line of the answer that was not taken."""

    line: str
    why: Why


@dataclass(frozen=True)
class AnsweredWords:
    """The words of an answer, each once, and the lines that hold none."""

    words: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"\s*#{1,6}\s")
_ESCAPED = re.compile(r"\\([-.*_`()\[\]#+!~>])")
_MARK = re.compile(
    r"""\s*(?:>\s*|[-*+•·–—]\s+|[•●○▪▫■□◦‣∙→►➤✓✔✅☑]\s*|\(?\d{1,4}[.):\]]\s*|\d\ufe0f?\u20e3\s*
    |\(?(?:[A-Za-z]|[ivxIVX]{2,5})[.)]\s+|\[[ xX]?\]\s*)""",
    re.VERBOSE,
)
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_BOLD_HEAD = re.compile(r"(\*\*|__)(?=\S)([^*_]+?)\s*(?::\s*\1|\1\s*[:–—(-])\s*\S")
_EXPLAINING = re.compile(r"[:;,]|\s[-–—]\s")
_TAGS_AND_TABLES = re.compile(r"[<>|{}\\]|\]\(|://")
_NOTE = re.compile(r"(?<=\w)\s*\([^()]*\)\s*$")
_SIGNS_BEFORE, _SIGNS_BEHIND = re.compile(r"^[^\w<>|{}]+"), re.compile(r"[*_~`\s]+$")
_QUOTES = " \t'\"`“”‘’„«»,;"
# What chat begins with, and no visible attribute does.
_CHAT = frozenset(
    """i i'm i'll i've i'd we we'll you you'll your sure certainly okay ok here here's note please let let's hope thanks thank
    sorry absolutely remember yes no if as these this that they it it's would do does feel""".split()  # noqa: SIM905
)
# Inside a phrase they make a sentence of it.
_VERBS = frozenset(
    "is are was were am isn't aren't have would could should might does do you your i it they them".split()  # noqa: SIM905
)


def answered_words(answer: str, *, most: int, key: str | None = None) -> AnsweredWords:
    """The words of `answer`, one a line, at most `most`; emphasis, bullets, numbers, quotes and code fences are taken off.

    A bold phrase before an explanation is a word; lines that are headings, sentences, tables or explanations are not, nor is
    a line that holds `key`. Where most words have bullets or numbers, the others are outside the list. An answer of one line
    is taken apart at its commas.
    """
    left_out: list[LeftOut] = []
    if _THOUGHTS.search(answer):
        left_out.append(LeftOut("<think>", Why.THOUGHT))
        answer = _THOUGHTS.sub("\n", answer)
    lines = [_ESCAPED.sub(r"\1", line) for line in answer.splitlines() if line.strip() and not _FENCE.match(line)]
    if len(lines) == 1 and lines[0].count(",") > 1:
        lines = lines[0].strip(" \t[].").split(",")
    judged = [(line, Why.KEY if key is not None and key in line else _word(line)) for line in lines]
    marked = [_MARK.match(line) is not None for line, word in judged if word and not isinstance(word, Why)]
    is_list = sum(marked) >= max(LEAST_LIST, len(marked) / 2)
    words: dict[str, str] = {}
    for line, word in judged:
        if isinstance(word, Why):
            left_out.append(LeftOut("" if word is Why.KEY else line.strip(), word))
        elif word and is_list and not _MARK.match(line):
            left_out.append(LeftOut(line.strip(), Why.OUTSIDE))
        elif word and word.casefold() not in words:
            if len(words) < most:
                words[word.casefold()] = word
            else:
                left_out.append(LeftOut(line.strip(), Why.SURPLUS))
    return AnsweredWords(tuple(words.values()), tuple(left_out))


def _word(line: str) -> str | Why:
    """The word of a line, empty where it holds neither letter nor digit, or why it is none."""
    if len(line) > 4 * LONGEST:
        return Why.LONG
    if _HEADING.match(line):
        return Why.HEADING
    text = _without_marks(line)
    if not any(character.isalnum() for character in text):
        return ""
    reasons = (
        (not text.isprintable(), Why.HIDDEN),
        (text.endswith(":"), Why.HEADING),
        (_TAGS_AND_TABLES.search(text), Why.MARKUP),
        (_is_sentence(text), Why.SENTENCE),
        (_EXPLAINING.search(text), Why.EXPLANATION),
        (len(text) > LONGEST, Why.LONG),
    )
    return next((why for holds, why in reasons if holds), text.rstrip(".").strip(_QUOTES))


def _without_marks(line: str) -> str:
    """The line without bullets, numbers, links, emphasis and quotes; of a bold phrase and its explanation, the phrase."""
    while mark := _MARK.match(line):
        line = line[mark.end() :]
    head = _BOLD_HEAD.match(line.strip())
    text = _LINK.sub(r"\1", head[2] if head else line)
    while (plainer := _EMPHASIS.sub(r"\2", text)) != text:
        text = plainer
    text = _NOTE.sub("", text.strip(_QUOTES))
    return _SIGNS_BEHIND.sub("", _SIGNS_BEFORE.sub("", text)).strip(_QUOTES)


def _is_sentence(text: str) -> bool:
    spoken = text.replace("’", "'").casefold().split()
    first = spoken[0].strip(",.!?;:")
    if text.endswith(("!", "?", "…", "...")) or (text.endswith(".") and len(spoken) > 2):
        return True
    return first in _CHAT or len(spoken) > MOST_WORDS or not _VERBS.isdisjoint(spoken[1:])
