"""The language server: the protocol's messages to what `conspect.editor.text` says. Speaks over standard input and output."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from conspect.editor import text as said
from conspect.editor.study import StudyNames, study_beside
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

    def publish(uri: str) -> None:
        document = made.workspace.get_text_document(uri)
        answer = said.problems(document.source, document.path or uri, studies.beside(uri))
        diagnostics = [_diagnostic(problem, document.source) for problem in answer]
        made.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri=uri, version=document.version, diagnostics=diagnostics)
        )

    @made.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        publish(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        publish(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        publish(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        made.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=[]))

    @made.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        uri = params.text_document.uri
        source = made.workspace.get_text_document(uri).source
        answer = said.hover(source, params.position.line, _column(source, params.position), studies.beside(uri))
        return None if answer is None else lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, answer))

    @made.feature(lsp.TEXT_DOCUMENT_COMPLETION)
    def complete(params: lsp.CompletionParams) -> lsp.CompletionList:
        uri = params.text_document.uri
        source = made.workspace.get_text_document(uri).source
        items = [
            lsp.CompletionItem(entry.word, kind=KINDS[entry.kind], detail=entry.about, insert_text=_written(entry.word))
            for entry in said.completions(source, studies.beside(uri))
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
        source = made.workspace.get_text_document(uri).source
        span = said.definition(source, params.position.line, _column(source, params.position))
        return None if span is None else lsp.Location(uri, _span_range(span, source))

    @made.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def lay_out(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        source = made.workspace.get_text_document(params.text_document.uri).source
        answer = said.formatted(source)
        if answer is None or answer == source:
            return []
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(source.count("\n") + 1, 0))
        return [lsp.TextEdit(whole, answer)]

    return made


class _Studies:
    """The study beside each file, read again when its results change."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, StudyNames]] = {}

    def beside(self, uri: str) -> StudyNames | None:
        path = to_fs_path(uri)
        if path is None:
            return None
        file = Path(path)
        known = self._known.get(file.parent)
        if known is not None and known[0] == _changed(known[1]):
            return known[1]
        study_names = study_beside(file)
        if study_names is not None:
            self._known[file.parent] = _changed(study_names), study_names
        return study_names


def _changed(study: StudyNames) -> float:
    try:
        return (study.folder / "results.json").stat().st_mtime
    except OSError:
        return 0.0


def _diagnostic(problem: said.Problem, source: str) -> lsp.Diagnostic:
    span = Span(problem.line + 1, problem.column + 1, problem.length)
    return lsp.Diagnostic(
        range=_span_range(span, source),
        message=problem.message,
        severity=SEVERITIES[problem.severity],
        code=problem.code,
        source="conspect",
    )


def _span_range(span: Span, source: str) -> lsp.Range:
    rows = source.split("\n")
    row = rows[span.line - 1] if span.line <= len(rows) else ""
    start, end = span.column - 1, span.column - 1 + span.length
    return lsp.Range(lsp.Position(span.line - 1, _units(row[:start])), lsp.Position(span.line - 1, _units(row[:end])))


def _units(text: str) -> int:
    """Length in UTF-16 code units, which the protocol counts in unless told otherwise."""
    return len(text.encode("utf-16-le")) // 2


def _column(source: str, position: lsp.Position) -> int:
    """The protocol's column in characters."""
    rows = source.split("\n")
    row = rows[position.line] if position.line < len(rows) else ""
    return len(row.encode("utf-16-le")[: 2 * position.character].decode("utf-16-le", errors="ignore"))


def _written(word: str) -> str:
    """As it stands in a specification: in quotes, where it is no plain name."""
    return word if said.NAME.fullmatch(word) else f'"{word}"'
