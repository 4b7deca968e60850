"""`conspect spec`: check, lay out, explain and generate specifications."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, NotRequired, TypeAlias, TypedDict

import click

from conspect.cli.lazy import SuggestingGroup
from conspect.core.diagnostics import ConspectError, Diagnostic, DiagnosticObject, SourceLocation, UserError, user_error
from conspect.core.files import read_specification, require_place
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:  # the language loads numpy, which --help can do without
    from conspect.language import Vocabulary
    from conspect.language.syntax.tree import Specification
    from conspect.language.writing.explanation import Explanation

Severity: TypeAlias = Literal["error", "warning", "note"]


class SevereDiagnostic(DiagnosticObject):
    """A diagnostic in JSON, with how grave it is."""

    severity: Severity


class CheckedRow(TypedDict):
    """A file as `spec check --json` prints it."""

    file: str
    ok: bool
    properties: int
    diagnostics: list[SevereDiagnostic]


class FormattedRow(TypedDict):
    """A file as `spec fmt --json` prints it; `changed` and `text` where it could be read."""

    file: str
    ok: bool
    changed: NotRequired[bool]
    text: NotRequired[str]
    diagnostics: list[SevereDiagnostic]


class ExplainedRow(TypedDict):
    """A file as `spec explain --json` prints it: its `properties`, or what is wrong with it."""

    file: str
    ok: bool
    properties: NotRequired[tuple[Explanation, ...]]
    diagnostics: NotRequired[list[SevereDiagnostic]]


_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


@click.group(cls=SuggestingGroup)
def spec() -> None:
    """Check, format, explain and generate Con_spec specifications (.cspec)."""


@spec.command()
@_FILES
@click.option("--table", type=click.Path(path_type=Path), help="CSV of class x attribute shares: the names that exist.")
@click.option("--warnings-as-errors", is_flag=True, help="Exit with 2 on warnings as well.")
@_JSON
def check(files: tuple[Path, ...], table: Path | None, warnings_as_errors: bool, as_json: bool) -> None:
    """Report every mistake in FILES. Exit code 0: none, 2: some."""
    from conspect.language import check_text

    rows: list[CheckedRow] = []
    failed = False
    try:
        vocabulary = _vocabulary(table)
    except ConspectError as error:
        _stop(error, as_json)
    for file in files:
        try:
            checked = check_text(read_specification(file), vocabulary, str(file))
            errors, warnings = checked.errors, checked.warnings
            properties = _count(checked.tree)
        except ConspectError as error:
            errors, warnings, properties = error.diagnostics, (), 0
        failed = failed or bool(errors) or (warnings_as_errors and bool(warnings))
        diagnostics = [severe(d, "error") for d in errors] + [severe(d, "warning") for d in warnings]
        rows.append({"file": str(file), "ok": not errors, "properties": properties, "diagnostics": diagnostics})
        if not as_json:
            for problem in errors:
                click.echo(str(problem))
            for problem in warnings:
                click.echo(f"warning: {problem}")
            counts = f"{len(errors)} errors, {len(warnings)} warnings" if errors or warnings else "no mistakes"
            click.echo(f"{on_one_line(str(file))}: {properties} properties, {counts}")
    if as_json:
        click.echo(json.dumps({"files": rows}, indent=2))
    sys.exit(2 if failed else 0)


@spec.command()
@_FILES
@click.option(
    "--to",
    "spelling",
    type=click.Choice(["paper", "module", "house"]),
    help="Rewrite in one spelling, without comments.",
)
@click.option("--write", "in_place", is_flag=True, help="Change the files instead of printing them.")
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 2 if a file is not laid out so.")
@_JSON
def fmt(files: tuple[Path, ...], spelling: str | None, in_place: bool, only_check: bool, as_json: bool) -> None:
    """Print FILES in the house layout, with their comments. Exit code 2: a file does not parse."""
    rows: list[FormattedRow] = []
    failed = False
    for file in files:
        try:
            content = read_specification(file)
            text, notes = _laid_out(content, file, spelling)
            changed = text.encode() != content
            if in_place and changed and not only_check:
                _write(file, text)
        except ConspectError as error:
            failed = True
            rows.append(
                {"file": str(file), "ok": False, "diagnostics": [severe(d, "error") for d in error.diagnostics]}
            )
            if not as_json:
                click.echo(str(error), err=True)
            continue
        failed = failed or (only_check and changed)
        diagnostics = [severe(note, "note") for note in notes]
        rows.append({"file": str(file), "ok": True, "changed": changed, "text": text, "diagnostics": diagnostics})
        if as_json:
            continue
        for note in notes:
            click.echo(f"note: {note}", err=True)
        if only_check or in_place:
            outcome = "not in house layout" if only_check and changed else "changed" if changed else "as it was"
            click.echo(f"{on_one_line(str(file))}: {outcome}")
        else:
            click.echo(text.replace("\r\n", "\n"), nl=False)
    if as_json:
        click.echo(json.dumps({"files": rows}, indent=2))
    sys.exit(2 if failed else 0)


@spec.command()
@_FILES
@_JSON
def explain(files: tuple[Path, ...], as_json: bool) -> None:
    """Say in plain English what each property of FILES claims, where and how often."""
    from conspect.language import explain as explain_specification
    from conspect.language import parse

    rows: list[ExplainedRow] = []
    failed = False
    for file in files:
        try:
            explanations = explain_specification(parse(read_specification(file), str(file)))
        except ConspectError as error:
            failed = True
            rows.append(
                {"file": str(file), "ok": False, "diagnostics": [severe(d, "error") for d in error.diagnostics]}
            )
            if not as_json:
                click.echo(str(error), err=True)
            continue
        rows.append({"file": str(file), "ok": True, "properties": explanations})
        if not as_json:
            click.echo("\n\n".join(str(row) for row in explanations) or f"{on_one_line(str(file))}: no properties")
    if as_json:
        click.echo(json.dumps({"files": rows}, indent=2, default=asdict))
    sys.exit(2 if failed else 0)


@spec.group()
def generate() -> None:
    """Write specifications from a table, an ontology, or the images of a study."""


_RELEVANT = click.option("--relevant", default=0.5, show_default=True, help="From this share of a class on, relevant.")
_IRRELEVANT = click.option("--irrelevant", default=0.1, show_default=True, help="Below this share, irrelevant.")
_SPELLING = click.option(
    "--spelling",
    type=click.Choice(["paper", "module", "house"]),
    default="house",
    show_default=True,
    help="How connectives and quantifiers are written.",
)
_OUTPUT = click.option("--output", type=click.Path(path_type=Path), help="File to write; the terminal when left out.")


@generate.command()
@click.argument("file", type=click.Path(path_type=Path))
@_RELEVANT
@_IRRELEVANT
@_SPELLING
@_OUTPUT
@_JSON
def table(  # noqa: PLR0917 (click passes by name)
    file: Path, relevant: float, irrelevant: float, spelling: str, output: Path | None, as_json: bool
) -> None:
    """From a CSV of class x attribute shares: every relevant concept over every irrelevant one."""
    from conspect.language import from_attribute_table, read_attribute_table

    try:
        shares = read_attribute_table(read_specification(file), str(file))
        _emit(from_attribute_table(shares, relevant=relevant, irrelevant=irrelevant), spelling, output, as_json)
    except ConspectError as error:
        _stop(error, as_json)


@generate.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--class", "classes", multiple=True, help="Only this class; may be repeated.")
@click.option("--property", "properties", multiple=True, help="Follow only this object property; may be repeated.")
@_SPELLING
@_OUTPUT
@_JSON
def ontology(  # noqa: PLR0917 (click passes by name)
    file: Path, classes: tuple[str, ...], properties: tuple[str, ...], spelling: str, output: Path | None, as_json: bool
) -> None:
    """From an OWL or RDF ontology: concepts that it ascribes to a class over those that it does not."""
    from conspect.adapters.ontologies.rdf import read_ontology
    from conspect.language import from_attribute_table, from_carried

    try:
        carried = read_ontology(file, classes=classes, properties=properties)
        _emit(from_attribute_table(from_carried(carried)), spelling, output, as_json)
    except ConspectError as error:
        _stop(error, as_json)


@generate.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option("--share", default=0.95, show_default=True, help="Of the class's images a predicate must hold on.")
@click.option(
    "--observed", is_flag=True, help="Let the observed share decide, not its corrected lower bound: says less."
)
@_SPELLING
@_OUTPUT
@_JSON
def mined(  # noqa: PLR0917 (click passes by name)
    study: Path, share: float, observed: bool, spelling: str, output: Path | None, as_json: bool
) -> None:
    """From the images of a STUDY: the strength predicates that its held-out images satisfy."""
    from conspect.study import Study

    try:
        if output is not None:
            require_place(output)
        specification = Study.open(study).mined_specification(share=share, criterion="rate" if observed else "bound")
        _emit(specification, spelling, output, as_json)
    except ConspectError as error:
        _stop(error, as_json)


def _vocabulary(table: Path | None) -> Vocabulary | None:
    if table is None:
        return None
    from conspect.language import Vocabulary, read_attribute_table

    shares = read_attribute_table(read_specification(table), str(table))
    return Vocabulary(shares.class_names, shares.concept_names)


def _laid_out(content: bytes, file: Path, spelling: str | None) -> tuple[str, tuple[Diagnostic, ...]]:
    from conspect.language import format_text, parse_with_diagnostics, respell, write

    if spelling is None:
        return format_text(content, str(file)).text, ()
    parsed = parse_with_diagnostics(content, str(file))
    if parsed.errors:
        raise UserError(*parsed.errors)
    respelled = respell(parsed.tree, spelling, file=str(file))  # type: ignore[arg-type]  # click.Choice allows no other
    notes = respelled.notes
    if parsed.comments:
        place = parsed.source.place(parsed.comments[0][0])
        problem = f"a change of spelling drops the {len(parsed.comments)} comments"
        notes = (Diagnostic("SPEC401", problem, "keep the original, or copy them over by hand", place), *notes)
    return write(respelled.tree, spelling), notes  # type: ignore[arg-type]


def _emit(specification: Specification, spelling: str, output: Path | None, as_json: bool) -> None:
    from conspect.language import respell, write

    respelled = respell(specification, spelling)  # type: ignore[arg-type]  # click.Choice allows no other
    text = write(respelled.tree, spelling)  # type: ignore[arg-type]
    count = _count(respelled.tree)
    if output is not None:
        _write(output, text)
    if as_json:
        row = {"properties": count, "output": None if output is None else str(output)}
        click.echo(json.dumps(row if output is not None else {**row, "text": text}, indent=2))
    elif output is not None:
        click.echo(f"{output}: {count} properties")
    else:
        click.echo(text, nl=False)


def _count(specification: Specification) -> int:
    """Number of properties, those of modules included."""
    from conspect.language.syntax.tree import Module, Property

    return sum(
        len(item.properties) if isinstance(item, Module) else isinstance(item, Property) for item in specification.items
    )


def _write(file: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises UserError when that is refused."""
    from conspect.core.files import write_atomically

    try:
        write_atomically(file, text.encode())
    except OSError as error:
        fix = "give a path in a directory that may be written"
        raise user_error(
            "SPEC415", f"cannot write the file: {error.strerror or error}", fix, SourceLocation(str(file))
        ) from error


def severe(problem: Diagnostic, severity: Severity) -> SevereDiagnostic:
    """A diagnostic in JSON, with how grave it is."""
    return {"severity": severity, **problem.to_object()}


def _stop(error: ConspectError, as_json: bool) -> NoReturn:
    """Tells an error and leaves with its exit code."""
    if as_json:
        click.echo(json.dumps({"diagnostics": [severe(d, "error") for d in error.diagnostics]}, indent=2))
    else:
        click.echo(str(error), err=True)
    sys.exit(error.exit_code)
