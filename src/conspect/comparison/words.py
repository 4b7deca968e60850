"""What a comparison says, in sentences, most important first."""

from __future__ import annotations

import shlex

from conspect.core.chances import p_value_words
from conspect.core.percentages import narrow
from conspect.core.verdicts import Outcome
from conspect.results.comparison import (
    Accuracy,
    ChangedCell,
    Comparison,
    FailureGroup,
    HeatmapChange,
    Properties,
    ShareChange,
)

NOW: dict[Outcome, str] = {"holds": "holds", "violated": "is violated now", "unknown": "is unknown now"}
CLASSES_NAMED, GROUPS_NAMED, CELLS_NAMED, FLIPS_NAMED = 3, 3, 3, 5


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """The whole comparison in words; a change that may be chance is called so."""
    lines: list[str] = []
    if comparison.same_model and comparison.same_images:
        lines.append("The model and the images are the same in both studies: only settings, lens or code can differ.")
    if comparison.accuracy is not None:
        lines += _accuracy(comparison.accuracy, comparison.confidence)
        lines += _what_was_lost(comparison)
    for group in comparison.failure_groups[:GROUPS_NAMED]:
        word = "grew" if group.after * group.images_before > group.before * group.images_after else "shrank"
        lines.append(
            f'"{group.label}" taken for "{group.output}" {word}: {group.before:,} of {group.images_before:,} images before, '
            f"{group.after:,} of {group.images_after:,} now{_moved(group)}."
        )
    lines += [group.sentence for group in comparison.found_groups[:GROUPS_NAMED]]
    if comparison.heatmaps is not None:
        changed = comparison.heatmaps
        lines.append(
            f"{changed.changed:,} of {changed.tested:,} heatmap cells changed beyond chance ({_cells_met(changed)}; corrected "
            "over all of them)."
        )
        lines += [_cell(cell) for cell in changed.cells[:CELLS_NAMED]]
    for concept in comparison.concepts[:GROUPS_NAMED]:
        lines.append(
            f'Failures that lose "{concept.concept}" (it is weaker than another that it exceeds as a rule in their class): '
            f"{concept.before:,} of {concept.failures_before:,} before, {concept.after:,} of {concept.failures_after:,} now."
        )
    if comparison.properties is not None:
        lines += _properties(comparison.properties)
        if comparison.properties.flipped and not comparison.same_lens:
            lines.append("The lenses differ, so a verdict may be another one because of the lens alone.")
    if comparison.monitor is not None:
        lines += [
            f"The monitor's rate of {rate.rate}: {_percent(rate.before)} before, {_percent(rate.after)} now."
            for rate in comparison.monitor.kept
            if rate.before_high < rate.after_low or rate.after_high < rate.before_low
        ] or ["No rate of the monitor changed beyond its intervals."]
    lines += [f"Not compared: {entry.what}, because {entry.why}." for entry in comparison.not_compared]
    return tuple(lines)


def _moved(group: FailureGroup) -> str:
    return "" if group.joined is None else f" ({group.joined:,} came, {group.left:,} went)"


def _cells_met(changed: HeatmapChange) -> str:
    if changed.paired == changed.tested:
        return "image by image"
    return "as two samples" if not changed.paired else f"{changed.paired:,} of them met image by image"


def _cell(cell: ChangedCell) -> str:
    order = f"{cell.stronger} > {cell.weaker}"
    sentence = (
        f'In "{cell.class_name}", {order} holds on {narrow(cell.after)} of the images; it was {narrow(cell.before)}'
    )
    if cell.gained is None:
        return f"{sentence}."
    return f"{sentence} ({cell.gained:,} images gained this order, {cell.lost:,} lost it)."


def change_in_words(change: ShareChange) -> str:
    """That a share rose or fell, or shows no change beyond chance; with sizes and interval."""
    if change.difference is None or change.before.value is None or change.after.value is None:
        return "cannot be compared: one side has no images"
    # Two decimals, as of a gate: shares of one would not always differ by the points beside them.
    moved = f"{narrow(change.before.value, 2)} before, {narrow(change.after.value, 2)} now"
    size = f"{100 * change.difference:+.2f} points, interval {100 * change.low:+.2f} to {100 * change.high:+.2f}"
    if not change.beyond_chance:
        return f"shows no change beyond chance: {moved} ({size}, {p_value_words(change.p_value)})"
    return f"{'rose' if change.difference > 0 else 'fell'}: {moved} ({size}, {p_value_words(change.p_value)})"


def _accuracy(accuracy: Accuracy, confidence: float) -> list[str]:
    overall = accuracy.overall
    lines = [f"Accuracy {change_in_words(overall)}."]
    if overall.pairing == "paired" and not overall.fixed and not overall.broken:
        lines.append("Both are right on the same images.")
    elif overall.pairing == "paired":
        lines.append(
            f"{overall.fixed:,} images are right now that were wrong, and {overall.broken:,} are wrong now that were right."
        )
    moved = sorted(
        (change for change in (*accuracy.by_class, *accuracy.by_slice) if change.beyond_chance),
        key=lambda change: change.difference or 0.0,
    )
    lines += [f'Accuracy on "{change.name}" {change_in_words(change)}.' for change in moved[:CLASSES_NAMED]]
    if not moved and accuracy.by_class:
        lines.append(f"No single class changed beyond chance (corrected, at {narrow(confidence, 0)}).")
    return lines


def _what_was_lost(comparison: Comparison) -> list[str]:
    """Where to ask, when accuracy fell: the concepts are named from both models' embeddings, which no record holds."""
    accuracy = comparison.accuracy
    if accuracy is None or comparison.same_model or not comparison.same_images:
        return []
    fell = [
        change
        for change in (accuracy.overall, *accuracy.by_class)
        if change.beyond_chance and (change.difference or 0) < 0
    ]
    if not fell:
        return []
    studies = [side.name.removesuffix("/results.json") for side in (comparison.after, comparison.before)]
    call = shlex.join(["conspect", "localize", "--study", studies[0], "--sound", studies[1]])
    return [f"Which part broke, and which concepts the encoder no longer sees: {call}."]


def _properties(properties: Properties) -> list[str]:
    lost = [flip for flip in properties.flipped if flip.before == "holds"]
    won = [flip for flip in properties.flipped if flip.after == "holds"]
    both = f"the {_counted(properties.in_both, 'property', 'properties')} in both"
    lines = [
        f"{len(properties.flipped):,} of {both} have another verdict: {len(lost):,} no longer hold, {len(won):,} hold now."
        if properties.flipped
        else f"No verdict changed on {both}."
    ]
    lines += [f"{flip.id} held and {NOW[flip.after]}: {flip.statement}." for flip in lost[:FLIPS_NAMED]]
    for singular, plural, names in (
        ("is gone", "are gone", properties.only_before),
        ("is new", "are new", properties.only_after),
        ("claims something else now", "claim something else now", properties.restated),
    ):
        if names:
            lines.append(
                f"The property {names[0]} {singular}."
                if len(names) == 1
                else f"{len(names):,} properties {plural}, such as {names[0]}."
            )
    return lines


def _counted(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


def _percent(share: float | None) -> str:
    return "none" if share is None else narrow(share)
