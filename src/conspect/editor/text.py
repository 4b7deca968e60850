"""What can be said of a specification at a place in it. Lines and columns count from 0, columns in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from conspect.core.diagnostics import ConspectError, Diagnostic
from conspect.core.markdown import in_markdown
from conspect.editor.study import StudyNames
from conspect.language.meaning.checker import check_text
from conspect.language.syntax.grammar import NAME_LIMIT, RESERVED
from conspect.language.syntax.lexer import Tokens, tokenize
from conspect.language.syntax.parser import parse_with_diagnostics
from conspect.language.syntax.source import Problems, SourceText, TooManyProblems
from conspect.language.syntax.tree import (
    ClassDeclaration,
    ConceptDeclaration,
    Module,
    NameDeclaration,
    Property,
    Span,
    Specification,
)
from conspect.language.writing.explanation import Explanation, explain_property
from conspect.language.writing.formatting import format_text
from conspect.language.writing.printer import quote, write_name

Severity: TypeAlias = Literal["error", "warning"]
CompletionKind: TypeAlias = Literal["class", "concept", "keyword", "region", "split"]
REGIONS = {
    "focus": "focus(class, gamma = 0.4): the embeddings near those of a class",
    "near": "for all y near x (changes = ordinary, share = 90%): all that ordinary changes can make of an image",
    "images": "images(class): held-out images of a class, for statements about a share of them",
    "image": "image(id): one image",
}


@dataclass(frozen=True)
class Problem:
    """A mistake or a warning with where it is underlined."""

    line: int
    column: int
    length: int
    severity: Severity
    code: str
    message: str


@dataclass(frozen=True)
class Completion:
    """A word that may stand at the place, and what is known of it. `written`: as it stands in a specification."""

    word: str
    kind: CompletionKind
    about: str
    written: str


def problems(text: str, file: str, study: StudyNames | None) -> list[Problem]:
    """Every mistake and warning; names are checked where a study is beside the file."""
    checked = check_text(text, None if study is None else study.vocabulary(), file)
    return [
        *(_problem(d, "error", text) for d in checked.errors),
        *(_problem(d, "warning", text) for d in checked.warnings),
    ]


def _problem(diagnostic: Diagnostic, severity: Severity, text: str) -> Problem:
    place = diagnostic.place
    line = max(0, (place.line or 1) - 1) if place is not None else 0
    column = max(0, (place.column or 1) - 1) if place is not None else 0
    name = _name_at(text, line, column)
    length = name.length if name is not None and name.column == column else 1
    return Problem(line, column, length, severity, diagnostic.code, f"{diagnostic.problem}\nfix: {diagnostic.fix}")


def hover(text: str, line: int, column: int, study: StudyNames | None) -> str | None:
    """Markdown: what a name is and how well its concept is seen; elsewhere in a property, the property in English."""
    parsed = parse_with_diagnostics(text)
    name = _name_at(text, line, column)
    if name is not None:
        known = _about(name.text, parsed.tree, study)
        if known is not None:
            return f"**{in_markdown(name.text)}**: {in_markdown(known)}"
    phrases = {i.name: i.phrases for i in parsed.tree.items if isinstance(i, ConceptDeclaration) and i.phrases}
    place = parsed.source.offset(min(line + 1, len(parsed.source.line_starts)), column + 1)
    for part, module in _properties(parsed.tree):
        if part.span is None:
            continue
        start = parsed.source.offset(part.span.line, part.span.column)
        if start <= place <= start + part.span.length:
            return _in_english(explain_property(part, phrases, module))
    return None


def _about(name: str, tree: Specification, study: StudyNames | None) -> str | None:
    """What is known of the name of a concept or a class: by the study, or by the declaration in the file."""
    if study is not None and name in study.concepts:
        return study.concepts[name]
    if study is not None and name in study.classes:
        return f"class of the study in {study.folder.name}"
    absent = "" if study is None else f"; not in the study in {study.folder.name}"
    for item in tree.items:
        if isinstance(item, ConceptDeclaration) and item.name == name:
            phrases = f"; phrases: {', '.join(item.phrases)}" if item.phrases else ""
            return f"concept declared in this file{phrases}{absent}"
        if isinstance(item, ClassDeclaration) and item.name == name:
            return f"class declared in this file{absent}"
    return None


def _properties(tree: Specification) -> Iterator[tuple[Property, Module | None]]:
    for item in tree.items:
        if isinstance(item, Property):
            yield item, None
        elif isinstance(item, Module):
            yield from ((part, item) for part in item.properties)


def _in_english(explanation: Explanation) -> str:
    notes = "".join(f"\n* {in_markdown(note)}" for note in explanation.notes)
    scope = " ".join(part[:1].upper() + part[1:] for part in (explanation.quantifier, explanation.region))
    claim = f"**{in_markdown(explanation.name)}**: {in_markdown(explanation.claim)}"
    return f"{claim}\n\n{in_markdown(scope)}{notes}"


def completions(text: str, line: int, column: int, study: StudyNames | None) -> list[Completion]:
    """Names of the study and of the file, regions, and words of the language; the editor filters by what is typed.

    Within quotes only what stands there: names, without the quotes that are there already.
    """
    quoted = _within_quotes(text, line, column)
    names: dict[str, tuple[CompletionKind, str]] = {}
    if study is not None:
        names |= {name: ("concept", about) for name, about in study.concepts.items()}
        names |= {name: ("class", "class of the study") for name in study.classes if name not in names}
    for name, (_, kind) in declarations(parse_with_diagnostics(text).tree).items():
        names.setdefault(name, (kind, "declared in this file"))
    splits = () if study is None else tuple(dict.fromkeys(study.splits))
    offered = [
        Completion(name, kind, about, written)
        for name, (kind, about) in names.items()
        if (written := _written(name, quoted=quoted)) is not None
    ]
    offered += [
        Completion(name, "split", "split of the study", written if quoted else f'"{written}"')
        for name in splits
        if (written := _written(name, quoted=True)) is not None
    ]
    if quoted:
        return offered
    offered += [Completion(name, "region", about, name) for name, about in REGIONS.items()]
    words = sorted(RESERVED - REGIONS.keys())
    return offered + [Completion(word, "keyword", "word of the language", word) for word in words]


def _written(name: str, *, quoted: bool) -> str | None:
    """As the name stands in a specification, `quoted`: between quotes; None of one that cannot."""
    try:
        return quote(name, NAME_LIMIT)[1:-1] if quoted else write_name(name)
    except ConspectError:
        return None


def definition(text: str, line: int, column: int) -> Span | None:
    """Where the name under the place is declared in the file; None when it is not."""
    name = _name_at(text, line, column)
    declared = None if name is None else declarations(parse_with_diagnostics(text).tree).get(name.text)
    return None if declared is None else declared[0]


def declarations(tree: Specification) -> dict[str, tuple[Span | None, CompletionKind]]:
    """Names that the file declares, with the place of the first declaration: of a class or concept before a property's."""
    kinds: dict[type, CompletionKind] = {ConceptDeclaration: "concept", ClassDeclaration: "class"}
    first = [item for item in tree.items if isinstance(item, (ConceptDeclaration, ClassDeclaration))]
    named = [item for item in tree.items if isinstance(item, (NameDeclaration, Module))]
    declared: dict[str, tuple[Span | None, CompletionKind]] = {}
    for item in (*first, *named, *(part for part, _ in _properties(tree))):
        declared.setdefault(item.name, (item.span, kinds.get(type(item), "keyword")))
    return declared


