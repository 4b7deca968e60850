"""What a person decides while looking: tags of images, and what becomes of a suspect label; kept as tables in the study."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock

from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import write_atomically, writing_to
from conspect.results.exploration import Decision, LabelDecision

TAGS_FILE, DECISIONS_FILE = "tags.csv", "label_decisions.csv"
LONGEST_TAG = 60
LARGEST_TABLE = 64 * 2**20


class Notes:
    """Tags and label decisions of one study. Every change is on disk when the call returns; tabs share one object."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError EXPLORE004 for a table that somebody edited into something else."""
        self._folder = folder
        self._lock = Lock()
        self._tags = _read_tags(folder / TAGS_FILE)
        self._decisions = read_decisions(folder / DECISIONS_FILE)

    @property
    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """Image id to its tags."""
        return self._tags

    @property
    def decisions(self) -> Mapping[str, LabelDecision]:
        """Image id to what was decided of its label."""
        return self._decisions

    def tag(self, names: Iterable[str], tag: str, *, remove: bool = False) -> None:
        """Adds `tag` to images, or takes it away. Raises UserError EXPLORE002 for a tag that cannot be one."""
        wanted = " ".join(tag.split())
        if not wanted or len(wanted) > LONGEST_TAG or not wanted.isprintable():
            raise user_error("EXPLORE002", "that is no tag", f"use 1 to {LONGEST_TAG} printable characters")
        with self._lock:
            tags = dict(self._tags)
            for name in names:
                kept = tuple(other for other in tags.get(name, ()) if other != wanted)
                tags[name] = kept if remove else (*kept, wanted)
            self._tags = {name: entries for name, entries in tags.items() if entries}
            rows = [(name, entry) for name, entries in self._tags.items() for entry in entries]
            self._write(TAGS_FILE, ("id", "tag"), rows)

    def decide(self, decision: LabelDecision) -> None:
        """Keeps what was decided of one image's label; a later decision replaces an earlier one."""
        with self._lock:
            self._decisions = {**self._decisions, decision.id: decision}
            self._write_decisions()

    def undecide(self, name: str) -> None:
        """Forgets what was decided of an image."""
        with self._lock:
            self._decisions = {key: value for key, value in self._decisions.items() if key != name}
            self._write_decisions()

    def _write_decisions(self) -> None:
        rows = [(d.id, d.decision.value, d.label or "") for d in self._decisions.values()]
        self._write(DECISIONS_FILE, ("id", "decision", "label"), rows)

    def _write(self, file: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        with writing_to(self._folder, file):
            write_atomically(self._folder / file, table.getvalue().encode())


def read_decisions(path: Path) -> dict[str, LabelDecision]:
    """Image id to decision, from a table with the columns id, decision, label; empty where there is no file.

    Raises UserError EXPLORE004 naming the line that is none.
    """
    decisions: dict[str, LabelDecision] = {}
    for line, row in _rows(path, ("id", "decision", "label")):
        try:
            decision = Decision(row["decision"])
        except ValueError as error:
            problem = f"{row['decision'][:40]!r} is no decision"
            fix = f"use {', '.join(kind.value for kind in Decision)}"
            raise user_error("EXPLORE004", problem, fix, SourceLocation(str(path), line)) from error
        if decision is Decision.RELABEL and not row["label"]:
            raise user_error("EXPLORE004", "relabel says no label", "give the label", SourceLocation(str(path), line))
        decisions[row["id"]] = LabelDecision(row["id"], decision, row["label"] or None)
    return decisions


def _read_tags(path: Path) -> dict[str, tuple[str, ...]]:
    tags: dict[str, tuple[str, ...]] = {}
    for _, row in _rows(path, ("id", "tag")):
        tags[row["id"]] = (*tags.get(row["id"], ()), row["tag"])
    return tags


def _rows(path: Path, columns: tuple[str, ...]) -> Iterable[tuple[int, dict[str, str]]]:
    if not path.exists():
        return
    fix = f"a table with the columns {', '.join(columns)}; delete it to begin anew"
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_TABLE:
            raise user_error("EXPLORE004", "not a plain file of up to 64 MiB", fix, SourceLocation(str(path)))
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True)
        if tuple(reader.fieldnames or ()) != columns:
            raise user_error("EXPLORE004", f"the columns are {reader.fieldnames}", fix, SourceLocation(str(path), 1))
        for row in reader:
            if None in row or None in row.values():
                raise user_error(
                    "EXPLORE004", "a row of another length", fix, SourceLocation(str(path), reader.line_num)
                )
            yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise user_error("EXPLORE004", f"cannot be read: {error}", fix, SourceLocation(str(path))) from error
