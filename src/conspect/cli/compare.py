"""`conspect compare` and `conspect gate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.core.diagnostics import user_error
from conspect.core.files import require_place, write_atomically, writing_to

if TYPE_CHECKING:
    from conspect.comparison.gate import Tolerances
    from conspect.results.comparison import Comparison, GateOutcome, GateVerdict

_PLACE = click.Path(path_type=Path)
EXIT_CODES: dict[GateOutcome, int] = {"pass": 0, "fail": 1, "investigate": 3}


@click.command()
@click.argument("before", type=_PLACE)
@click.argument("after", type=_PLACE)
@click.option("--html", type=_PLACE, help="Also write one HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
def compare(before: Path, after: Path, html: Path | None, as_json: bool) -> None:
    """Say what changed from study BEFORE to study AFTER: folders of studies that were run, or their results.json."""
    if html is not None:
        require_place(html, making_folders=True)
    comparison = _compared(before, after)
    if html is not None:
        from conspect.report.comparison import render_comparison

        _write(html, render_comparison(comparison))
    if as_json:
        _print_record(comparison)
        return
    from conspect.report.comparison import comparison_lines

    for line in comparison_lines(comparison):
        click.echo(line)
    if html is not None:
        click.echo(f"page: {html}")


@click.command()
@click.argument("study", type=_PLACE)
@click.option("--against", required=True, type=_PLACE, help="The baseline: a study's folder, or its results.json.")
@click.option("--junit", type=_PLACE, help="Also write a JUnit XML file.")
@click.option("--sarif", type=_PLACE, help="Also write a SARIF 2.1.0 file.")
@click.option("--markdown", type=_PLACE, help="Also write a Markdown summary, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
def gate(  # noqa: PLR0917 (click passes every option by name)
    study: Path, against: Path, junit: Path | None, sarif: Path | None, markdown: Path | None, as_json: bool
) -> None:
    """Let STUDY pass, or not: is it worse than its baseline by more than [gate] in study.toml allows?

    Exit codes: 0 pass, 1 fail, 3 investigate (an interval straddles its tolerance, or something cannot be measured).
    """
    from conspect.comparison.gate import judge
    from conspect.core.version import VERSION
    from conspect.report.gate import gate_junit, gate_lines, gate_markdown, gate_sarif

    for place in (junit, sarif, markdown):
        if place is not None:
            require_place(place, making_folders=True)
    verdict = judge(_compared(against, study), _tolerances(study))
    if junit is not None:
        _write(junit, gate_junit(verdict))
    if sarif is not None:
        log = gate_sarif(verdict, version=VERSION, study_file=(study / "study.toml").as_posix())
        _write(sarif, json.dumps(log, indent=2) + "\n")
    if markdown is not None:
        _write(markdown, gate_markdown(verdict))
    if as_json:
        _print_record(verdict)
    else:
        for line in gate_lines(verdict):
            click.echo(line)
    sys.exit(EXIT_CODES[verdict.outcome])


def _compared(before: Path, after: Path) -> Comparison:
    from conspect.comparison.compare import compare as compared
    from conspect.study.finished import finished_study

    theirs, ours = finished_study(before), finished_study(after)
    return compared(
        theirs.results,
        ours.results,
        names=(str(before), str(after)),
        failures=(theirs.failures, ours.failures),
        orders=(theirs.orders, ours.orders),
    )


def _tolerances(study: Path) -> Tolerances:
    """Those of [gate] in the study's file; the default ones where there is no such section or file."""
    from conspect.comparison.gate import Tolerances
    from conspect.study.config import read_config

    path = study / "study.toml"
    if not study.is_dir() or not path.is_file():
        raise user_error("STUDY001", f"there is no {path}", "name the study's folder; its [gate] says what it may lose")
    config = read_config(path).gate
    return Tolerances() if config is None else config.tolerances()


def _print_record(record: Comparison | GateVerdict) -> None:
    from conspect.results.files import encoded

    click.echo(encoded(record).decode(), nl=False)


def _write(path: Path, text: str) -> None:
    with writing_to(path.parent):
        write_atomically(path, text.encode())
