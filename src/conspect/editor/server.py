"""The language server: the protocol's messages to what `conspect.editor.text` says. Speaks over standard input and output."""

from __future__ import annotations

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
    documents: dict[str, Text] = {}

    def text_of(uri: str) -> Text:
        if uri not in documents:  # asked about before it was opened
            return Text(made.workspace.get_text_document(uri).source, encoding())
        return documents[uri]

    def encoding() -> str:
        return str(made.workspace.position_encoding or lsp.PositionEncodingKind.Utf16.value)

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
        documents[item.uri] = Text(item.text, encoding())
        publish(item.uri, item.version)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        document = text_of(uri)
        for change in params.content_changes:
            document = document.changed(change)
        documents[uri] = document
        publish(uri, params.text_document.version)

    @made.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        publish(params.text_document.uri, None)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        documents.pop(uri, None)
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