def formatted(text: str) -> str | None:
    """The text in house layout; None while it does not parse."""
    try:
        return format_text(text).text
    except ConspectError:
        return None


@dataclass(frozen=True)
class _Name:
    """A name in a row, without its quotes; `column` and `length` of what stands there, with them."""

    text: str
    column: int
    length: int


def _name_at(text: str, line: int, column: int) -> _Name | None:
    """The name that the place is in or just behind; comments hold none."""
    tokens = _tokens(text, line)
    if tokens is None:
        return None
    at = [
        _Name(word, start, end - start)
        for kind, word, start, end in zip(tokens.kinds, tokens.texts, tokens.starts, tokens.ends, strict=True)
        if kind in ("name", "string") and start <= column <= end
    ]
    return at[-1] if at else None  # of two that touch, the one that begins at the place


def _within_quotes(text: str, line: int, column: int) -> bool:
    row = _row(text, line)[:column]
    quotes = re.findall(r'\\.|"|#', row)
    open_quote = False
    for sign in quotes:
        if sign == "#" and not open_quote:
            return False
        open_quote ^= sign == '"'
    return open_quote


def _tokens(text: str, line: int) -> Tokens | None:
    """Those of one row: no token spans two. None where a row holds nothing but mistakes."""
    source = SourceText(_row(text, line), "")
    try:
        return tokenize(source, Problems(source))
    except TooManyProblems:
        return None


def _row(text: str, line: int) -> str:
    rows = _rows(text)
    return rows[line] if line < len(rows) else ""


@lru_cache(maxsize=2)  # a file with a hundred mistakes is asked for as many rows
def _rows(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
