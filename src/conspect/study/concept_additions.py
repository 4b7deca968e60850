"""Words that become concepts of a study: which lines they are in which of its files, and the writing of these."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conspect import assets
from conspect.core.attribute_table import attribute_table_text, read_attribute_table, with_attribute
from conspect.core.concept_words import class_named_in, is_negation, negation_warning, plain_words, quoted, same_word
from conspect.core.concepts import ClassAttributes
from conspect.core.diagnostics import SourceLocation, UserError, user_error
from conspect.core.files import read_text, write_atomically, writing_to
from conspect.core.toml_entries import with_entry
from conspect.results.additions import ConceptAddition, FileAddition
from conspect.study.config import StudyConfig, read_config
from conspect.study.inputs import attributes_of, demo_or_own_concepts
from conspect.study.study import CONFIG_FILE, Study

CONCEPTS_FILE, TABLE_FILE = "concepts.toml", "class_attributes.csv"
LONGEST_WORD, MOST_WORDS, MOST_CLASSES_NAMED = 200, 100, 5
BY_HAND = "write it into the study's files by hand: docs/study.md has their format"
MARK = "\ufeff"
Shares = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Draft:
    """A text file of the study as it would be. `before`: as it is, None where it is not there."""

    path: Path
    name: str
    before: str | None
    after: str
    lines: tuple[str, ...]

    def shown(self) -> FileAddition:
        return FileAddition(file=self.name, new=self.before is None, lines=self.lines)


@dataclass(frozen=True)
class _Table:
    """Which share of a class shows what. `path`: its file, None where it comes from labels or is the demo's; `lacks`: words that
    have no column in it.
    """

    path: Path | None
    shares: ClassAttributes
    lacks: tuple[str, ...]


def add_concepts(study: Study, words: Sequence[str], shares: Shares, *, write: bool) -> ConceptAddition:
    """What makes `words` concepts of `study`; with `write` it is written.

    `shares`: word to class to the share of that class's images that show it, 0..1, for a study with a class-attribute table.
    Files are read anew, since somebody may have changed them. Raises UserError STUDY009 for a word that cannot be one, or is one
    already, a study without files, and files that have no place for it; the errors of the files' readers; STORE001.
    """
    path = study.folder / CONFIG_FILE
    if not path.is_file():
        raise _refused(
            "the study is made of objects and has no study.toml", "add it to the concepts that you give", path
        )
    config = read_config(path)
    plain = _checked(config, study.folder, words)
    table = _table(study, config, plain)
    classes = table.shares.class_names if table is not None and table.lacks else ()
    lacking = () if table is None else table.lacks
    missing = tuple(name for name in classes if any(name not in shares.get(word, {}) for word in lacking))
    _require_shares(plain, shares, classes)
    if write and missing:
        named = ", ".join(missing[:MOST_CLASSES_NAMED])
        more = f" and {len(missing) - MOST_CLASSES_NAMED} more" if len(missing) > MOST_CLASSES_NAMED else ""
        problem = f"the study's class-attribute table wants the share of images that show it, for {named}{more}"
        raise _refused(problem, "give a share from 0 to 1 for each class", path)
    drafts = _drafts(study.folder, config, plain, None if missing else shares, table)
    if write:
        with writing_to(study.folder):
            for draft in drafts:
                write_atomically(draft.path, draft.after.encode())
    return ConceptAddition(
        words=plain,
        unlisted=lacking,
        files=tuple(draft.shown() for draft in drafts),
        classes=classes,
        missing=missing,
        notes=tuple(_notes(config, study, plain, None if table is None else table.shares)),
        written=write,
        run=f"conspect run {shlex.quote(str(study.folder))}",
    )


def _checked(config: StudyConfig, folder: Path, words: Sequence[str]) -> tuple[str, ...]:
    """The words as they will be written. Raises UserError STUDY009."""
    plain = tuple(" ".join(unicodedata.normalize("NFC", word).split()) for word in words)
    if not 1 <= len(plain) <= MOST_WORDS:
        raise user_error("STUDY009", f"{len(plain)} words at once", f"give 1 to {MOST_WORDS}")
    known = demo_or_own_concepts(config, folder).concepts
    given = set[str]()
    taken = {plain_words(text): concept.name for concept in known for text in (concept.name, *concept.phrases)}
    for word in plain:
        if not word or len(word) > LONGEST_WORD or not word.isprintable():
            raise user_error("STUDY009", "that is no word", f"use 1 to {LONGEST_WORD} printable characters")
        if plain_words(word) in given:
            raise user_error("STUDY009", f"{word[:100]!r} is given twice", "give each word once")
        given.add(plain_words(word))
        if plain_words(word) in taken:
            problem = f"the study has a concept {taken[plain_words(word)][:100]!r} already"
            raise user_error("STUDY009", problem, "nothing needs to be added; ask for it by that name")
    return plain


def _table(study: Study, config: StudyConfig, words: Sequence[str]) -> _Table | None:
    """The class-attribute table that the study is checked by; None where it is checked by none."""
    named = config.concepts.class_attributes
    if named is not None:
        path = study.folder / named
        table = read_attribute_table(_text(path, study.folder), str(path))
        return _Table(path, table, tuple(word for word in words if word not in table.concept_names))
    inputs, names = study.inputs, demo_or_own_concepts(config, study.folder).names
    known = [
        attributes_of(None, inputs.train, inputs.model.class_names, concepts) for concepts in ((*names, *words), names)
    ]
    if known[0] is not None:
        return _Table(None, known[0], ())
    return None if known[1] is None else _Table(None, known[1], tuple(words))


def _require_shares(words: Sequence[str], shares: Shares, classes: Sequence[str]) -> None:
    for word, of_class in shares.items():
        if word not in words:
            raise user_error("STUDY009", f"shares of {word[:100]!r}, which is not added", "name a word that is")
        for name, share in of_class.items():
            if name not in classes:
                known = ", ".join(classes[:20]) or "none: the study has no class-attribute table"
                raise user_error("STUDY009", f"a share of a class {name[:100]!r}", f"classes: {known}")
            if not 0 <= share <= 1:
                raise user_error("STUDY009", f"{share:g} is not a share", "give a number from 0 to 1")


def _drafts(
    folder: Path,
    config: StudyConfig,
    words: Sequence[str],
    shares: Shares | None,
    table: _Table | None,
) -> list[_Draft]:
    """In the order in which they are written: study.toml names nothing that is not there, the table lacks no concept."""
    drafts, named = [], {}
    if table is not None and table.lacks and shares is not None:
        draft = _in_table(folder, config, shares, table)
        drafts.append(draft)
        if config.concepts.class_attributes is None:
            named["class_attributes"] = draft.name
    file = config.concepts.file
    if file is None:
        own, before = folder / CONCEPTS_FILE, assets.read_bytes("cifar10_concepts.toml").decode()
        draft = replace(_in_concepts(own, CONCEPTS_FILE, before, words), before=None)
        _require_new(draft)
        named["file"] = CONCEPTS_FILE
    else:
        draft = _in_concepts(folder / file, file, _text(folder / file, folder), words)
    drafts.append(draft)
    if named:
        path = folder / CONFIG_FILE
        drafts.append(_written(path, CONFIG_FILE, _text(path, folder), "concepts", named))
    return drafts


def _in_concepts(path: Path, name: str, before: str, words: Sequence[str]) -> _Draft:
    try:
        return _written(path, name, before, "concepts", {word: [word] for word in words})
    except UserError:
        # Where the last concepts are tables of their own, so is this one.
        return _written(path, name, before, "concepts", {word: {"phrases": [word]} for word in words})


def _written(
    path: Path, name: str, before: str, table: str, entries: Mapping[str, str | list[str] | dict[str, list[str]]]
) -> _Draft:
    """`before` with the entries in [`table`]. Raises UserError STUDY009 where they have no place."""
    mark, after, lines = MARK if before.startswith(MARK) else "", before.removeprefix(MARK), []
    for key, value in entries.items():
        try:
            after, own = with_entry(after, table, key, value)
        except ValueError as error:
            raise _refused(str(error), BY_HAND, path) from error
        lines += own.splitlines()
    return _Draft(path, name, before, mark + after, tuple(line for line in lines if line))


def _in_table(folder: Path, config: StudyConfig, shares: Shares, table: _Table) -> _Draft:
    path, known = table.path, table.shares
    before = attribute_table_text(known) if path is None else _text(path, folder)
    mark, after = MARK if before.startswith(MARK) else "", before.removeprefix(MARK)
    for word in table.lacks:
        try:
            after = with_attribute(after, word, shares[word])
        except (ValueError, UserError) as error:
            problem = f"no column can be added to the class-attribute table: {error}"
            raise _refused(problem, BY_HAND, path or folder) from error
    lines = tuple(
        f"{word}: {', '.join(f'{name} {shares[word][name]:g}' for name in known.class_names)}" for word in table.lacks
    )
    if path is None:
        draft = _Draft(folder / TABLE_FILE, TABLE_FILE, None, after, lines)
        _require_new(draft)
        return draft
    return _Draft(path, str(config.concepts.class_attributes), before, mark + after, lines)


def _require_new(draft: _Draft) -> None:
    """Raises UserError STUDY009 where another file of that name is there; what a killed call left is no other."""
    if draft.path.is_symlink() or (draft.path.exists() and _content(draft.path) != draft.after):
        problem = f"{draft.path} is there, and study.toml does not name it"
        raise _refused(problem, f"name it under [concepts] in {CONFIG_FILE}, or give it another name", draft.path)


def _content(path: Path) -> str | None:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError):
        return None


def _text(path: Path, folder: Path) -> str:
    """The text of one of the study's own files, with its byte order mark. Raises UserError STUDY009 for any other."""
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        problem = f"{path} is a link, or outside the study's folder, where other studies may use it"
        raise _refused(problem, "write it there by hand", path)
    try:
        if not path.is_file():
            raise OSError("it is no file")
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"{path} cannot be read as UTF-8: {error}", "save it as UTF-8", path) from error


