"""`conspect explain`: why the model said what it said of single images."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.numbers import NumberRange
from conspect.cli.progress import terminal_bar
from conspect.core.concept_words import quoted
from conspect.core.percentages import level
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.results.explanations import (
        BehaviourExplanation,
        ConceptMap,
        Counterfactual,
        FoundSets,
        ImageExplanation,
        MinimalSets,
        SetMember,
    )

# Far above what is usual, above, about usual, below, far below.
SHADES, LEGEND = ("##", "++", "..", "--", "=="), "## far above, ++ above, .. about, -- below, == far below"
FAR, NEAR = 0.6, 0.2
# So many sets of each kind are shown.
SHOWN_SETS = 3


@click.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--seconds",
    type=NumberRange(min=0.001, max=600),
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
    type=NumberRange(min=0, max=1, min_open=True),
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
    """Explain test images of STUDY, by id, or all of a confusion cell or class, in concepts that are seen, or seen in part.

    A sentence; sets of concepts that alone keep the output, or whose erasure changes it; the smallest change of strengths
    that restores the label; and where in the image the named concepts are.
    """
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.explaining import ExplanationRequest
    from conspect.study.explaining import explain as explained

    if not (images or cells or classes):
        raise click.UsageError("name an image, --cell or --class")
    opened = Study.open(study)
    asked = ExplanationRequest(images, cells, classes)
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
        lines += _counterfactual(image.counterfactual, image.output)
    for heat, reason in zip(image.maps, image.explanation.reasons, strict=False):
        lines += _map(heat, (reason.concept, *reason.twins, *reason.opposites), image.against)
    return lines + [f"  left out: {why}" for why in image.left_out]


def _behaviour_lines(behaviour: BehaviourExplanation) -> list[str]:
    right = behaviour.label == behaviour.output
    what = f"{behaviour.label}, classified right" if right else f"{behaviour.label} taken for {behaviour.output}"
    of = (
        f"{behaviour.images:,} image{'s' * (behaviour.images != 1)}"
        if behaviour.taken == behaviour.images
        else f"{behaviour.taken:,} of {behaviour.images:,} images"
    )
    lines = [f"{what} ({of}):"]
    lines.append(f"  {behaviour.explanation.sentence}.")
    if behaviour.sets is not None:
        lines += _sets(behaviour.sets, behaviour.share)
    return lines + [f"  left out: {why}" for why in behaviour.left_out]


def _sets(sets: MinimalSets, share: float | None = None) -> list[str]:
    """Sets of both kinds in words, the smallest first; `share`: of a behaviour, see `BehaviourExplanation`."""
    of, more = "", ""
    if share is not None:
        of, more = f" on at least {level(share)} of them", f" on more than {level(1 - share)}"
    keeps = f"  alone keeps it{of}: {_listed(sets.abductive, sets.complete)}"
    changes = f"  without these it changes{more}: {_listed(sets.contrastive, sets.complete)}"
    if sets.needs_none:
        erased = "the only one" if sets.concepts == 1 else f"all {sets.concepts:,}"
        keeps = f"  no concept is needed for it: with {erased} erased the output stays{of}"
        if sets.contrastive.sets:
            keeps += ", since what erasing one takes away, erasing another gives back"
            changes = f"  but with only these erased it changes{more}: {_listed(sets.contrastive, sets.complete)}"
    shown = {
        member for kind in (sets.abductive, sets.contrastive) for some in kind.sets[:SHOWN_SETS] for member in some
    }
    doubts = [
        f"{doubt}: {', '.join(names)}"
        for doubt, names in (
            (said, sorted({named for m in shown if m.seen == seen for named in map(quoted, (m.concept, *m.twins))}))
            for seen, said in (("in part", "seen only in part"), ("not checked", "not checked by a table or labels"))
        )
        if names
    ]
    return [keeps, changes, *(f"  ({doubt})" for doubt in doubts)]


def _listed(kind: FoundSets, complete: bool) -> str:
    """The first sets, how many others are known, and whether there may be more."""
    tried = "" if kind.all_up_to == 0 else f" of more than {kind.all_up_to:,} concept{'s' * (kind.all_up_to != 1)}"
    if not kind.sets:
        return "no set of concepts" if complete else f"none found; there may be some{tried}"
    words = "; or ".join(map(_set, kind.sets[:SHOWN_SETS]))
    others = kind.known - min(SHOWN_SETS, len(kind.sets))
    if others:
        words += f"; and {others:,} more"
    return words if complete else f"{words} (there may be others{tried})"


def _set(members: tuple[SetMember, ...]) -> str:
    """In words; beside others, a group of concepts that cannot be told apart stands in brackets."""
    groups = [bool(len(members) > 1 and (member.twins or member.opposites)) for member in members]
    return " and ".join(f"({m.words})" if group else m.words for m, group in zip(members, groups, strict=True))


def _counterfactual(change: Counterfactual, output: str) -> list[str]:
    moved = ", ".join(f"{shift.words} {shift.deviations:+.{change.decimals}f}" for shift in change.shifts)
    lines = [f"  would be {change.restored} with (in standard deviations): {moved}"]
    if not change.of_the_two:
        lines.append(
            f"    (concepts that belong to {change.restored} or {output} alone cannot do it, or would have to move more than "
            "twice as far)"
        )
    lines.append(
        "    (before strengths are divided by the length of the embedding; no other concept moves by that measure, and as "
        f"cosines the others move by {_at_most(change.cosines_move)})"
    )
    if change.on_the_border:
        lines.append("    (hardly any change: the image lies on the border between the two classes)")
    lines.append(
        f"    the embedding then lies {change.distance:.1f} times as far from its nearest images as images usually do from theirs"
    )
    return lines


def _at_most(deviations: float) -> str:
    """Rounded up; the record has three decimals."""
    return "less than 0.001" if deviations == 0 else f"at most {ceil(round(100 * deviations, 6)) / 100:.2f}"


def _map(heat: ConceptMap, concepts: tuple[str, ...], usual_of: str) -> list[str]:
    """The map on a scale with what is usual in its middle: a concept that an image lacks is nowhere in it."""
    values, usual = heat.values, heat.usual or 0.0
    low, high = min(min(row) for row in values), max(max(row) for row in values)
    far = max(high - usual, usual - low) or 1.0
    name = " or ".join(map(quoted, concepts))
    what = f"where {name} is lacking, and where least" if heat.lacking else f"where {name} is"
    middle = "0" if heat.usual is None else f"the median {usual:.2f} of rightly classified {usual_of} images"

    def shade(value: float) -> str:
        share = (value - usual) / far
        return SHADES[2 - (share > NEAR) - (share > FAR) + (share < -NEAR) + (share < -FAR)]

    return [
        f"  {what} ({LEGEND} {middle}; from {low:.2f} to {high:.2f}):",
        *("    " + "".join(map(shade, row)) for row in values),
    ]
