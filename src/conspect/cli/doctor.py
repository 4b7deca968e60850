"""`conspect doctor`: what is broken in the model of a study, and what would repair it."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.numbers import NumberRange
from conspect.cli.progress import terminal_bar
from conspect.core.terminal import on_one_line


@click.command()
@click.option(
    "--study", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="The study of the model."
)
@click.option(
    "--images",
    type=click.IntRange(min=0),
    default=400,
    show_default=True,
    help="Images of both splits that each change of the input is tried on; 0 leaves the input out.",
)
@click.option(
    "--reported-accuracy",
    type=NumberRange(0, 1),
    help="The accuracy that the model once had, 0 to 1 (default: reported_accuracy in study.toml): what was lost is weighed too.",
)
@click.option("--junit", type=click.Path(path_type=Path), help="Also write a JUnit XML file: a test for each suspect.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def doctor(folder: Path, images: int, reported_accuracy: float | None, junit: Path | None, as_json: bool) -> None:
    """Find out what is broken: labels, input pipeline, encoder, head, or nothing; and what would repair it.

    Tries the usual mistakes of image pipelines, and whether the class names are in another order, before anything else is
    believed. Needs no finished study; embeddings are kept.
    """
    from conspect.core.files import require_place, write_atomically, writing_to
    from conspect.report.doctor import doctor_junit, doctor_lines
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.diagnosing.own_preparation import model_as_configured
    from conspect.study.diagnosing.record import diagnose_study

    if junit is not None:
        require_place(junit, making_folders=True)
    study = Study.open(folder)
    measured = study.measurements(terminal_bar)
    advance = terminal_bar("images fed again", 0)
    diagnosed = diagnose_study(
        study.inputs,
        measured,
        seed=study.config.settings.seed,
        changed=images,
        reported=study.config.model.reported_accuracy if reported_accuracy is None else reported_accuracy,
        own=model_as_configured(study.config.model, folder),
        advance=advance,
    ).record
    if junit is not None:
        with writing_to(junit.parent):
            write_atomically(junit, doctor_junit(diagnosed).encode())
    if as_json:
        click.echo(encoded(diagnosed, indent=None), nl=False)
        return
    for line in doctor_lines(diagnosed):
        click.echo(on_one_line(line))