def _notes(config: StudyConfig, study: Study, words: Sequence[str], shares: ClassAttributes | None) -> Iterator[str]:
    concepts = demo_or_own_concepts(config, study.folder).concepts
    if config.concepts.file is None:
        written = f"the demo's {len(concepts)} concepts are written to {CONCEPTS_FILE} first, unchanged"
        yield f"study.toml names no concepts file: {written}."
    if shares is None:
        yield "The study has no class-attribute table: nothing checks whether the lens sees what is added."
    class_names = study.inputs.model.class_names if shares is None else shares.class_names
    for word in words:
        if is_negation(word):
            yield negation_warning(word, word)
        if (named := class_named_in(word, class_names)) is not None:
            yield (
                f"Careful: {quoted(word)} holds the name of the class {quoted(named)}: that a picture taken for one is like one "
                "explains nothing. Name a part or a look of it instead."
            )
        near = (c.name for c in concepts if any(same_word(word, text) for text in (c.name, *c.phrases)))
        if (known := next(near, None)) is not None:
            yield f"Careful: {quoted(word)} and the study's concept {quoted(known)} are the same words in singular and plural."


def _refused(problem: str, fix: str, path: Path) -> UserError:
    return user_error("STUDY009", problem, fix, SourceLocation(str(path)))
