"""`conspect concepts`: which concepts of a study are seen."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.progress import terminal_bar


@click.group()
def concepts() -> None:
    """Grade the concepts of a study."""


@concepts.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def score(study: Path, as_json: bool) -> None:
    """Print a grade for every concept of STUDY, and why it is no better."""
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.recording.concepts import concept_scores

    opened = Study.open(study)
    scores = concept_scores(opened.inputs, opened.measurements(terminal_bar))
    if as_json:
        click.echo(encoded(scores, indent=None), nl=False)
        return
    width = max(len(concept.name) for concept in scores.concepts)
    for concept in scores.concepts:
        twins = f" (with: {', '.join(concept.not_told_from)})" if concept.not_told_from else ""
        why = "; ".join(concept.reasons)
        click.echo(f"{concept.name:{width}}  {concept.grade:8}  {why}{twins}".rstrip())
