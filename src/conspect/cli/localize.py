"""`conspect localize`: encoder or head, against a sound version of the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.progress import terminal_bar
from conspect.core.percentages import percent
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.adapters.models import ModelKind

MODEL_KINDS = ("conspect", "module", "onnx", "timm", "torch-export", "torchvision", "transformers")


@click.command()
@click.option(
    "--study",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The study of the failing model.",
)
@click.option(
    "--sound", required=True, metavar="MODEL", help="An earlier, sound version: a study's folder, a file or a name."
)
@click.option(
    "--kind", type=click.Choice(MODEL_KINDS), help="What --sound is, where it is not what the study's model is."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def localize(folder: Path, sound: str, kind: ModelKind | None, as_json: bool) -> None:
    """Find out which part of a model broke since a sound version of it: the swap test on every failure.

    The two encoders must share a space: an update, a compressed or a damaged copy, not a model trained anew.
    """
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.diagnosing.swapping import sound_model, swap_results

    study = Study.open(folder)
    earlier = sound_model(study.config, study.folder, sound, kind)
    swapped = swap_results(study.inputs, study.measurements(terminal_bar), earlier, study.store, terminal_bar)
    if as_json:
        click.echo(encoded(swapped, indent=None), nl=False)
        return
    counts = swapped.counts
    click.echo(on_one_line(swapped.sentence))
    right = (
        f"{swapped.model} is right on {percent(swapped.accuracy)} of the images, {swapped.sound} on "
        f"{percent(swapped.sound_accuracy)}; {swapped.new_failures:,} of {swapped.failures:,} failures are new."
    )
    click.echo(on_one_line(right))
    click.echo(f"New failures: head {counts.head:,}, encoder {counts.encoder:,}, undecided {counts.undecided:,}")
    for loss in swapped.lost:
        named = ", ".join(f"{lost.words} ({percent(lost.probability, 0)})" for lost in loss.concepts)
        click.echo(on_one_line(f"{loss.class_name}, {loss.new_failures:,} new failures; most likely lost: {named}"))
