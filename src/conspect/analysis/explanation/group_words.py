"""Failure groups and thin combinations in sentences that a person would say."""

from __future__ import annotations

from collections.abc import Sequence

from conspect.analysis.explanation.failure_groups import FailureGroup, FailureSearch
from conspect.analysis.explanation.thin_combinations import ThinCombination
from conspect.core.concept_words import quoted
from conspect.core.percentages import percent


def group_sentence(
    group: FailureGroup, concepts: Sequence[str], classes: Sequence[str], share_of_failures: float
) -> str:
    """What fails, how often, and how many of all failures that is. Percents are rounded, images counted."""
    label, output = (None if index is None else classes[index] for index in (group.label, group.output))
    images = "images" if label is None else f"{label} images"
    shown = [
        f"{quoted(concepts[condition.concept])} {'most' if condition.more else 'least'}"
        for condition in group.conditions
    ]
    of_class = "" if label is not None else " of their class"
    whose = f"the quarter of {images} that shows {shown[0]}"
    if len(shown) > 1 or label is None:
        quarters = " and in ".join(f"the quarter{of_class} that shows {concept}" for concept in shown)
        whose = f"{images} that are {'both ' if len(shown) > 1 else ''}in {quarters}"
    fails = "are misclassified" if output is None else f"are taken for {output}"
    inside, outside, failures = group.inside, group.outside, len(group.failures)
    return (
        f"Of {whose}, {percent(inside.share, 0)} {fails} ({inside.failures:,} of the {inside.images:,} checked); of other "
        f"{images}, {percent(outside.share, 0)} ({outside.failures:,} of {outside.images:,}). Both halves together: {failures:,} "
        f"{'failure' if failures == 1 else 'failures'}, {percent(share_of_failures, 0)} of all."
    )


def thin_sentence(thin: ThinCombination, concepts: Sequence[str], classes: Sequence[str]) -> str:
    """How few images of the class show both concepts, and how many there would be by chance."""
    first, second = (quoted(concepts[k]) for k in thin.concepts)
    return (
        f"Only {_are(thin.images, f'{classes[thin.label]} image')} both in the quarter that shows {first} most and in the "
        f"quarter that shows {second} most; if the two had nothing to do with each other, {round(thin.expected):,} would be."
    )


def search_sentence(search: FailureSearch, images: int, failures: int) -> str:
    """What was looked for and what came of it; that nothing was found is said, and what it means."""
    if not failures:
        return "There are no failures to group."
    if not search.tried:
        return (
            "No group of failures could be looked for: that needs concepts graded seen, and classes of so many images that some "
            "in each half show a concept more than the others."
        )
    many = "1 combination of concepts was" if search.tried == 1 else f"{search.tried:,} combinations of concepts were"
    looked = f"{many} looked at on one half of {images:,} images"
    if not search.checked:
        return f"{looked}; none failed often enough to be checked on the other half. No group of failures stands out."
    which = "the most promising one was" if search.checked == 1 else f"the {search.checked:,} most promising were"
    checked = f"{looked}, {which} checked on the other half"
    if not search.groups:
        return f"{checked}, and none held. No group of failures stands out beyond chance."
    return f"{checked}, and {len(search.groups):,} held there beyond chance (corrected for those checked)."


def _are(number: int, what: str) -> str:
    return f"{number:,} {what} is" if number == 1 else f"{number:,} {what}s are"
