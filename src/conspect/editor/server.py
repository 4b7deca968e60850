"""The language server: the protocol's messages to what `conspect.editor.text` says. Speaks over standard input and output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from conspect.editor import text as said
from conspect.editor.documents import Text
from conspect.editor.study import RESULTS_FILE, StudyNames, folder_beside, names_in
from conspect.language.syntax.tree import Span

KINDS: dict[said.CompletionKind, lsp.CompletionItemKind] = {
    "class": lsp.CompletionItemKind.Class,
    "concept": lsp.CompletionItemKind.Variable,
    "keyword": lsp.CompletionItemKind.Keyword,
    "region": lsp.CompletionItemKind.Function,
    "split": lsp.CompletionItemKind.EnumMember,
}
SEVERITIES: dict[said.Severity, lsp.DiagnosticSeverity] = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
}


def server(version: str) -> LanguageServer:
    """The server, ready for `start_io`."""
    made = LanguageServer("conspect", version)
    studies = _Studies()
    documents = _Documents(made)
    text_of = documents.text_of

    def publish(uri: str, version: int | None) -> None:
        document = text_of(uri)
        answer = said.problems(document.content, to_fs_path(uri) or uri, studies.beside(uri))
        diagnostics = [_diagnostic(problem, document) for problem in answer]
        made.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri=uri, version=version, diagnostics=diagnostics)
        )

    @made.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        documents.open(item.uri, item.text)
        publish(item.uri, item.version)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        documents.change(uri, params.content_changes)
        publish(uri, params.text_document.version)

    @made.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        publish(params.text_document.uri, None)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        documents.close(uri)
        made.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    @made.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        uri = params.text_document.uri
        document = text_of(uri)
        place = document.place(params.position)
        answer = said.hover(document.content, place.row, place.column, studies.beside(uri))
        return None if answer is None else lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, answer))

    @made.feature(lsp.TEXT_DOCUMENT_COMPLETION)
    def complete(params: lsp.CompletionParams) -> lsp.CompletionList:
        uri = params.text_document.uri
        document = text_of(uri)
        place = document.place(params.position)
        items = [
            lsp.CompletionItem(entry.word, kind=KINDS[entry.kind], detail=entry.about, insert_text=entry.written)
            for entry in said.completions(document.content, place.row, place.column, studies.beside(uri))
        ]
        return lsp.CompletionList(is_incomplete=False, items=items)

    @made.feature(lsp.TEXT_DOCUMENT_DECLARATION)
    def declaration(params: lsp.DeclarationParams) -> lsp.Location | None:
        return place_of_name(params)

    @made.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def definition(params: lsp.DefinitionParams) -> lsp.Location | None:
        return place_of_name(params)

    def place_of_name(params: lsp.DeclarationParams | lsp.DefinitionParams) -> lsp.Location | None:
        uri = params.text_document.uri
        document = text_of(uri)
        place = document.place(params.position)
        span = said.definition(document.content, place.row, place.column)
        return None if span is None else lsp.Location(uri, document.span_range(span))

    @made.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def lay_out(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        document = text_of(params.text_document.uri)
        answer = said.formatted(document.content)
        if answer is None or answer == document.content:
            return []
        return [lsp.TextEdit(document.whole(), answer)]

    return made


class _Documents:
    """What the editor has open, as it has it: the library takes other characters than the protocol for ends of rows."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._open: dict[str, Text] = {}

    def open(self, uri: str, content: str) -> None:
        encoding = self._server.workspace.position_encoding or lsp.PositionEncodingKind.Utf16.value
        self._open[uri] = Text(content, str(encoding))

    def change(self, uri: str, changes: Sequence[lsp.TextDocumentContentChangeEvent]) -> None:
        document = self.text_of(uri)
        for change in changes:
            document = document.changed(change)
        self._open[uri] = document

    def close(self, uri: str) -> None:
        self._open.pop(uri, None)

    def text_of(self, uri: str) -> Text:
        """The text as it is open; of one that is asked about before it was opened, as it is on disk, empty where it is not."""
        if uri not in self._open:
            try:
                return Text(self._server.workspace.get_text_document(uri).source, "utf-16")
            except (OSError, ValueError):
                return Text("", "utf-16")
        return self._open[uri]


class _Studies:
    """The study beside each file, read again when its results change."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], StudyNames | None]] = {}

    def beside(self, uri: str) -> StudyNames | None:
        path = to_fs_path(uri) if urlsplit(uri).scheme == "file" else None
        folder = None if path is None else folder_beside(Path(path))
        if folder is None:
            return None
        try:
            status = (folder / RESULTS_FILE).stat()
        except OSError:
            return None
        version = status.st_mtime_ns, status.st_size
        if folder not in self._known or self._known[folder][0] != version:
            self._known[folder] = version, names_in(folder)
        return self._known[folder][1]


def _diagnostic(problem: said.Problem, document: Text) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=document.span_range(Span(problem.line + 1, problem.column + 1, problem.length)),
        message=problem.message,
        severity=SEVERITIES[problem.severity],
        code=problem.code,
        source="conspect",
    )
