"""`conspect demo`, `conspect init`, `conspect run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.engine import engine_options, working
from conspect.cli.progress import terminal_bar
from conspect.core.diagnostics import user_error

if TYPE_CHECKING:
    from conspect.results.results import Results


@click.command()
@click.option("--images", type=click.IntRange(min=20), default=4000, show_default=True, help="Test images to use.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/demo"), show_default=True, help="Where the study goes."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the images.")
@click.option(
    "--cifar10", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder with CIFAR-10."
)
@click.option(
    "--vlm", metavar="KIND:NAME", help="Another VLM, such as open-clip:ViT-B-32/laion2b_s34b_b79k or a folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output.")
def demo(  # noqa: PLR0917 (click passes by name)
    images: int, out: Path, seed: int, cifar10: Path | None, vlm: str | None, as_json: bool
) -> None:
    """Debug a real classifier on CIFAR-10's photographs, and write a report.

    A residual network trained by this project, seen through the pocket VLM: accuracy, heatmaps, fault localization.
    """
    from conspect.study.demo import demo_study

    directory = None if cifar10 is None else cifar10.resolve()
    study = demo_study(out, images=images, seed=seed, cifar10=directory, vlm=vlm)
    if sys.stderr.isatty():
        click.echo("opening data, model and VLM", err=True)
    _finish(study.run(terminal_bar), out, as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write a commented study.toml into FOLDER, and beside it the schema that editors complete and check it by."""
    from conspect.assets import read_bytes
    from conspect.core.files import write_atomically, writing_to
    from conspect.study.config import TEMPLATE

    path = folder / "study.toml"
    if path.exists():
        raise user_error("CLI001", f"{path} already exists", "edit it, or choose another folder")
    schema = "study.schema.json"
    with writing_to(folder):
        write_atomically(folder / schema, read_bytes(f"schemas/{schema}"))
        write_atomically(path, TEMPLATE.encode())
    click.echo(f"wrote {path}; edit it, then: conspect run {folder}", err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output.")
def run(folder: Path, engine: str, address: str | None, store: str | None, as_json: bool) -> None:
    """Run the study in FOLDER: embeddings, alignment, heatmaps, localization, report.

    Killed at any moment, the same call continues where it was.
    """
    from conspect.core.concept_words import negation_warning, negations
    from conspect.study import Study
    from conspect.study.inputs import demo_or_own_concepts

    study = Study.open(folder, store=store)
    for concept in demo_or_own_concepts(study.config, study.folder).concepts:
        for phrase in negations(concept.phrases)[:1]:
            click.echo(negation_warning(concept.name, phrase), err=True)
    with working(study, engine, address):
        results = study.run(terminal_bar)
    _finish(results, folder, as_json)


def _finish(results: Results, folder: Path, as_json: bool) -> None:
    from conspect.report.wording import findings, left_out, proofs
    from conspect.results.files import encoded

    for line in [*left_out(results), *findings(results), *proofs(results)]:
        click.echo(line, err=True)
    if results.unreadable:
        unreadable = len(results.unreadable)
        told = (
            "1 image could not be read; it is"
            if unreadable == 1
            else f"{unreadable:,} images could not be read; they are"
        )
        click.echo(f"{told} listed in results.json", err=True)
    if as_json:
        click.echo(encoded(results, indent=None), nl=False)
    else:
        click.echo(f"report: {(folder / 'report.html').resolve()}")
