"""`conspect explain`: why the model said what it said of single images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.progress import terminal_bar
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.results.explanations import BehaviourExplanation, ImageExplanation, MinimalSets

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
    explanations = explained(opened.inputs, opened.measurements(terminal_bar), asked, seconds=seconds, share=share)
    if as_json:
        click.echo(encoded(explanations, indent=None), nl=False)
        return
    parts = [*map(_lines, explanations.images), *map(_behaviour_lines, explanations.behaviours)]
    click.echo("\n\n".join("\n".join(map(on_one_line, lines)) for lines in parts))


def _lines(image: ImageExplanation) -> list[str]:
    lines = [f"{image.id}: {image.explanation.sentence}."]
    if image.sets is not None:
        lines += _sets(image.sets)
    if image.counterfactual is not None:
        moved = ", ".join(f"{shift.concept} {shift.deviations:+.2f}" for shift in image.counterfactual.shifts)
        lines.append(
            f"  would be {image.counterfactual.restored} with (in standard deviations): {moved}; "
            f"that lies {image.counterfactual.distance:.1f} times as far from other images as they from one another"
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
        lines += _sets(behaviour.sets, behaviour.share)
    return lines + [f"  left out: {why}" for why in behaviour.left_out]


def _sets(sets: MinimalSets, share: float | None = None) -> list[str]:
    """Sets of both kinds in words, the smallest first; `share`: of a behaviour, see `BehaviourExplanation`."""
    of, more = "", ""
    if share is not None:
        of, more = f" on at least {100 * share:g} % of them", f" on more than {100 * (1 - share):g} %"
    none = "no set of seen concepts" if sets.complete else "none found"
    lines = [
        f"  {what}: " + ("; or ".join(", ".join(members) for members in sorted(some, key=len)[:3]) or none)
        for what, some in (
            (f"alone keeps it{of}", sets.abductive),
            (f"without these it changes{more}", sets.contrastive),
        )
    ]
    if sets.needs_none:
        lines[0] = f"  no concept is needed for it: with all {sets.concepts:,} erased the output stays{of}"
    return lines
