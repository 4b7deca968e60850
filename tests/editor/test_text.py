"""What the editor is told, by value; then the server itself, over its pipes."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.editor import text
from conspect.editor.study import StudyNames, names_of, study_beside
from conspect.results.results import Results

KNOWN = {"metallic": "concept, seen; phrases: metallic", "long-snout": "concept, not seen"}
STUDY = StudyNames(Path("s"), ("truck", "cat"), KNOWN)
SOURCE = """concept wheels
property p: for all x in focus(truck): predict(x, truck) implies metallic > wheels
"""


def test_a_name_that_the_study_does_not_have_is_underlined() -> None:
    source = "property p: for all x in focus(turck): metallic > ears"
    (found,) = [p for p in text.problems(source, "f", STUDY) if "turck" in p.message]
    assert (found.line, found.column, found.length, found.severity) == (0, 31, 5, "error")
    assert "truck" in found.message


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


def test_completion_offers_names_regions_and_words() -> None:
    found = {entry.word: entry.kind for entry in text.completions(SOURCE, STUDY)}
    assert found["metallic"] == "concept"
    assert found["wheels"] == "concept"  # declared in the file
    assert found["truck"] == "class"
    assert found["focus"] == "region"
    assert found["implies"] == "keyword"


def test_a_name_leads_to_its_declaration() -> None:
    line = SOURCE.splitlines()[1]
    span = text.definition(SOURCE, 1, line.index("wheels") + 2)
    assert span is not None
    assert span.line == 1
    assert text.definition(SOURCE, 1, line.index("metallic")) is None


def test_a_text_is_laid_out_unless_it_has_mistakes() -> None:
    assert text.formatted("concept   a\n") == "con a\n"
    assert text.formatted("concept ???") is None


@given(st.text(max_size=60), st.integers(0, 5), st.integers(0, 80))
def test_no_text_and_no_place_makes_the_server_stumble(source: str, line: int, column: int) -> None:
    assert isinstance(text.problems(source, "f", STUDY), list)
    text.hover(source, line, column, STUDY)
    text.definition(source, line, column)
    text.completions(source, STUDY)
    text.formatted(source)


def test_the_study_beside_a_file_is_the_nearest_above_it(
    finished_folder: Path, before: Results, tmp_path: Path
) -> None:
    deep = finished_folder / "claims" / "deep"
    deep.mkdir(parents=True, exist_ok=True)
    assert study_beside(deep / "a.cspec") == names_of(before, finished_folder.resolve())
    assert study_beside(tmp_path / "a.cspec") is None
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


def test_the_server_ends_as_its_client_asks_and_says_nothing() -> None:
    pytest.importorskip("pygls", reason="could not run: pygls")
    asked = (
        {"id": 1, "method": "initialize", "params": {"capabilities": {}}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    )
    bodies = [json.dumps({"jsonrpc": "2.0", **one}).encode() for one in asked]
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
