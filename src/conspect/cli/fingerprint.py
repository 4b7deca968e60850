"""`conspect fingerprint`: what a sound model looks like inside, and what a later version has moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.progress import terminal_bar
from conspect.core.percentages import percent
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.results.fingerprint import MovedLayer

SHOWN = 6


@click.command()
@click.argument("folder", metavar="STUDY", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The fingerprint of a sound version: compare the study's model with it instead of writing one.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it (default: STUDY/fingerprint.safetensors).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def fingerprint(folder: Path, against: Path | None, out: Path | None, as_json: bool) -> None:
    """Take the fingerprint of a sound model, or compare a later version with one, without the old weights.

    The file is small: activations of every layer in sum, the head, and embeddings of up to a thousand reference images of
    the study; a later version must be studied on the same images.
    """
    from conspect.core.files import require_place, writing_to
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.diagnosing import fingerprint as taking

    if out is not None:
        require_place(out, making_folders=True)
    study = Study.open(folder)
    taken = taking.fingerprint_of(study.inputs, study.measurements(terminal_bar))
    if against is None:
        place = out or folder / taking.FILE
        with writing_to(place.parent):
            taking.write_fingerprint(place, taken)
        size = place.stat().st_size
        if as_json:
            import json

            about = {"file": str(place), "bytes": size, "images": len(taken.labels), "layers": len(taken.layers)}
            click.echo(json.dumps(about))
            return
        click.echo(f"{place}: {size / 1e6:.1f} MB, {len(taken.labels):,} images, {len(taken.layers)} layers")
        return
    comparison = taking.compared(taken, taking.read_fingerprint(against))
    if as_json:
        click.echo(encoded(comparison, indent=None), nl=False)
        return
    right = (
        f"{comparison.model} is right on {percent(comparison.accuracy)} of {comparison.images:,} images, the sound version on "
        f"{percent(comparison.sound_accuracy)}."
    )
    click.echo(on_one_line(right))
    click.echo(on_one_line(comparison.sentence))
    new, put = sum(failure.new for failure in comparison.failures), comparison.counts
    if new:
        encoder = "encoder or input" if comparison.input_changed else "encoder"
        put_down = f"{put.head:,} put down to the head, {put.encoder:,} to the {encoder}, {put.undecided:,} undecided"
        click.echo(f"{new:,} new failures: {put_down}.")
    for title, moved in (
        ("Layers", [_layer_words(layer) for layer in comparison.layers]),
        ("Concepts", [f"{concept.concept} {concept.moved:+.2f}" for concept in comparison.concepts]),
        ("Classes", [f"{moved_class.class_name} {moved_class.moved:.2f}" for moved_class in comparison.classes]),
        ("Rows of the head", list(comparison.head_rows)),
    ):
        if moved:
            more = f" and {len(moved) - SHOWN} more" if len(moved) > SHOWN else ""
            click.echo(on_one_line(f"{title} that moved: {', '.join(moved[:SHOWN])}{more}"))


def _layer_words(layer: MovedLayer) -> str:
    """How far a layer moved, and by what factor a channel's deviation changed where that is more to see."""
    if layer.factor == 0:
        return f"{layer.layer} (only in one version)"
    return f"{layer.layer} {layer.moved:.2f}" if layer.moved >= 0.005 else f"{layer.layer} x{layer.factor:.2f}"
