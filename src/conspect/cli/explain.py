"""`conspect explain`: why the model said what it said of single images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.progress import terminal_bar

if TYPE_CHECKING:
    from conspect.results.explanations import BehaviourExplanation, ImageExplanation

SHADES = " .:-=+*#%@"


@click.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.001, max=600),
    default=0.1,
    show_default=True,
    help="Time for the minimal sets of each image, cell or class.",
)
@click.option(
    "--cell", "cells", multiple=True, metavar="LABEL:OUTPUT", help="Images of LABEL taken for OUTPUT, together."
)
@click.option(
    "--class", "classes", multiple=True, metavar="CLASS", help="Rightly classified images of CLASS, together."
)
@click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.5,
    show_default=True,
    help="For --cell and --class: a set holds when it does on so many of the images.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def explain(  # noqa: PLR0917 (click passes by name)
    study: Path,
    images: tuple[str, ...],
    seconds: float,
    cells: tuple[str, ...],
    classes: tuple[str, ...],
    share: float,
    as_json: bool,
) -> None:
    """Explain test images of STUDY, by id, or all of a confusion cell or class, in concepts that are seen.

    A sentence; sets of concepts that alone keep the output, or whose erasure changes it; the smallest change of strengths
    that restores the label; and where in the image the named concepts are.
    """
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.explaining import Asked
    from conspect.study.explaining import explain as explained

    if not (images or cells or classes):
        raise click.UsageError("name an image, --cell or --class")
    opened = Study.open(study)
    asked = Asked(images, cells, classes)
    found = explained(opened.inputs, opened.measurements(terminal_bar), asked, seconds=seconds, share=share)
    if as_json:
        click.echo(encoded(found, indent=None), nl=False)
        return
    parts = [*map(_lines, found.images), *map(_behaviour_lines, found.behaviours)]
    click.echo("\n\n".join(map("\n".join, parts)))


def _lines(image: ImageExplanation) -> list[str]:
    lines = [f"{image.id}: {image.explanation.sentence}."]
    if image.sets is not None:
        lines += _sets("alone keeps it", image.sets.abductive, image.sets.complete)
        lines += _sets("without these it changes", image.sets.contrastive, image.sets.complete)
    if image.counterfactual is not None:
        moved = ", ".join(f"{shift.concept} {shift.deviations:+.1f}" for shift in image.counterfactual.shifts)
        lines.append(
            f"  would be {image.counterfactual.restored} with (in standard deviations): {moved or 'next to no change'}; "
            f"that lies {image.counterfactual.distance:.1f} times as far from real images as they from each other"
        )
    for heat in image.maps:
        low = min(min(row) for row in heat.values)
        span = max(max(row) for row in heat.values) - low or 1.0
        lines.append(f"  where {heat.concept} is (dark to bright: {SHADES.strip()}):")
        lines += ["    " + "".join(2 * SHADES[int(9 * (v - low) / span)] for v in row) for row in heat.values]
    return lines + [f"  left out: {why}" for why in image.left_out]


def _behaviour_lines(behaviour: BehaviourExplanation) -> list[str]:
    right = behaviour.label == behaviour.output
    what = f"{behaviour.label}, classified right" if right else f"{behaviour.label} taken for {behaviour.output}"
    of = (
        f"{behaviour.images:,} images"
        if behaviour.taken == behaviour.images
        else f"{behaviour.taken:,} of {behaviour.images:,} images"
    )
    lines = [f"{what} ({of}):"]
    if behaviour.explanation is not None:
        lines.append(f"  {behaviour.explanation.sentence}.")
    if behaviour.sets is not None:
        percent = f"{100 * behaviour.share:g} %"
        lines += _sets(
            f"alone keeps it on at least {percent} of them", behaviour.sets.abductive, behaviour.sets.complete
        )
        changes = f"without these it changes on more than {100 * (1 - behaviour.share):g} %"
        lines += _sets(changes, behaviour.sets.contrastive, behaviour.sets.complete)
    return lines + [f"  left out: {why}" for why in behaviour.left_out]


def _sets(what: str, sets: tuple[tuple[str, ...], ...], complete: bool) -> list[str]:
    if not sets:
        return [f"  {what}: " + ("no set of seen concepts" if complete else "none found in the time given")]
    smallest = sorted(sets, key=len)[:3]
    return [f"  {what}: " + "; or ".join(", ".join(members) or "nothing at all" for members in smallest)]
