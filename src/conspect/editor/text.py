"""What can be said of a specification at a place in it. Lines and columns count from 0, columns in characters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from conspect.core.diagnostics import ConspectError, Diagnostic
from conspect.core.markdown import in_markdown
from conspect.editor.study import StudyNames
from conspect.language.meaning.checker import check_text
from conspect.language.syntax.grammar import RESERVED
from conspect.language.syntax.parser import parse_with_diagnostics
from conspect.language.syntax.tree import (
    ClassDeclaration,
    ConceptDeclaration,
    Module,
    NameDeclaration,
    Property,
    Span,
    Specification,
)
from conspect.language.writing.explanation import explain
from conspect.language.writing.formatting import format_text

Severity: TypeAlias = Literal["error", "warning"]
CompletionKind: TypeAlias = Literal["class", "concept", "keyword", "region", "split"]
# A name as the language writes it without quotes.
NAME = re.compile(r"[^\W\d][\w-]*")
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
    """A word that may stand at the place, and what is known of it."""

    word: str
    kind: CompletionKind
    about: str


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
    word = _word_at(text, line, column)
    length = len(word[0]) if word is not None and word[1] == column else 1
    return Problem(line, column, length, severity, diagnostic.code, f"{diagnostic.problem}\nfix: {diagnostic.fix}")


def hover(text: str, line: int, column: int, study: StudyNames | None) -> str | None:
    """Markdown: what a name is and how well its concept is seen; elsewhere in a property, the property in English."""
    word = _word_at(text, line, column)
    if word is not None and study is not None:
        if word[0] in study.concepts:
            return f"**{in_markdown(word[0])}**: {in_markdown(study.concepts[word[0]])}"
        if word[0] in study.classes:
            return f"**{in_markdown(word[0])}**: class of the study in {in_markdown(study.folder.name)}"
    tree = parse_with_diagnostics(text).tree
    for explanation in reversed(explain(tree)):
        if explanation.line is not None and explanation.line - 1 <= line:
            notes = "".join(f"\n* {in_markdown(note)}" for note in explanation.notes)
            scope = " ".join(part[:1].upper() + part[1:] for part in (explanation.quantifier, explanation.region))
            claim = f"**{in_markdown(explanation.name)}**: {in_markdown(explanation.claim)}"
            return f"{claim}\n\n{in_markdown(scope)}{notes}"
    return None


def completions(text: str, study: StudyNames | None) -> list[Completion]:
    """Names of the study and of the file, regions, and words of the language; the editor filters by what is typed."""
    offered = [Completion(name, "concept", about) for name, about in study.concepts.items()] if study else []
    if study is not None:
        offered += [Completion(name, "class", "class of the study") for name in study.classes]
        offered += [Completion(name, "split", "split of the study") for name in dict.fromkeys(study.splits)]
    known = {entry.word for entry in offered}
    for name, (_, kind) in declarations(parse_with_diagnostics(text).tree).items():
        if name not in known:
            offered.append(Completion(name, kind, "declared in this file"))
    offered += [Completion(name, "region", about) for name, about in REGIONS.items()]
    return offered + [Completion(word, "keyword", "word of the language") for word in sorted(RESERVED - REGIONS.keys())]


def definition(text: str, line: int, column: int) -> Span | None:
    """Where the name under the place is declared in the file; None when it is not."""
    word = _word_at(text, line, column)
    declared = None if word is None else declarations(parse_with_diagnostics(text).tree).get(word[0])
    return None if declared is None else declared[0]


def declarations(tree: Specification) -> dict[str, tuple[Span | None, CompletionKind]]:
    """Names that the file declares, with the place of the declaration."""
    declared: dict[str, tuple[Span | None, CompletionKind]] = {}
    for item in tree.items:
        match item:
            case ClassDeclaration():
                declared[item.name] = item.span, "class"
            case ConceptDeclaration():
                declared[item.name] = item.span, "concept"
            case NameDeclaration() | Property() | Module():
                declared[item.name] = item.span, "keyword"
            case _:
                pass
    return declared


def formatted(text: str) -> str | None:
    """The text in house layout; None while it does not parse."""
    try:
        return format_text(text).text
    except ConspectError:
        return None


def _word_at(text: str, line: int, column: int) -> tuple[str, int] | None:
    """The name that the place is in or just behind, and the column where it begins; also one in double quotes."""
    rows = text.split("\n")
    if line >= len(rows):
        return None
    quoted = re.finditer(r'"([^"]*)"', rows[line])
    for match in (*quoted, *NAME.finditer(rows[line])):
        if match.start() <= column <= match.end():
            return match.group(match.lastindex or 0), match.start()
    return None
