"""A word made a concept of a study: its files gain lines and lose nothing, and the study can be run with it."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from conspect.cli.concepts import concepts
from conspect.core.attribute_table import read_attribute_table
from conspect.core.concepts import ClassAttributes
from conspect.core.diagnostics import ConspectError, UserError
from conspect.results.additions import ConceptAddition
from conspect.study import Study, concept_additions
from conspect.study.concept_additions import add_concepts
from conspect.study.inputs import demo_or_own_concepts
from conspect.study.study import CONFIG_FILE

SHARES = {"striped": {"red": 0.9, "green": 0.0, "blue": 0.25, "yellow": 0.0}}
NAMED = '[data]\ntrain = "a" # here\ntest = "b"\n[model]\nname = "planted"\n'
FILES = ("study.toml", "concepts.toml", "attributes.csv")


@pytest.fixture
def study(finished: Study, tmp_path: Path) -> Study:
    """A study of its own files, not run; remarks stand in all of them."""
    for name in FILES:
        shutil.copy(finished.folder / name, tmp_path / name)
        with (tmp_path / name).open("a") as file:
            file.write("# mine\n")
    (tmp_path / "images").symlink_to(finished.folder / "images")
    return Study.open(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_the_files_gain_lines_lose_nothing_and_the_study_runs_with_the_word(study: Study) -> None:
    before = contents(study.folder)
    draft = add_concepts(study, ["striped"], SHARES, write=False)
    assert contents(study.folder) == before
    assert [(entry.file, entry.new, entry.lines) for entry in draft.files] == [
        ("attributes.csv", False, ("striped: red 0.9, green 0, blue 0.25, yellow 0",)),
        ("concepts.toml", False, ('striped = ["striped"]',)),
    ]
    written = add_concepts(study, ["striped"], SHARES, write=True)
    assert (draft.written, written.written, written.missing) == (False, True, ())
    assert written.run == f"conspect run {study.folder}"
    after = contents(study.folder)
    assert after["study.toml"] == before["study.toml"]
    assert after["concepts.toml"].replace(b'striped = ["striped"]\n', b"") == before["concepts.toml"]
    assert after["attributes.csv"].endswith(b"# mine\n")
    results = Study.open(study.folder).run()
    assert [concept.name for concept in results.concepts] == ["reddish", "greenish", "bluish", "grey", "striped"]


def test_without_shares_it_is_said_which_are_missing_and_nothing_is_written(study: Study) -> None:
    before = contents(study.folder)
    draft = add_concepts(study, ["striped"], {"striped": {"red": 1.0}}, write=False)
    assert (draft.unlisted, draft.missing) == (("striped",), ("green", "blue", "yellow"))
    assert draft.classes == ("red", "green", "blue", "yellow")
    assert [entry.file for entry in draft.files] == ["concepts.toml"]
    with pytest.raises(UserError, match="for green, blue, yellow"):
        add_concepts(study, ["striped"], {"striped": {"red": 1.0}}, write=True)
    assert contents(study.folder) == before


@pytest.mark.parametrize(
    ("words", "shares", "problem"),
    [
        (["REDDISH"], {}, "a concept 'reddish' already"),
        (["a_reddish"], {}, "a concept 'reddish' already"),
        (["  "], {}, "no word"),
        (["a\u202eb"], {}, "no word"),
        (["x" * 201], {}, "no word"),
        ([], {}, "0 words"),
        (["striped", "Striped"], {}, "'Striped' is given twice"),
        (["striped"], {"striped": {"purple": 1.0}}, "a class 'purple'"),
        (["striped"], {"striped": {"red": 1.5}}, "1.5 is not a share"),
        (["striped"], {"striped": {"red": float("nan")}}, "nan is not a share"),
        (["striped"], {"dotted": {"red": 1.0}}, "which is not added"),
    ],
)
def test_what_cannot_be_a_concept_is_refused_by_name(
    study: Study, words: list[str], shares: dict, problem: str
) -> None:
    before = contents(study.folder)
    with pytest.raises(UserError, match=problem) as error:
        add_concepts(study, words, shares, write=True)
    assert error.value.diagnostics[0].code == "STUDY009"
    assert contents(study.folder) == before


def test_a_word_is_there_as_soon_as_it_is_written(study: Study) -> None:
    add_concepts(study, [" striped ", "a \"b\" = ['c']"], {**SHARES, "a \"b\" = ['c']": SHARES["striped"]}, write=True)
    with pytest.raises(UserError, match="'striped' already"):
        add_concepts(study, ["striped"], SHARES, write=True)
    own = tomllib.loads((study.folder / "concepts.toml").read_text())["concepts"]
    assert list(own)[-2:] == ["striped", "a \"b\" = ['c']"]


@pytest.mark.parametrize("name", ["concepts.toml", "attributes.csv"])
def test_a_link_a_file_outside_and_bytes_that_are_no_text_are_left_alone(
    study: Study, tmp_path: Path, name: str
) -> None:
    own, elsewhere = study.folder / name, tmp_path.parent / f"{tmp_path.name}-{name}"
    own.rename(elsewhere)
    own.symlink_to(elsewhere)
    kept = elsewhere.read_bytes()
    with pytest.raises(ConspectError, match="is a link, or outside"):
        add_concepts(study, ["striped"], SHARES, write=True)
    config = study.folder / CONFIG_FILE
    config.write_text(config.read_text().replace(f'"{name}"', f'"../{elsewhere.name}"'))
    with pytest.raises(ConspectError, match="is a link, or outside"):
        add_concepts(Study.open(study.folder), ["striped"], SHARES, write=True)
    assert elsewhere.read_bytes() == kept
    assert own.is_symlink()


def test_a_study_that_names_no_file_gets_the_demos_concepts_and_the_table_as_files(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = study.folder / CONFIG_FILE
    config.write_text(f'# mine\n[concepts]\n# file = "x"\n\n{NAMED}')
    for name in ("concepts.toml", "attributes.csv"):
        (study.folder / name).unlink()
    opened = Study.open(study.folder)
    known = demo_or_own_concepts(opened.config, study.folder)
    table = ClassAttributes(("red", "green", "blue", "yellow"), known.names, np.zeros((4, len(known.names))))
    monkeypatch.setattr(concept_additions, "attributes_of", lambda *asked: table if asked[-1] == known.names else None)
    monkeypatch.setattr(Study, "inputs", SimpleNamespace(train=None, model=SimpleNamespace(class_names=())))
    draft = add_concepts(opened, ["striped"], SHARES, write=True)
    assert [(entry.file, entry.new) for entry in draft.files] == [
        ("class_attributes.csv", True), ("concepts.toml", True), ("study.toml", False),
    ]  # fmt: skip
    assert "18 concepts are written" in draft.notes[0]
    again = Study.open(study.folder).config
    assert (again.concepts.file, again.concepts.class_attributes) == ("concepts.toml", "class_attributes.csv")
    assert demo_or_own_concepts(again, study.folder).names == (*known.names, "striped")
    own = read_attribute_table((study.folder / "class_attributes.csv").read_bytes())
    assert own.shares[:, -1].tolist() == [0.9, 0.0, 0.25, 0.0]
    assert config.read_text().startswith("# mine\n[concepts]\n")
    assert config.read_text().endswith(NAMED)


def test_a_table_that_has_the_word_already_is_asked_for_nothing(study: Study) -> None:
    table = study.folder / "attributes.csv"
    lines = table.read_text().splitlines()
    wider = [
        line + (",striped" if k == 0 else ",0.5" if not line.startswith("#") else "") for k, line in enumerate(lines)
    ]
    table.write_text("\n".join(wider))
    written = add_concepts(study, ["striped"], {}, write=True)
    assert ([entry.file for entry in written.files], written.classes) == (["concepts.toml"], ())
    assert table.read_text() == "\n".join(wider)
    assert not any("nothing checks" in note for note in written.notes)
    both = add_concepts(study, ["dotted"], {"dotted": SHARES["striped"]}, write=False)
    assert both.files[0].lines == ("dotted: red 0.9, green 0, blue 0.25, yellow 0",)


def test_a_file_that_nobody_names_is_not_written_over(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    config = study.folder / CONFIG_FILE
    config.write_text(f"{NAMED}[concepts]")
    monkeypatch.setattr(Study, "inputs", SimpleNamespace(train=None, model=SimpleNamespace(class_names=())))
    monkeypatch.setattr(concept_additions, "attributes_of", lambda *_: None)
    opened = Study.open(study.folder)
    with pytest.raises(ConspectError, match=r"concepts.toml is there, and study.toml does not name it"):
        add_concepts(opened, ["striped"], {}, write=True)
    (study.folder / "concepts.toml").unlink()
    draft = add_concepts(opened, ["no fur"], {}, write=True)
    assert draft.classes == ()
    assert "nothing checks whether the lens sees" in draft.notes[1]
    assert "denies something" in draft.notes[2]


def test_a_study_of_objects_has_no_file_to_write_to(study: Study, tmp_path: Path) -> None:
    (study.folder / CONFIG_FILE).unlink()
    with pytest.raises(ConspectError, match="made of objects"):
        add_concepts(study, ["striped"], {}, write=False)


def test_concepts_within_braces_are_refused_and_tables_of_their_own_are_followed(study: Study) -> None:
    file = study.folder / "concepts.toml"
    file.write_text('concepts = { reddish = ["red"], greenish = ["g"], bluish = ["b"], grey = ["grey"] }\n')
    with pytest.raises(UserError, match="no line can be added"):
        add_concepts(study, ["striped"], SHARES, write=True)
    names = ("reddish", "greenish", "bluish", "grey")
    file.write_text("[concepts]\n" + "".join(f'[concepts.{name}]\nphrases = ["{name}"]\n' for name in names))
    add_concepts(study, ["striped"], SHARES, write=True)
    assert demo_or_own_concepts(study.config, study.folder).names == (*names, "striped")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(study: Study) -> None:
    study.folder.chmod(0o500)
    try:
        with pytest.raises(ConspectError, match="STORE001"):
            add_concepts(study, ["striped"], SHARES, write=True)
    finally:
        study.folder.chmod(0o700)


def call(study: Study, *arguments: str, answer: str = "") -> tuple[int, str, str, BaseException | None]:
    done = CliRunner().invoke(concepts, ["add", str(study.folder), *arguments], input=answer)
    return done.exit_code, done.stdout, done.stderr, done.exception


def test_the_command_shows_the_lines_asks_and_writes(study: Study) -> None:
    before = contents(study.folder)
    shares = ("--share", "red=0.9", "--others", "0")
    code, _, shown, error = call(study, "striped", *shares, answer="n\n")
    assert code != 0
    assert cast("UserError", error).diagnostics[0].code == "CLI005"
    assert 'concepts.toml gains:\n  striped = ["striped"]' in shown
    assert "attributes.csv gains:\n  striped: red 0.9, green 0, blue 0, yellow 0" in shown
    assert contents(study.folder) == before
    assert call(study, "striped", *shares, answer="y\n")[:2] == (
        0, f"“striped” is a concept of the study; run it again: conspect run {study.folder}\n"
    )  # fmt: skip
    code, printed, _, _ = call(study, "dotted", "--others", "0.5", "--yes", "--json")
    assert code == 0
    record = msgspec.json.decode(printed, type=ConceptAddition)
    assert (record.words, record.written) == (("dotted",), True)


@pytest.mark.parametrize("share", ["red", "red=much", "=0.5"])
def test_a_share_of_nothing_is_refused(study: Study, share: str) -> None:
    before = contents(study.folder)
    code, _, _, error = call(study, "striped", "--share", share, "--yes")
    assert code != 0
    assert error is not None
    assert contents(study.folder) == before


def test_a_word_that_names_a_class_or_a_concept_in_the_plural_is_added_with_a_warning(study: Study) -> None:
    draft = add_concepts(study, ["a red thing", "greys", "striped"], {}, write=False)
    assert [note.split(":")[0] for note in draft.notes] == ["Careful", "Careful"]
    assert "“a red thing” holds the name of the class “red”" in draft.notes[0]
    assert "“greys” and the study's concept “grey” are the same words" in draft.notes[1]


def test_a_class_with_two_shares_is_refused_by_name(study: Study) -> None:
    call = ["add", str(study.folder), "striped", "--share", "red=0.5", "--share", "red=0.7", "--others", "0", "--yes"]
    before = contents(study.folder)
    refused = CliRunner().invoke(concepts, call)
    assert (refused.exit_code, contents(study.folder)) == (2, before)
    assert "'red' has two shares" in refused.output
