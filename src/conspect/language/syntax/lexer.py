"""From text to tokens, kept as parallel lists so that a megabyte of brackets stays cheap."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from conspect.language.syntax.grammar import MISTAKEN, NAME_LIMIT, NUMBER_LIMIT, PHRASE_LIMIT, SIGNS, TOKEN_LIMIT
from conspect.language.syntax.source import Problems, SourceText, TooManyProblems

_OTHER_SIGNS = ("::>", "(", ")", "{", "}", ",", ";", ":", "=", ">", "%", "/", "∀", "∈")
_ALL_SIGNS = sorted({*SIGNS, *MISTAKEN, *_OTHER_SIGNS}, key=len, reverse=True)
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<name>[^\W\d]\w*(?:-\w+)*)"
    r"|(?P<sign>" + "|".join(map(re.escape, _ALL_SIGNS)) + r")"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?![\w.]))"
    r"|(?P<digits>[0-9][\w.-]*)"
    r'|(?P<unclosed>"[^\n]*)'
    r"|(?P<stray>[^\s\w" + re.escape("".join({c for sign in _ALL_SIGNS for c in sign})) + r'"\#]+|.)'
)
_SHOWN_AS_LINE_END = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CURLY = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_ESCAPE = re.compile(r"\\(?:([\"\\nt])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


@dataclass(slots=True)
class Tokens:
    """Kind, text and extent of every token. Kinds: name, number, string, end; else the sign or its connective."""

    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)


def tokenize(source: SourceText, problems: Problems) -> Tokens:
    """All tokens of a source, closed by one of kind 'end'; mistakes go to `problems` and are skipped."""
    tokens = Tokens()
    kinds, texts, starts, ends = tokens.kinds, tokens.texts, tokens.starts, tokens.ends
    for match in _TOKEN.finditer(source.text):
        group = match.lastgroup
        if group == "space":
            continue
        text, start = match.group(), match.start()
        if group == "name" and len(text) <= NAME_LIMIT:
            kind = "name"
        elif group == "sign" and text not in MISTAKEN:
            kind = SIGNS.get(text, text)
        elif group == "string":
            kind, text = "string", _unescape(text[1:-1], start, problems)
        elif group == "number" and len(text) <= NUMBER_LIMIT:
            kind = "number"
        elif group == "comment":
            tokens.comments.append((start, text))
            _refuse_line_ends(text, start, problems)
            continue
        elif group == "stray":
            _report_stray(text, start, problems)
            continue
        else:
            kind, text = _mend(str(group), text, start, kinds[-1] if kinds else "", problems)
        if len(kinds) >= TOKEN_LIMIT:
            problem = f"the specification has more than {TOKEN_LIMIT} words and signs"
            problems.error("SPEC102", problem, "split the file: several files can be checked in one call", start)
            raise TooManyProblems
        kinds.append(kind)
        texts.append(text)
        starts.append(start)
        ends.append(match.end())
    # The end is behind the last word: what is missing is missing there, and not on the empty line below.
    last = ends[-1] if ends else 0
    kinds.append("end")
    texts.append("")
    starts.append(last)
    ends.append(last)
    return tokens


def _refuse_line_ends(comment: str, start: int, problems: Problems) -> None:
    """Reports what many editors show as the end of a line: behind it stands what looks like a property, and is a comment."""
    for match in _SHOWN_AS_LINE_END.finditer(comment):
        problem = f"U+{ord(match.group()):04X} in a comment looks like the end of its line, and is not"
        fix = "end the line there, or remove the character: what follows it is still the comment"
        problems.error("SPEC107", problem, fix, start + match.start())


def _mend(group: str, text: str, start: int, before: str, problems: Problems) -> tuple[str, str]:
    """Reports a wrong token; kind and text of what it most likely meant, so that parsing goes on."""
    if group == "sign":
        problems.error("SPEC113", f"'{text}' is not an operator of this language", MISTAKEN[text], start)
        return _stand_in(text, before), text
    if group == "name":
        _too_long(problems, "name", len(text), NAME_LIMIT, start)
        return "name", text[:NAME_LIMIT]
    if group == "number":
        _too_long(problems, "number", len(text), NUMBER_LIMIT, start)
        return "number", "0.5"  # which is in the range of every number of the language: one mistake is told once
    if group == "digits":
        fix = "write it in double quotes, or write the number as in 0.5"
        problems.error("SPEC106", f"'{text[:40]}' is neither a name nor a number", fix, start)
        return "name", text[:NAME_LIMIT]
    problems.error("SPEC104", "the string is not closed on its line", 'close it with " on the same line', start)
    return "string", text[1 : PHRASE_LIMIT + 1]


def _report_stray(text: str, start: int, problems: Problems) -> None:
    if text[0] == "\ufffd":  # stands for what could not be decoded, which is reported already
        return
    if text[0] in _CURLY:
        problems.error("SPEC103", "curly quotes are not part of the language", 'write straight quotes: "..."', start)
        return
    if text[0] in "'`\u00b4":
        problem = "single quotes are not part of the language"
        problems.error("SPEC103", problem, 'write double quotes: "..."; a name of letters needs none', start)
        return
    if text[0] in "-\u2212" and problems.source.text[start + 1 : start + 2].isdigit():
        fix = "write it without the sign: sizes, shares and leads are never negative"
        problems.error("SPEC124", "a negative number is out of range", fix, start)
        return
    shown = " ".join(f"U+{ord(c):04X}" if not c.isprintable() else repr(c) for c in text[:3])
    fix = "remove it; names with such characters are written in double quotes"
    problems.error("SPEC103", f"{shown} is not part of the language", fix, start)


def _stand_in(mistaken: str, before: str) -> str:
    """Kind of token that a foreign operator most likely meant: after a name, a comparison."""
    if before in ("name", "string"):
        return ">"
    return {"&&": "and", "||": "or", "==": "iff", "===": "iff", "∃": "∀"}.get(mistaken, "implies")


def _too_long(problems: Problems, what: str, length: int, limit: int, start: int) -> None:
    problems.error("SPEC105", f"the {what} has {length} characters, the limit is {limit}", "shorten it", start)


def _unescape(raw: str, start: int, problems: Problems) -> str:
    if len(raw) > 10 * PHRASE_LIMIT:  # an escaped character takes up to ten
        _too_long(problems, "string", len(raw), PHRASE_LIMIT, start)
        return raw[:NAME_LIMIT]
    if "\\" not in raw:
        return raw

    def replace(match: re.Match[str]) -> str:
        simple, short, long, _ = match.groups()
        if simple:
            return _SIMPLE_ESCAPES[simple]
        point = int(short or long or "110000", 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            fix = r"use \" \\ \n \t, \uXXXX or \UXXXXXXXX with a character that exists"
            problems.error("SPEC104", f"unknown escape '{match.group()}' in the string", fix, start + 1 + match.start())
            return ""
        return chr(point)

    return _ESCAPE.sub(replace, raw)
