"""What the editor is told, by value; then the server itself, over its pipes."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.editor import text
from conspect.editor.study import StudyNames, folder_beside, names_in, names_of
from conspect.results.results import Results

KNOWN = {"metallic": "concept, seen; phrases: metallic", "long-snout": "concept, not seen"}
STUDY = StudyNames(Path("s"), ("truck", "cat"), KNOWN)
SOURCE = """concept wheels
property p: for all x in focus(truck): predict(x, truck) implies metallic > wheels
"""


def test_a_name_that_the_study_does_not_have_is_underlined() -> None:
    source = "property p: for all x in focus(turck): metallic > ears"
    (problem,) = [p for p in text.problems(source, "f", STUDY) if "turck" in p.message]
    assert (problem.line, problem.column, problem.length, problem.severity) == (0, 31, 5, "error")
    assert "truck" in problem.message


def test_without_a_study_only_the_language_is_checked() -> None:
    assert [p for p in text.problems(SOURCE, "f", None) if p.severity == "error"] == []
    assert next(p.code for p in text.problems("property p: >", "f", None)).startswith("SPEC1")


def test_hover_tells_a_concepts_grade_a_class_and_a_property_in_english() -> None:
    line = SOURCE.splitlines()[1]
    assert text.hover(SOURCE, 1, line.index("metallic"), STUDY) == "**metallic**: concept, seen; phrases: metallic"
    assert text.hover(SOURCE, 1, line.index("truck"), STUDY) == "**truck**: class of the study in s"
    english = text.hover(SOURCE, 1, 0, STUDY)
    assert english is not None
    assert english.startswith("**p**: If ")
    assert text.hover("", 0, 0, STUDY) is None


def test_a_property_is_told_within_it_and_not_behind_it() -> None:
    source = (
        "# metallic\nproperty p:\n    for all x in focus(truck):\n        metallic > wheels\n\n# about\nclass truck\n"
    )
    assert text.hover(source, 0, 3, STUDY) is None  # a comment
    within = text.hover(source, 2, 6, STUDY)
    assert within is not None
    assert within.startswith("**p**: ")
    assert text.hover(source, 5, 3, STUDY) is None
    assert text.hover(source, 6, 8, STUDY) == "**truck**: class of the study in s"


def test_a_name_of_the_file_is_told_without_a_study_and_named_as_new_beside_one() -> None:
    source = 'concept wheels = "round wheels"\nclass van\n'
    assert text.hover(source, 0, 9, None) == "**wheels**: concept declared in this file; phrases: round wheels"
    told = text.hover(source, 0, 9, STUDY)
    assert told is not None
    assert told.endswith("; not in the study in s")
    assert text.hover(source, 1, 7, None) == "**van**: class declared in this file"


def test_a_name_in_quotes_is_read_as_the_language_reads_it() -> None:
    study = StudyNames(Path("s"), ("truck",), {'a "b" c': "concept, seen"})
    source = r'property p: for all x in focus(truck): "a \"b\" c" > wheels'
    told = text.hover(source, 0, source.index("b"), study)
    assert told is not None
    assert told.endswith("concept, seen")
    problems = text.problems(r'property p: for all x in focus(truck): "a \"b\" d" > "a \"b\" c"', "f", study)
    assert [(p.column, p.length) for p in problems if p.severity == "error"] == [(39, 11)]


@pytest.mark.parametrize(
    ("name", "bare", "within"),
    [
        ("long-snout", "long-snout", "long-snout"),
        ("moving van", '"moving van"', "moving van"),
        ("for", '"for"', "for"),
        ("and", '"and"', "and"),
        ('a "b"', r'"a \"b\""', r"a \"b\""),
        ("a\nb", r'"a\nb"', r"a\nb"),
        ("two--hyphens", '"two--hyphens"', "two--hyphens"),
    ],
)
def test_a_completed_name_stands_as_the_language_writes_it(name: str, bare: str, within: str) -> None:
    study = StudyNames(Path("s"), ("truck",), {name: "concept, seen"}, ("test",))
    source = "property p: for all x in focus(truck): "
    (offered,) = [
        entry
        for entry in text.completions(source, 0, len(source), study)
        if entry.word == name and entry.kind == "concept"
    ]
    assert offered.written == bare
    written = text.problems(f"{source}{bare} > other", "f", None)
    assert [problem for problem in written if problem.severity == "error"] == []
    (offered,) = [entry for entry in text.completions(f'{source}"', 0, len(source) + 1, study) if entry.word == name]
    assert offered.written == within
    (split,) = [entry for entry in text.completions(source, 0, len(source), study) if entry.kind == "split"]
    assert split.written == '"test"'
    assert {entry.kind for entry in text.completions(f'{source}"', 0, len(source) + 1, study)} <= {
        "concept",
        "class",
        "split",
    }


def test_completion_offers_names_regions_and_words() -> None:
    kinds = {entry.word: entry.kind for entry in text.completions(SOURCE, 1, 0, STUDY)}
    assert kinds["metallic"] == "concept"
    assert kinds["wheels"] == "concept"  # declared in the file
    assert kinds["truck"] == "class"
    assert kinds["focus"] == "region"
    assert kinds["implies"] == "keyword"


def test_a_name_leads_to_its_declaration() -> None:
    line = SOURCE.splitlines()[1]
    span = text.definition(SOURCE, 1, line.index("wheels") + 2)
    assert span is not None
    assert span.line == 1
    assert text.definition(SOURCE, 1, line.index("metallic")) is None


def test_the_first_declaration_of_a_name_is_its_declaration_and_a_concept_goes_before_a_property() -> None:
    source = "property metallic: for all x in focus(truck): metallic > wheels\nconcept metallic\nconcept metallic\n"
    span = text.definition(source, 0, source.index("metallic >"))
    assert span is not None
    assert span.line == 2


def test_a_text_is_laid_out_unless_it_has_mistakes() -> None:
    assert text.formatted("concept   a\n") == "concept a\n"
    assert text.formatted("concept ???") is None
    assert text.formatted("concept   a\r\nconcept b\r\n") == "concept a\r\nconcept b\r\n"


@given(st.text(max_size=60), st.integers(0, 5), st.integers(0, 80))
def test_no_text_and_no_place_makes_the_server_stumble(source: str, line: int, column: int) -> None:
    assert isinstance(text.problems(source, "f", STUDY), list)
    text.hover(source, line, column, STUDY)
    text.definition(source, line, column)
    text.completions(source, line, column, STUDY)
    text.formatted(source)


def test_the_study_beside_a_file_is_the_nearest_above_it(
    finished_folder: Path, before: Results, tmp_path: Path
) -> None:
    deep = finished_folder / "claims" / "deep"
    deep.mkdir(parents=True, exist_ok=True)
    folder = folder_beside(deep / "a.cspec")
    assert folder == finished_folder.resolve()
    assert names_in(folder) == names_of(before, folder)
    assert folder_beside(tmp_path / "a.cspec") is None
    assert names_of(before, tmp_path).concepts["reddish"].startswith("concept, ")


def test_the_server_answers_a_client(finished_folder: Path) -> None:
    pytest.importorskip("pygls", reason="could not run: pygls")
    from lsprotocol import types as lsp
    from pygls.lsp.client import LanguageClient

    file = finished_folder / "claims.cspec"
    uri = file.as_uri()
    source = "# 𝒳\nproperty p: for all x in focus(red): redish > greenish\n"

    async def talk() -> dict[str, Any]:
        client = LanguageClient("test", "1")
        published: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def take(params: lsp.PublishDiagnosticsParams) -> None:
            if not published.done():
                published.set_result(params)

        await client.start_io(sys.executable, "-m", "conspect.cli.main", "language-server")
        started = await client.initialize_async(
            lsp.InitializeParams(
                capabilities=lsp.ClientCapabilities(), process_id=None, root_uri=finished_folder.as_uri()
            )
        )
        client.initialized(lsp.InitializedParams())
        item = lsp.TextDocumentItem(uri, "conspec", 1, source)
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        identifier = lsp.TextDocumentIdentifier(uri)
        told = await asyncio.wait_for(published, 60)
        place = lsp.Position(1, source.splitlines()[1].index("greenish"))
        hover = await client.text_document_hover_async(lsp.HoverParams(identifier, place))
        words = await client.text_document_completion_async(lsp.CompletionParams(identifier, place))
        name = lsp.Position(1, source.splitlines()[1].index("p:"))
        declared = await client.text_document_declaration_async(lsp.DeclarationParams(identifier, name))
        defined = await client.text_document_definition_async(lsp.DefinitionParams(identifier, name))
        assert declared == defined
        assert isinstance(declared, lsp.Location)
        assert declared.range.start.line == 1
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()
        return {"started": started, "told": told, "hover": hover, "words": words}

    said = asyncio.run(talk())
    assert said["started"].capabilities.document_formatting_provider
    (problem,) = said["told"].diagnostics
    assert (problem.range.start.line, problem.range.start.character) == (1, 37)
    assert "reddish" in problem.message
    assert "concept, " in said["hover"].contents.value
    assert {"reddish", "red", "focus"} <= {item.label for item in said["words"].items}


WIDE = '# \U0001d4b3\r\n"\U0001d4b3\u00e9" > redish\r\nproperty p: for all x in focus(red): reddish > greenish'


@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-16", "utf-32"])
def test_columns_are_those_of_the_encoding_that_was_agreed_on_and_changes_arrive(
    finished_folder: Path, encoding: str | None
) -> None:
    pytest.importorskip("pygls", reason="could not run: pygls")
    from lsprotocol import types as lsp
    from pygls.lsp.client import LanguageClient

    uri = (finished_folder / "claims.cspec").as_uri()
    width = {"utf-8": 4 + 2, "utf-32": 1 + 1}.get(encoding or "", 2 + 1)

    async def talk() -> list[Any]:
        client = LanguageClient("test", "1")
        told: asyncio.Queue[Any] = asyncio.Queue()

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def take(params: lsp.PublishDiagnosticsParams) -> None:
            told.put_nowait(params)

        await client.start_io(sys.executable, "-m", "conspect.cli.main", "language-server")
        general = lsp.GeneralClientCapabilities(position_encodings=None if encoding is None else [encoding])
        capabilities = lsp.ClientCapabilities(general=general)
        params = lsp.InitializeParams(capabilities=capabilities, process_id=None, root_uri=None)
        started = await client.initialize_async(params)
        assert started.capabilities.position_encoding == (encoding or "utf-16")
        client.initialized(lsp.InitializedParams())
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, "conspec", 1, WIDE)))
        first = await asyncio.wait_for(told.get(), 60)
        start = lsp.Position(1, width + 5)
        wrong = lsp.Range(start, lsp.Position(1, width + 5 + len("redish")))
        change = lsp.TextDocumentContentChangePartial(wrong, "reddish")
        marked = lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(0, 1), lsp.Position(0, 1)), "\u2028")
        versioned = lsp.VersionedTextDocumentIdentifier(uri=uri, version=2)
        client.text_document_did_change(lsp.DidChangeTextDocumentParams(versioned, [change, marked]))
        second = await asyncio.wait_for(told.get(), 60)
        unmarked = lsp.TextDocumentContentChangePartial(
            lsp.Range(lsp.Position(0, 1), lsp.Position(0, 2 if encoding != "utf-8" else 4)), ""
        )
        more = lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(3, 0), lsp.Position(9, 9)), "\r\nconcept q")
        versioned = lsp.VersionedTextDocumentIdentifier(uri=uri, version=3)
        client.text_document_did_change(lsp.DidChangeTextDocumentParams(versioned, [unmarked, more]))
        third = await asyncio.wait_for(told.get(), 60)
        options = lsp.FormattingOptions(tab_size=4, insert_spaces=True)
        edits = await client.text_document_formatting_async(
            lsp.DocumentFormattingParams(lsp.TextDocumentIdentifier(uri), options)
        )
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()
        return [first, second, third, edits]

    first, second, third, edits = asyncio.run(talk())
    places = {problem.range.start.character for problem in first.diagnostics if "redish" in problem.message}
    assert places == {width + 5}
    assert [problem.code for problem in second.diagnostics if problem.severity == 1 and problem.code == "SPEC107"]
    assert second.version == 2
    assert not [problem for problem in third.diagnostics if problem.code == "SPEC107" or "redish" in problem.message]
    (edit,) = edits
    assert (edit.range.start.line, edit.range.end.line) == (0, 3)
    assert edit.new_text.endswith("\r\nconcept q\r\n")


def test_a_file_without_a_place_on_disk_has_no_study_beside_it(
    finished_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = pytest.importorskip("conspect.editor.server", reason="could not run: pygls")
    monkeypatch.chdir(finished_folder)
    studies = server._Studies()
    assert studies.beside("untitled:Untitled-1") is None
    assert studies.beside("vscode-vfs://host/a.cspec") is None
    deep = finished_folder.joinpath(*"abcdefgh", "a.cspec")
    assert studies.beside(deep.as_uri()) is not None  # however deep, and though the folder is not there yet
    nearer = finished_folder / "a"
    nearer.mkdir(exist_ok=True)
    for name in ("study.toml", "results.json"):
        (nearer / name).write_bytes((finished_folder / name).read_bytes())
    assert studies.beside(deep.as_uri()).folder == nearer.resolve()
    (nearer / "results.json").write_text("{}")
    assert studies.beside(deep.as_uri()) is None
    shutil.rmtree(nearer)


@given(st.text(max_size=30), st.integers(0, 4), st.integers(0, 40), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_every_position_is_a_place_in_the_text(content: str, line: int, character: int, encoding: str) -> None:
    documents = pytest.importorskip("conspect.editor.documents", reason="could not run: pygls")
    from lsprotocol import types as lsp

    document = documents.Text(content, encoding)
    assert 0 <= document.offset(lsp.Position(line, character)) <= len(content)
    rows = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [document.row(number) for number in range(len(document.starts))] == rows
    whole = document.whole()
    assert document.changed(lsp.TextDocumentContentChangePartial(whole, "x")).content == "x"


def test_the_server_ends_as_its_client_asks_and_says_nothing() -> None:
    pytest.importorskip("pygls", reason="could not run: pygls")
    asked = (
        {"id": 1, "method": "initialize", "params": {"capabilities": {}}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    )
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in asked]
    messages = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    command = [sys.executable, "-m", "conspect.cli.main", "language-server"]
    done = subprocess.run(command, input=messages, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_study_calls_its_concepts_is_no_markup_in_a_hover() -> None:
    name = "![x](http://conspect.example/x.png)"
    study = StudyNames(Path("x"), ("red",), {name: f"concept, seen; phrases: {name}"})
    shown = text.hover(f'property p: for all x in focus(red): "{name}" > b', 0, 39, study)
    assert shown is not None
    assert "![" not in shown
    assert "](" not in shown
